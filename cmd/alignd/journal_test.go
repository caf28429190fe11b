package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/configs"
	"alignd/policy"
	"alignd/record"
)

// remembered is a configuration whose journal has two messages.
func remembered(t *testing.T) string {
	t.Helper()
	m := openJournal(t, "journal: {path: DIR}\n")
	for i, written := range []bool{true, false} {
		r := &record.Record{
			Evidence: evidence.Message{
				Time: time.Now().Add(time.Duration(i-2) * time.Hour), QueueID: "4ZQ8", Token: fmt.Sprintf("token%d", i), MessageID: fmt.Sprintf("<m%d@example.com>", i),
				MTA: "mx.here.test", MailFrom: "bounce@example.com", MailFromDomain: "example.com",
				Client:     evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.com"},
				Recipients: []evidence.Recipient{{Address: "bob@here.test"}},
				From:       evidence.From{Fields: 1, Domains: []string{"example.com"}},
				DMARC:      []evidence.DMARC{{AuthorDomain: "example.com", PolicyDomain: "example.com", Result: evidence.Fail, Policy: evidence.PolicyReject}},
			},
			Verdict: policy.Verdict{Disposition: policy.DispositionReject, Delivery: policy.Refuse, Requested: policy.RequestedReject,
				Monitor: policy.Outcome{Disposition: policy.DispositionQuarantine, Delivery: []policy.Delivery{policy.DeliverTag, policy.DeliverHold}[i]},
				Step:    policy.StepPolicy, Evaluation: 1, Reason: "example.com fails DMARC and asks for reject.\x1b[2J"},
			Basis:   record.Basis{Program: "alignd " + version, Config: m.cfg.Hash()},
			Outcome: record.Outcome{End: record.EndAnswered, Reply: policy.Reply{Code: 550, Enhanced: "5.7.26", Text: "No"}, AuthservID: "mx.here.test"},
		}
		m.sink.Take(r)(written)
	}
	m.close()
	return m.file
}

