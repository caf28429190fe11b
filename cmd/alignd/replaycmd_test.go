package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

// past are records of four messages of an hour ago: two of bank.example that fail
// p=reject, one that passes, one of shop.example that fails p=none.
func past(t *testing.T, cfg *config.Config) (list []*record.Record) {
	t.Helper()
	opt := verifyOptions(cfg)
	for i, m := range []struct {
		domain string
		result evidence.Result
		p      evidence.DMARCPolicy
		client string
	}{
		{domain: "bank.example", result: evidence.Fail, p: evidence.PolicyReject, client: "192.0.2.1"},
		{domain: "bank.example", result: evidence.Fail, p: evidence.PolicyReject, client: "198.51.100.9"},
		{domain: "bank.example", result: evidence.Pass, p: evidence.PolicyReject, client: "192.0.2.1"},
		{domain: "shop.example", result: evidence.Fail, p: evidence.PolicyNone, client: "203.0.113.5"},
	} {
		ev := evidence.Message{
			Schema: evidence.SchemaVersion, Time: time.Now().Add(-time.Hour + time.Duration(i)*time.Minute), QueueID: fmt.Sprintf("4ZQ%d", i),
			Token: fmt.Sprintf("token%d", i), MessageID: fmt.Sprintf("<m%d@%s>", i, m.domain), MTA: "mx.here.test", Sample: 50,
			Looked: evidence.SectionFrom | evidence.SectionTraces | evidence.SectionReceived | evidence.SectionDKIM | evidence.SectionDMARC,
			Client: evidence.Client{Peer: netip.MustParseAddr(m.client), HELO: "mail.example.net"}, MailFrom: "a@" + m.domain, MailFromDomain: m.domain,
			Recipients: []evidence.Recipient{{Address: "bob@here.test"}}, From: evidence.From{Fields: 1, Domains: []string{m.domain}},
			SPF: evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: m.domain, Result: m.result}},
			ARC: evidence.ARC{Result: evidence.None},
			DMARC: []evidence.DMARC{{AuthorDomain: m.domain, PolicyDomain: m.domain, Result: m.result, Policy: m.p, PolicyTag: "p",
				Published: evidence.DMARCRecord{P: m.p, Pct: 100}, SPFAligned: m.result == evidence.Pass}},
		}
		list = append(list, &record.Record{Evidence: ev, Verdict: policy.Decide(&ev, cfg.Rules), Outcome: record.Outcome{End: record.EndAnswered},
			Basis: record.Basis{Program: "alignd", Config: cfg.Hash(), Options: basisOptions(cfg, &opt)}})
	}
	return list
}

