package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/policy"
	"alignd/record"
	"alignd/web"
)

func TestSourcesAreTold(t *testing.T) {
	file := remembered(t)
	for _, c := range []struct {
		name string
		args string
		exit int
		has  []string
		not  []string
	}{
		{name: "all", args: "sources", has: []string{"messages 2", "example.com", "192.0.2.0/24", "2 (100 %)", "hold"}},
		{name: "a domain", args: "sources EXAMPLE.com", has: []string{"Who sends as example.com", "192.0.2.0/24"}},
		{name: "a domain that nobody used", args: "sources other.example --since 2026-01-01", has: []string{"No message of other.example since 2026-01-01"}},
		{name: "a time", args: "sources --since 90m", has: []string{"messages 1"}},
		{name: "by counts", args: "sources --counts", has: []string{"by the counts of 30 days: 1 of 1 pairs", "192.0.2.0/24", "2 (100 %)", "(once): 1, with 2 messages"}},
		{name: "by counts, of a kind", args: "sources --counts --kind steady example.com", has: []string{"0 of 0 pairs"}},
		{name: "a kind that is none", args: "sources --counts --kind odd", exit: exitUsage, has: []string{"--kind"}},
		{name: "a kind without counts", args: "sources --kind new", exit: exitUsage, has: []string{"--counts"}},
		{name: "two domains", args: "sources a.example b.example", exit: exitUsage, has: []string{"name one domain"}},
		{name: "no domain", args: "sources a..b", exit: exitUsage, has: []string{`"a..b"`}},
		{name: "a wrong time", args: "sources --since yesterday", exit: exitUsage, has: []string{"neither RFC 3339"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			exit := run(append(strings.Fields(c.args), "--config", file), strings.NewReader(""), &out, &errs)
			text := out.String() + errs.String()
			if exit != c.exit {
				t.Errorf("exit %d, want %d: %s", exit, c.exit, text)
			}
			for _, want := range c.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
		})
	}
}

func TestSourcesAsJSON(t *testing.T) {
	var out, errs bytes.Buffer
	if exit := run([]string{"sources", "--json", "--config", remembered(t)}, strings.NewReader(""), &out, &errs); exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs.String())
	}
	var got sourcesJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if got.Messages != 2 || len(got.Sources) != 1 {
		t.Fatalf("got %+v", got)
	}
	s := got.Sources[0]
	if s.AuthorDomain != "example.com" || s.Infrastructure != "192.0.2.0/24" || s.Fail != 2 || s.Tagged != 1 || s.Held != 1 || s.LastAction != "hold" || s.DKIM == nil {
		t.Errorf("got %+v", s)
	}
}

// plantedVendor is a configuration whose journal, in a store, has mail of a vendor for the
// site, of the site itself, and of a forger.
func plantedVendor(t *testing.T, store string, attackers ...attacker) string {
	t.Helper()
	m := openJournal(t, fmt.Sprintf("own_domains:\n  - {id: ours, domains: [own.example]}\njournal: {store: %s, path: DIR}\n", store))
	n := 0
	change := func(*evidence.Message) {}
	send := func(day int, ip, sender string, spf evidence.Result, signers ...string) {
		n++
		r := &record.Record{Evidence: evidence.Message{
			Schema: evidence.SchemaVersion, Looked: evidence.AllSections, Time: time.Now().AddDate(0, 0, -day), QueueID: fmt.Sprintf("4ZQ%d", n), Token: fmt.Sprintf("token%d", n),
			MailFrom: "x@" + sender, MailFromDomain: sender, Client: evidence.Client{Peer: netip.MustParseAddr(ip)},
			Recipients: []evidence.Recipient{{Address: "bob@here.test"}}, From: evidence.From{Fields: 1, Domains: []string{"own.example"}},
			SPF: evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: sender, Result: spf}},
		}}
		if sender == "own.example" {
			r.Evidence.SPF.MailFrom.Record = "v=spf1 ip4:192.0.2.0/28 include:_spf.vendor.example -all"
		}
		dm := evidence.DMARC{AuthorDomain: "own.example", PolicyDomain: "own.example", OrgDomain: "own.example", Result: evidence.Fail, Policy: evidence.PolicyReject}
		for i, d := range signers {
			r.Evidence.DKIM = append(r.Evidence.DKIM, evidence.Signature{Result: evidence.Pass, Domain: d})
			if d == "own.example" {
				dm.AlignedDKIM, dm.DKIMAligned = append(dm.AlignedDKIM, i), true
			}
		}
		if dm.SPFAligned = spf == evidence.Pass && sender == "own.example"; dm.SPFAligned || dm.DKIMAligned {
			dm.Result = evidence.Pass
		}
		r.Evidence.DMARC = []evidence.DMARC{dm}
		change(&r.Evidence)
		r.Verdict = policy.Decide(&r.Evidence, m.cfg.Rules)
		r.Outcome = record.Outcome{End: record.EndAnswered, Delivered: r.Verdict.Delivery == policy.Deliver}
		m.sink.Take(r)(true)
	}
	for day := 12; day > 0; day-- {
		send(day, "192.0.2.1", "own.example", evidence.Pass, "own.example")
		send(day, "198.51.100.1", "bounces.vendor.example", evidence.Pass, "vendor.example")
		send(day, "198.51.100.2", "bounces.vendor.example", evidence.Pass, "vendor.example")
		send(day, "203.0.113.9", "evil.example", evidence.Pass, "evil.example")
		if day%3 == 0 {
			send(day, "198.51.100.1", "bounces.vendor.example", evidence.Pass, "vendor.example", "own.example")
		}
		for _, a := range attackers {
			change = func(ev *evidence.Message) {
				ev.QueueID = "EVIL" + ev.QueueID
				if a.change != nil {
					a.change(ev)
				}
			}
			send(day, a.ip, a.sender, a.spf, a.signers...)
		}
		change = func(*evidence.Message) {}
	}
	m.close()
	return m.file
}