func TestTheJournalIsAsked(t *testing.T) {
	file := remembered(t)
	for _, c := range []struct {
		name string
		args string
		exit int
		has  []string
		not  []string
	}{
		{name: "all, newest first", args: "log", has: []string{"4ZQ8", "192.0.2.1", "example.com", "dmarc=fail", "refuse"}, not: []string{"\x1b"}},
		{name: "a time", args: "log --json --since 90m", has: []string{`"token":"token1"`}, not: []string{"token0"}},
		{name: "a domain and a limit", args: "log --json --domain EXAMPLE.com --limit 1", has: []string{`"token":"token1"`, `"result":"fail"`}, not: []string{"token0"}},
		{name: "an address of MAIL FROM", args: "log --json --mail-from BOUNCE@EXAMPLE.com --limit 1", has: []string{`"token":"token1"`}},
		{name: "a domain of MAIL FROM", args: "log --mail-from example.com", has: []string{"4ZQ8"}},
		{name: "another address of MAIL FROM", args: "log --mail-from bounce2@example.com", not: []string{"4ZQ8"}},
		{name: "a wrong domain of MAIL FROM", args: "log --mail-from x@..", exit: exitUsage, has: []string{"--mail-from"}},
		{name: "a network", args: "log --client 198.51.100.0/24", not: []string{"4ZQ8"}},
		{name: "a disposition", args: "log --disposition accept", not: []string{"4ZQ8"}},
		{name: "what was held back", args: "log --json --would tag", has: []string{"token0"}, not: []string{"token1"}},
		{name: "as a line", args: "log --would hold", has: []string{"refuse (hold)"}},
		{name: "an end that never comes", args: "log --follow --until 1h", exit: exitUsage, has: []string{"--follow has no end"}},
		{name: "more past entries than memory should hold", args: "log --follow --limit 10001", exit: exitUsage, has: []string{"at most 10000"}},
		{name: "a wrong delivery", args: "log --would deliver", exit: exitUsage, has: []string{"none of tag"}},
		{name: "a wrong disposition", args: "log --disposition refuse", exit: exitUsage, has: []string{"is none of accept"}},
		{name: "a wrong time", args: "log --since yesterday", exit: exitUsage, has: []string{"neither RFC 3339"}},
		{name: "a queue id that was used twice", args: "explain 4ZQ8", has: []string{"token0", "token1", "550 5.7.26 No", "<bob@here.test>", "was not heard"}},
		{name: "a token", args: "explain token0", has: []string{"<m0@example.com>", "Author Domain example.com"}, not: []string{"token1", "was not heard"}},
		{name: "what would have to be different", args: "explain token0", has: []string{"example.com would have passed DMARC", "MAIL FROM is of example.com"}},
		{name: "a Message-ID", args: "explain m1@example.com", has: []string{"token1"}, not: []string{"token0"}},
		{name: "as JSON", args: "explain --json token0", has: []string{`"authentication_results":"mx.here.test; `, `"outcome":{"end":"answered"`}},
		{name: "a message that is not there", args: "explain 9XYZ", exit: exitFailure, has: []string{`"9XYZ"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append(strings.Fields(c.args), "--config", file)
			exit := run(args, strings.NewReader(""), &out, &errs)
			text := out.String() + errs.String()
			if exit != c.exit {
				t.Errorf("exit %d, want %d: %s", exit, c.exit, text)
			}
			for _, want := range c.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			for _, bad := range c.not {
				if strings.Contains(text, bad) {
					t.Errorf("%q stands in\n%s", bad, text)
				}
			}
		})
	}
}

func TestWithoutJournalTheCommandsSaySo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alignd.yaml")
	if err := os.WriteFile(file, []byte(noJournal), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if exit := run([]string{"log", "--config", file}, strings.NewReader(""), &out, &errs); exit != exitFailure || !strings.Contains(errs.String(), "no journal is kept") {
		t.Errorf("exit %d, %s", exit, errs.String())
	}
}

func TestPointsInTime(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ text, want string }{
		{text: "14d", want: "2026-11-14T12:00:00Z"},
		{text: "1d6h", want: "2026-11-27T06:00:00Z"},
		{text: "90m", want: "2026-11-28T10:30:00Z"},
		{text: "2026-11-02", want: "2026-11-02T00:00:00Z"},
		{text: "2026-11-02T10:00:00+01:00", want: "2026-11-02T09:00:00Z"},
		{text: "14"}, {text: "d"}, {text: "-6h"}, {text: "1.5d"}, {text: "tomorrow"},
	} {
		got, err := pointInTime("since", c.text, now)
		if c.want == "" {
			if err == nil {
				t.Errorf("%q was read as %v", c.text, got)
			}
			continue
		}
		if err != nil || got.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("%q: got %v, %v, want %s", c.text, got, err, c.want)
		}
	}
}

// TestTheStoryIsToldWithTheRulesThatJudged: those in force, those that were kept, or, with
// a word about it, others.
func TestTheStoryIsToldWithTheRulesThatJudged(t *testing.T) {
	dir := t.TempDir()
	file := func(name, more string) *config.Config {
		t.Helper()
		path := filepath.Join(dir, name)
		text := fmt.Sprintf("journal: {store: sqlite, path: %s}\n%s", filepath.Join(dir, "state"), more)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := readConfig(config.Input{File: path})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	entry := "exceptions:\n  - {id: %s, action: accept, scope: {author_domains: [example.com]}, proof: {dkim: [vendor.example]}, never_expires: true}\n"
	now, before, lost := file("now.yaml", fmt.Sprintf(entry, "newer")), file("before.yaml", fmt.Sprintf(entry, "older")), file("lost.yaml", fmt.Sprintf(entry, "oldest"))
	kept, err := openState(now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if err := kept.KeepConfig(t.Context(), before.Hash(), before.Text(), time.Now()); err != nil {
		t.Fatal(err)
	}
	tell := explainEntries(configs.NewRules(now, nil))
	for _, c := range []struct {
		name      string
		by        *config.Config
		has, lack string
	}{
		{name: "in force", by: now, has: "newer (" + filepath.Join(dir, "now.yaml") + ":3) does not match", lack: "note"},
		{name: "kept", by: before, has: "older does not match", lack: "note"},
		{name: "lost", by: lost, has: "is not to be had (configuration ", lack: "oldest "},
	} {
		e := entryAt(1, time.Now())
		r := e.Record
		r.Evidence.Looked |= evidence.SectionDKIM
		r.Evidence.DMARC = []evidence.DMARC{{AuthorDomain: "example.com", PolicyDomain: "example.com", Result: evidence.Fail, Policy: evidence.PolicyReject}}
		r.Verdict = policy.Decide(&r.Evidence, c.by.Rules)
		r.Basis.Config = c.by.Hash()
		for range 2 { // the second time from memory
			var out bytes.Buffer
			if err := tell(&out, []*journal.Entry{e}); err != nil {
				t.Fatal(err)
			}
			if text := out.String(); !strings.Contains(text, c.has) || strings.Contains(text, c.lack) {
				t.Errorf("%s: %q is missing, or %q is there:\n%s", c.name, c.has, c.lack, text)
			}
		}
	}
}

func TestANetworkIsReadAsClientsAreWritten(t *testing.T) {
	for text, want := range map[string]string{"192.0.2.7": "192.0.2.7/32", "192.0.2.7/24": "192.0.2.0/24", "2001:db8::7/32": "2001:db8::/32", "::ffff:192.0.2.7": "192.0.2.7/32",
		"::ffff:192.0.2.7/120": "192.0.2.0/24", "::/0": "::/0"} {
		if got, err := network(text); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
}
