package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"alignd/config"
	"alignd/e2e/cases"
	"alignd/evidence"
	"alignd/header"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/resolver"
	"alignd/verify"
)

// What was kept of a message is enough to judge it again: each case, decided anew
// from its decoded record under the rules that judged, has the very same verdict.
func TestRecordsOfAllCasesAreJudgedAgainAlike(t *testing.T) {
	all, err := cases.Load("../../testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	messages := 0
	for _, c := range all {
		env := verify.Envelope{MTA: "mx.here.test", Token: "0123456789abcdef"}
		var rcpts []string
		for _, step := range c.Steps {
			switch step.Verb {
			case "connect":
				env.Client = evidence.Client{Peer: step.Addr, PeerName: step.Name}
				env.AuthUser = step.User
				if !step.Addr.IsValid() {
					env.Client.Peer = netip.MustParseAddr("127.0.0.1")
				}
			case "helo", "ehlo":
				env.Client.HELO = step.Text
			case "mail":
				env.MailFrom, rcpts = step.Address(), nil
			case "rcpt":
				rcpts = append(rcpts, step.Address())
			case "data":
				messages++
				t.Run(fmt.Sprintf("%s/%d", c.Name, step.Message), func(t *testing.T) {
					message, err := c.Message(step)
					if err != nil {
						t.Fatal(err)
					}
					judgeAgain(t, c, env, rcpts, message)
				})
			}
		}
	}
	if messages < len(all) {
		t.Errorf("%d messages of %d cases", messages, len(all))
	}
}

func judgeAgain(t *testing.T, c *cases.Case, env verify.Envelope, rcpts []string, message []byte) {
	j, s := judgedCase(t, c, env, rcpts, message)
	if j.Verdict.Step == policy.StepLimit { // decided before the rules
		return
	}
	r := &record.Record{Evidence: *j.Evidence, Verdict: j.Verdict, Basis: s.Basis}
	kept, err := record.Decode(record.Append(nil, r))
	if err != nil {
		t.Fatal(err)
	}
	again := *kept
	again.Verdict = policy.Decide(&kept.Evidence, s.Rules)
	if !record.Equal(&again, kept) || !record.Equal(kept, record.Kept(r)) {
		t.Errorf("judged\n%+v\nagain\n%+v", j.Verdict, again.Verdict)
	}
}

func judgedCase(t *testing.T, c *cases.Case, env verify.Envelope, rcpts []string, message []byte) (*judge.Judgement, *judge.Settings) {
	t.Helper()
	file := c.Config
	if file == "" {
		file = os.DevNull
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.Open(c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	zone, err := resolver.ParseZone(text, c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	s := settings(cfg)
	opt := s.Verify
	opt.Now = func() time.Time { return time.Unix(1790000000, 0) }
	ev := env.Evidence(opt.Now())
	env.Unchecked = !opt.Relays.Trusts(ev.Client.Peer) && s.Rules.NotJudged(&ev)
	m := verify.Begin(t.Context(), zone, &opt, env)
	defer m.Release()
	for _, r := range rcpts {
		m.Recipient(r)
	}
	fields, body, err := header.Read(bufio.NewReader(bytes.NewReader(message)), header.Limits{Fields: header.DefaultMaxFields, Bytes: header.DefaultMaxBytes})
	if err != nil {
		t.Fatal(err)
	}
	for i := range fields.Len() {
		m.Header(fields.At(i).Name(), fields.At(i).Value())
	}
	m.EndOfHeader()
	var content bytes.Buffer
	if _, err := content.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	m.Body(content.Bytes())
	j := s.Judge(m.Finish(t.Context()), m, s.MarksOf(env.MTA, m.Fields()), judge.NewWaits())
	return &j, s
}
