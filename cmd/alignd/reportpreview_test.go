package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// reported is a configuration whose journal has messages of yesterday and today.
func reported(t *testing.T) string { return reportedBy(t, "") }

// reportedBy is one with further options.
func reportedBy(t *testing.T, options string) string {
	t.Helper()
	m := openJournal(t, "journal: {path: DIR}\n"+options)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for i, message := range []struct {
		at      time.Time
		author  string
		heard   bool
		outcome policy.Disposition
	}{
		{today.Add(-12 * time.Hour), "example.com", true, policy.DispositionReject},
		{today.Add(-11 * time.Hour), "example.com", true, policy.DispositionReject},
		{today.Add(-10 * time.Hour), "news.example.com", true, policy.DispositionReject},
		{today.Add(-9 * time.Hour), "example.com", true, policy.DispositionTempfail},
		{today.Add(-8 * time.Hour), "example.com", false, policy.DispositionReject},
		{today.Add(time.Second), "example.com", true, policy.DispositionReject},
	} {
		m.sink.Take(&record.Record{
			Evidence: evidence.Message{
				Time: message.at, Token: fmt.Sprintf("token%d", i), MailFrom: "b@other.example", MailFromDomain: "other.example",
				Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")},
				DMARC: []evidence.DMARC{{AuthorDomain: message.author, PolicyDomain: "example.com", Result: evidence.Fail, Policy: evidence.PolicyReject,
					Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100, RUA: []string{"mailto:reports@example.com"}}}},
			},
			Verdict: policy.Verdict{Disposition: message.outcome, Authors: []policy.AuthorOutcome{{AuthorDomain: message.author, Disposition: message.outcome}}},
			Outcome: record.Outcome{End: record.EndAnswered},
		})(message.heard)
	}
	m.close()
	return m.file
}

func TestReportPreview(t *testing.T) {
	file := reported(t)
	for _, test := range []struct {
		name, args string
		exit       int
		has        []string
	}{
		{name: "as mail, of yesterday", args: "--from dmarc@here.test --organization Here example.com",
			has: []string{"Subject: Report Domain: example.com Submitter: here.test", "To: <reports@example.com>", "From: \"Here\" <dmarc@here.test>", "3 messages"}},
		{name: "as XML", args: "--from dmarc@here.test --xml EXAMPLE.com", has: []string{"<count>2</count>", "<header_from>news.example.com</header_from>", "<org_name>here.test</org_name>"}},
		{name: "for old readers", args: "--from dmarc@here.test --xml --schema rfc7489 example.com", has: []string{"<feedback>", "<pct>100</pct>"}},
		{name: "of today", args: "--from dmarc@here.test --xml example.com --day " + time.Now().UTC().Format(time.DateOnly), has: []string{"<count>1</count>"}},
		{name: "a domain without messages", args: "--from dmarc@here.test other.example", exit: exitFailure, has: []string{"no message of"}},
		{name: "a domain without messages, of today", args: "--from dmarc@here.test other.example", exit: exitFailure, has: []string{"of today: --day 20"}},
		{name: "failure reports of a day", args: "--failure --day 2026-11-27 example.com", exit: exitUsage, has: []string{"--failure and --day exclude each other"}},
		{name: "failure reports as XML", args: "--failure --xml example.com", exit: exitUsage, has: []string{"--failure and --xml exclude each other"}},
		{name: "no day", args: "--day yesterday example.com", exit: exitUsage, has: []string{"is no day"}},
		{name: "no schema", args: "--schema xml example.com", exit: exitUsage, has: []string{"none of rfc9990"}},
		{name: "no address", args: "--from here.test example.com", exit: exitUsage, has: []string{"no mail address"}},
		{name: "no domain", exit: exitUsage, has: []string{"name one Policy Domain"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append([]string{"report", "preview", "--config", file}, strings.Fields(test.args)...)
			exit := run(args, strings.NewReader(""), &out, &errs)
			text := out.String() + errs.String()
			if exit != test.exit {
				t.Errorf("exit %d, want %d: %s", exit, test.exit, text)
			}
			for _, want := range test.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
		})
	}
}

func TestAPreviewIsReadBack(t *testing.T) {
	var mail, shown, errs bytes.Buffer
	if exit := run([]string{"report", "preview", "--config", reported(t), "--from", "dmarc@here.test", "example.com"}, strings.NewReader(""), &mail, &errs); exit != 0 {
		t.Fatal(exit, &errs)
	}
	if exit := run([]string{"report", "show", "--json", "-"}, &mail, &shown, &errs); exit != 0 {
		t.Fatal(exit, &errs)
	}
	var got struct {
		Reports []struct {
			Records []struct{ Count int }
		}
		Problems []any
	}
	if err := json.Unmarshal(shown.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Reports) != 1 || len(got.Reports[0].Records) != 2 || got.Reports[0].Records[0].Count+got.Reports[0].Records[1].Count != 3 || len(got.Problems) > 0 {
		t.Errorf("read back: %s", &shown)
	}
}
