package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alignd/config"
	"alignd/e2e/cases"
	"alignd/internal/logging"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
	"alignd/resolver"
	"alignd/verify"
)

// What was kept of each case and recipe comes to the same verdict under the text that
// was kept of its configuration, whatever became of local parts. Only what needs them is
// undecidable where they were dropped.
func TestPrivateRecordsOfAllCasesAreJudgedAgainAlike(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	compared, needed := 0, 0
	for _, m := range caseMessages(t) {
		cfg := configOf(t, m.of)
		r := m.judged(t, cfg)
		p := judge.NewPseudonyms(key, cfg.RecipientDelimiter)
		again, err := config.FromText(cfg.Text())
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		rules, err := again.RulesWith(p.Local)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		for _, hide := range []judge.Privacy{{}, {How: record.AddressesHashed, Pseudonyms: p}, {How: record.AddressesDropped}} {
			kept, err := record.Decode(record.Append(nil, hide.Record(r)))
			if err != nil {
				t.Fatal(err)
			}
			v, ok := replay.Again(kept, rules)
			if !ok {
				continue
			}
			compared++
			v = hide.Verdict(v)
			for _, f := range v.Undecidable {
				if f == policy.FactLocalParts {
					needed++
					ok = false
					if hide.How == record.AddressesHashed && !strings.Contains(fmt.Sprint(kept.Evidence.Recipients), "@[") {
						t.Errorf("%s: with pseudonyms local parts are missed", m.name)
					}
				}
			}
			if different := replay.Difference(&kept.Verdict, &v); ok && different != "" {
				t.Errorf("%s, %q: %s differs: judged\n%+v\nagain\n%+v", m.name, hide.How, different, kept.Verdict, v)
			}
		}
	}
	if compared < 300 || needed == 0 {
		t.Errorf("%d compared, %d need local parts", compared, needed)
	}
}

// docs/privacy.md: no subject, no body, no other field's text and no secret is on disk,
// be it in the spool, in the store, in the state or in an export.
func TestNothingOfTheContentIsKept(t *testing.T) {
	const subject, body, other, name, secret = "quaternion", "hippopotamus", "zeugma", "brouhaha", "correct horse battery staple"
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	file := filepath.Join(dir, "alignd.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "sampling_secret: %s\njournal: {path: %q}\n", secret, state), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	message := "From: \"" + name + "\" <a@example.com>\r\nSubject: " + subject + "\r\nX-Other: " + other + "\r\nIn-Reply-To: <" + other + "@example.com>\r\n" +
		"Message-ID: <17@example.com>\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\n\r\n" + body + "\r\n"
	m := caseMessage{name: "content", of: &cases.Case{}, env: verify.Envelope{MTA: "mx.here.test", Token: "token0", MailFrom: "a@example.com"},
		rcpts: []string{"bob@here.test"}, message: []byte(message)}
	zone, err := resolver.ParseZone(strings.NewReader("_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	s := settings(cfg)
	j := m.judgedBy(t, s, zone)
	r := &record.Record{Evidence: *j.Evidence, Verdict: j.Verdict, Basis: s.Basis, Outcome: record.Outcome{End: record.EndAnswered}}
	log, lines := logging.New(os.Stderr, logLevel(cfg), logging.Text)
	defer lines.Close()
	memory := mustRemember(t, cfg, log)
	memory.Sink(record.Sinks{}).Take(r)(true)
	memory.Close()

	_, export, _ := called("journal", "export", "--config", file)
	_, shown, _ := called("explain", "--config", file, "--json", "token0")
	if !strings.Contains(shown, "bob@here.test") {
		t.Fatalf("it was not kept: %s", shown)
	}
	for where, octets := range map[string][]byte{
		"the encoded record": record.Append(nil, r), "the files": filesBelow(t, state), "the export": encodedIn(t, export), "what is shown": []byte(shown),
		"the configuration that is kept": cfg.Text(),
	} {
		for _, word := range []string{subject, body, other, name, secret} {
			if bytes.Contains(bytes.ToLower(octets), []byte(word)) {
				t.Errorf("%s: %q is in it", where, word)
			}
		}
	}
}