// withPast is a configuration whose journal has these messages, and an export of them.
func withPast(t *testing.T) (file, export string) {
	t.Helper()
	m := openJournal(t, "journal: {path: DIR}\n")
	file, export = m.file, filepath.Join(filepath.Dir(m.dir), "export")
	var out bytes.Buffer
	w, err := journal.NewExportWriter(&out, journal.ExportHeader{Addresses: "keep"})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range past(t, m.cfg) {
		m.sink.Take(r)(true)
		if err := w.Add(&journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1)}, Encoded: record.Append(nil, r)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(export, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	m.close()
	return file, export
}

const (
	letsVendorIn = "exceptions:\n- {id: vendor, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}\n"
	blocksVendor = "exceptions:\n- {id: wave, kind: block, action: reject, proof: {clients: [192.0.2.0/24]}, never_expires: true}\n"
	wantsName    = "exceptions:\n- {id: named, action: accept, proof: {ptr: [mail.example.net]}, never_expires: true}\n"
)

func TestReplay(t *testing.T) {
	file, export := withPast(t)
	same, vendor, wave, named := write(t, "same.yaml", "mode: enforce\n"), write(t, "vendor.yaml", letsVendorIn), write(t, "wave.yaml", blocksVendor), write(t, "named.yaml", wantsName)
	store, input := []string{"--journal", file}, []string{"--input", export}
	for _, row := range []struct {
		name string
		args []string
		exit int
		has  []string
		not  []string
	}{
		{name: "the same in effect", args: []string{"--config", same}, has: []string{"4 messages judged again", "unchanged  4"}, not: []string{"->"}},
		{name: "an entry that lets in", args: []string{"--config", vendor, "--by", "domain"},
			has: []string{"would let in  1", "that fail DMARC 1", "refuse -> deliver: 1", "token0", "published policy -> vendor", "by domain", "bank.example"}, not: []string{"token1"}},
		{name: "an entry that refuses what passes", args: []string{"--config", wave, "--fail-if", "would_refuse_passing>0"}, exit: 2,
			has: []string{"would refuse  1", "that pass DMARC 1", "token2", "bound would_refuse_passing>0: 1, EXCEEDED", "outside of the bounds"}},
		{name: "a bound that holds", args: []string{"--config", wave, "--fail-if", "would_refuse>25%", "--fail-if", "would_let_in>0"}, has: []string{"within"}},
		{name: "a fact that was not looked up", args: []string{"--config", named}, has: []string{"cannot tell  2", "not looked up: iprev: 2"}},
		{name: "by rule", args: []string{"--config", wave, "--by", "rule"}, has: []string{"published policy -> wave"}},
		{name: "by client", args: []string{"--config", wave, "--by", "client"}, has: []string{"192.0.2.0/24"}},
		{name: "a time without messages", args: []string{"--config", wave, "--since", "10m"}, has: []string{"0 messages judged again"}},
		{name: "no samples", args: []string{"--config", wave, "--samples", "0"}, has: []string{"would refuse  1"}, not: []string{"token"}},
		{name: "one message", args: []string{"--config", vendor, "--explain", "token0"}, has: []string{"refuse", "deliver", "<- differs", "vendor", "would let in", "Exception vendor", "asks for reject"}},
		{name: "one message by its queue id", args: []string{"--config", vendor, "--explain", "4ZQ2"}, has: []string{"token2", "unchanged"}},
		{name: "one message that cannot be told of", args: []string{"--config", named, "--explain", "m0@bank.example"}, has: []string{"cannot tell", "not looked up: iprev"}},
		{name: "one message as JSON", args: []string{"--config", vendor, "--explain", "token0", "--json"}, has: []string{`"kind":"would_let_in"`, `"before":{`, `"rule":"vendor"`}},
		{name: "a message that is not there", args: []string{"--config", vendor, "--explain", "nobody"}, exit: 1, has: []string{`"nobody"`}},
		{name: "a slip in a bound is no bound that is exceeded", args: []string{"--config", wave, "--fail-if", "would_refse>0"}, exit: 1, has: []string{"there is no counter"}},
		{name: "a flag that is none", args: []string{"--confg", wave}, exit: 1, has: []string{"did you mean --config"}},
		{name: "an argument", args: []string{wave}, exit: 1, has: []string{"takes no argument"}},
		{name: "a dimension that is none", args: []string{"--config", wave, "--by", "day"}, exit: 1, has: []string{"none of domain, client, rule"}},
		{name: "a time that is none", args: []string{"--config", wave, "--at", "tomorrow"}, exit: 1, has: []string{"neither then nor now"}},
		{name: "a configuration with a fault", args: []string{"--config", write(t, "bad.yaml", "mode: on\n")}, exit: 1, has: []string{"bad.yaml:1"}},
		{name: "against itself", args: []string{"--config", wave, "--against", wave}, has: []string{"unchanged  4"}, not: []string{"->"}},
		{name: "against another one", args: []string{"--config", vendor, "--against", wave, "--by", "rule"}, has: []string{"would let in  2", "wave ->"}},
		{name: "against one with a fault", args: []string{"--config", wave, "--against", write(t, "bad.yaml", "mode: on\n")}, exit: 1, has: []string{"--against: ", "bad.yaml:1"}},
		{name: "against another one, of one message", args: []string{"--config", wave, "--against", same, "--explain", "token0"}, exit: 1, has: []string{"--against is not for it"}},
		{name: "a bound beside one message", args: []string{"--config", wave, "--explain", "token0", "--fail-if", "changed>0"}, exit: 1, has: []string{"give one of them"}},
	} {
		for _, from := range [][]string{store, input} {
			t.Run(row.name+" "+from[0], func(t *testing.T) {
				got := alignd(t, "", append(append([]string{"replay"}, row.args...), from...)...)
				text := strings.Join(strings.Fields(got.stdout+" "+got.stderr), " ")
				if got.status != row.exit {
					t.Errorf("exit %d, want %d: %s", got.status, row.exit, text)
				}
				for _, want := range row.has {
					if !strings.Contains(text, strings.Join(strings.Fields(want), " ")) {
						t.Errorf("%q is missing in\n%s", want, got.stdout+got.stderr)
					}
				}
				for _, bad := range row.not {
					if strings.Contains(text, bad) {
						t.Errorf("%q stands in\n%s", bad, got.stdout)
					}
				}
			})
		}
	}
}

func TestReplayPrintsOneObject(t *testing.T) {
	file, export := withPast(t)
	wave := write(t, "wave.yaml", blocksVendor)
	got := alignd(t, "", "replay", "--config", wave, "--json", "--by", "domain", "--fail-if", "would_refuse>50%", "--journal", file)
	if again := alignd(t, readFile(t, export), "replay", "--config", wave, "--json", "--by", "domain", "--fail-if", "would_refuse>50%", "--input", "-"); again != got {
		t.Errorf("from an export: %+v\nfrom the journal: %+v", again, got)
	}
	var object struct {
		Config   string
		Counters map[string]int
		Flips    []struct {
			From, To string
			Count    int
			Samples  []struct{ Token, Rule, Domain string }
		}
		By     string
		Groups []struct {
			Value       string
			WouldRefuse int `json:"would_refuse"`
		}
		Bounds []struct {
			Bound    string
			Value    float64
			Exceeded bool
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &object); err != nil || got.status != 0 || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	if len(object.Config) != 64 || object.Counters["total"] != 4 || object.Counters["would_refuse_passing"] != 1 ||
		len(object.Flips) != 1 || object.Flips[0].To != "refuse" || object.Flips[0].Samples[0].Token != "token2" ||
		len(object.Groups) != 1 || object.Groups[0].Value != "bank.example" || len(object.Bounds) != 1 || object.Bounds[0].Value != 25 {
		t.Errorf("%+v", object)
	}
}

// What cannot be read is an error, whatever the rest says: a check that saw a part of the
// mail is none.
func TestReplayOfAPartIsAnError(t *testing.T) {
	_, export := withPast(t)
	text := readFile(t, export)
	same := write(t, "same.yaml", "mode: enforce\n")
	for _, row := range []struct{ name, input, want string }{
		{name: "an export that was cut", input: text[:len(text)-5], want: "damaged or ends too early"},
		{name: "an octet that changed", input: text[:len(text)-40] + "x" + text[len(text)-39:], want: "damaged"},
		{name: "something else", input: "hello", want: "no export of a journal"},
		{name: "nothing", input: "", want: "no export of a journal"},
	} {
		if got := alignd(t, row.input, "replay", "--config", same, "--input", "-"); got.status != 1 || !strings.Contains(got.stderr, row.want) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}