func TestAnEntryIsSuggestedAndCanBePasted(t *testing.T) {
	file := plantedVendor(t, "sqlite")
	var out, errs bytes.Buffer
	if exit := run([]string{"sources", "own.example", "--config", file}, strings.NewReader(""), &out, &errs); exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs.String())
	}
	if golden := os.Getenv("SOURCES_SHOW"); golden != "" {
		t.Log("\n" + out.String())
	}
	for _, want := range []string{
		`id: "vendor.example-for-own.example"`, `dkim: ["vendor.example"]`, `spf: ["bounces.vendor.example"]`, "# because: The SPF record of own.example names _spf.vendor.example.",
		"# lets in: messages 24 since", "without the proofs of the entry: 0", "have the same proofs: none", "own.example from 203.0.113.0/24: nothing but itself speaks for evil.example",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}

	out.Reset()
	if exit := run([]string{"sources", "--json", "--config", file}, strings.NewReader(""), &out, &errs); exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs.String())
	}
	var got sourcesJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Suggestions) != 1 || got.Suggestions[0].Effect.LetIn != 24 || got.Suggestions[0].Effect.Unproven != 0 {
		t.Fatalf("got %+v", got.Suggestions)
	}
	for _, s := range got.Sources {
		if want := s.Infrastructure == "198.51.100.0/24"; want != (len(s.Suggested) == 1) || s.Fail > 0 && !want && s.NotSuggested == "" {
			t.Errorf("%s: suggested %v, not %q", s.Infrastructure, s.Suggested, s.NotSuggested)
		}
	}

	// As it stands it is a file of conf.d, and then there is nothing left to suggest.
	folder := filepath.Join(filepath.Dir(file), "conf.d")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "sources.yaml"), []byte(got.Suggestions[0].Entry), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	errs.Reset()
	if exit := run([]string{"config", "check", file}, strings.NewReader(""), &out, &errs); exit != 0 || strings.Contains(out.String()+errs.String(), "warning") {
		t.Errorf("exit %d: %s%s", exit, out.String(), errs.String())
	}
	out.Reset()
	if exit := run([]string{"sources", "--config", file, "--rules", filepath.Join(t.TempDir(), "none.yaml")}, strings.NewReader(""), &out, &errs); exit == 0 {
		t.Error("a configuration that is not there was read")
	}
	planned := filepath.Join(t.TempDir(), "planned.yaml") // without the entry
	if err := os.WriteFile(planned, []byte("own_domains:\n  - {id: ours, domains: [own.example]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if run([]string{"sources", "--config", file, "--rules", planned}, strings.NewReader(""), &out, &errs); !strings.Contains(out.String(), "exceptions:") {
		t.Errorf("by another configuration it says\n%s", out.String())
	}
	out.Reset()
	run([]string{"sources", "--config", file}, strings.NewReader(""), &out, &errs)
	if !strings.Contains(out.String(), "own.example from 198.51.100.0/24: the configuration in force delivers") || strings.Contains(out.String(), "exceptions:") {
		t.Errorf("after that it says\n%s", out.String())
	}
}

// attacker sends as own.example each day.
type attacker struct {
	name, ip, sender string
	spf              evidence.Result
	signers          []string
	change           func(*evidence.Message)
}

// Beside an honest vendor, whoever imitates it comes in by no suggestion of the command,
// nor of the pages, which suggest the same.
func TestNoSuggestionLetsAnAttackerIn(t *testing.T) {
	named := func(names ...string) func(*evidence.Message) {
		return func(ev *evidence.Message) { ev.IPRev = evidence.IPRev{Result: evidence.Pass, Names: names} }
	}
	file := plantedVendor(t, "sqlite", []attacker{
		{name: "in the vendor's network, with a domain of his own", ip: "198.51.100.66", sender: "evil.example", spf: evidence.Pass, signers: []string{"evil.example"}},
		{name: "on the vendor's host, with a domain of his own", ip: "198.51.100.1", sender: "evil.example", spf: evidence.Pass, signers: []string{"evil.example"}},
		{name: "sends again what the vendor signed", ip: "203.0.113.66", sender: "bounces.vendor.example", spf: evidence.Fail, signers: []string{"vendor.example"}},
		{name: "the same from his own domain", ip: "203.0.113.67", sender: "evil.example", spf: evidence.Pass, signers: []string{"vendor.example", "evil.example"}},
		{name: "the same from the vendor's network", ip: "198.51.100.67", sender: "evil.example", spf: evidence.Pass, signers: []string{"vendor.example"}},
		{name: "sends again what the site signed", ip: "203.0.113.68", sender: "evil.example", spf: evidence.Pass, signers: []string{"own.example", "evil.example"}},
		{name: "a name of the vendor that does not lead back", ip: "203.0.113.69", sender: "evil.example", spf: evidence.Pass, signers: []string{"evil.example"},
			change: func(ev *evidence.Message) {
				ev.Client.HELO = "out.vendor.example"
				ev.IPRev = evidence.IPRev{Result: evidence.Fail, Unconfirmed: []string{"out.vendor.example"}}
			}},
		{name: "a name that begins as the vendor's", ip: "203.0.113.70", sender: "vendor.example.evil.example", spf: evidence.Pass, signers: []string{"vendor.example.evil.example"}, change: named("vendor.example.evil.example")},
		{name: "a list of the vendor's name", ip: "203.0.113.71", sender: "evil.example", spf: evidence.Pass, signers: []string{"evil.example"},
			change: func(ev *evidence.Message) { ev.Traces.ListID, ev.Traces.List = "vendor.example", true }},
		{name: "names that are none", ip: "203.0.113.72", sender: "evil.example", spf: evidence.Pass, signers: []string{"evil.example", "\"]\n    action: accept\n#.evil.example", "<script>.evil.example"},
			change: named("=cmd|'/C calc'!A0.evil.example", "\x1b[2J\u202e<b>.evil2.example")},
	}...)
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	got := alignd(t, "", "sources", "--json", "--limit", "0", "--config", file, "own.example")
	var told sourcesJSON
	if err := json.Unmarshal([]byte(got.stdout), &told); err != nil || len(told.Suggestions) == 0 {
		t.Fatalf("%v, %+v", err, got)
	}
	for _, s := range told.Suggestions {
		with, err := cfg.With([]byte(s.Entry), time.Now())
		if err != nil {
			t.Fatalf("%v in\n%s", err, s.Entry)
		}
		if s.Effect.Unproven != 0 || len(s.Effect.Others) != 0 || len(s.Effect.Infrastructure) != 1 || s.Effect.Infrastructure[0] != (countJSON{"198.51.100.0/24", 24}) {
			t.Errorf("%s: %+v", s.ID, s.Effect)
		}
		r, err := place.OpenReader(cfg, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		seen := 0
		err = r.Search(t.Context(), journal.Query{Domain: "own.example"}, func(e *journal.Entry) error {
			before, after := policy.Decide(&e.Record.Evidence, cfg.Rules), policy.Decide(&e.Record.Evidence, with.Rules)
			if id := e.Record.Evidence.QueueID; strings.HasPrefix(id, "EVIL") {
				if seen++; before.Delivery != after.Delivery {
					t.Errorf("%s of %s comes in by\n%s", id, e.Record.Evidence.Client.Peer, s.Entry)
				}
			}
			return nil
		})
		if err != nil || seen != 120 {
			t.Errorf("%d of attackers, %v", seen, err)
		}
	}
	if text := alignd(t, "", "sources", "--config", file).stdout + alignd(t, "", "sources", "--counts", "--config", file).stdout; strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("a terminal is told to do something: %q", text)
	}
	b, err := newWebBackend(file, cfg)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.surveyHere(t.Context(), &web.SurveyAsk{Domain: "own.example", Source: "203.0.113.0/24", Since: time.Now().AddDate(0, 0, -30)}, func(time.Time, uint64, uint64) {})
	var page sourcesJSON
	if err := errors.Join(err, json.Unmarshal(raw, &page)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(page.Suggestions, told.Suggestions) || page.Sources[0].Infrastructure != "203.0.113.0/24" || page.Sources[0].NotSuggested == "" {
		t.Errorf("the page has %+v\n%+v", page.Suggestions, page.Sources[0])
	}
}

func TestSourcesReadsPostgreSQL(t *testing.T) {
	file := plantedVendor(t, `postgres, url: "`+pgtest.Start(t).URL("postgres")+`"`)
	for _, args := range [][]string{{"sources"}, {"sources", "own.example"}} {
		var out, errs bytes.Buffer
		if exit := run(append(args, "--config", file), strings.NewReader(""), &out, &errs); exit != 0 || !strings.Contains(out.String(), "# lets in: messages 24 since") {
			t.Errorf("%v: exit %d: %s%s", args, exit, out.String(), errs.String())
		}
	}
}

func TestWhomTheAdminTrustsIsADomain(t *testing.T) {
	var out, errs bytes.Buffer
	if exit := run([]string{"sources", "--trust", "a..b"}, strings.NewReader(""), &out, &errs); exit != exitUsage || !strings.Contains(errs.String(), "--trust") {
		t.Errorf("exit %d: %s", exit, errs.String())
	}
}
