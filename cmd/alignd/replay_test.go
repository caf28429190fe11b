package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"alignd/config"
	"alignd/e2e/cases"
	"alignd/evidence"
	"alignd/header"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
	"alignd/resolver"
	"alignd/verify"
)

// caseMessage is a message of a case or recipe, and how it comes.
type caseMessage struct {
	name    string
	of      *cases.Case
	env     verify.Envelope
	rcpts   []string
	message []byte
}

// caseMessages are those of all cases and recipes.
func caseMessages(t *testing.T) (list []caseMessage) {
	t.Helper()
	for _, root := range []string{"../../testdata/cases", "../../testdata/recipes"} {
		all, err := cases.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		before := len(list)
		for _, c := range all {
			list = append(list, messagesOf(t, c)...)
		}
		if got := len(list) - before; got < len(all) {
			t.Errorf("%d messages of %d cases of %s", got, len(all), root)
		}
	}
	return list
}

func messagesOf(t *testing.T, c *cases.Case) (list []caseMessage) {
	t.Helper()
	m := caseMessage{of: c, env: verify.Envelope{MTA: "mx.here.test", Token: "0123456789abcdef"}}
	for _, step := range c.Steps {
		switch step.Verb {
		case "connect":
			m.env.Client = evidence.Client{Peer: step.Addr, PeerName: step.Name}
			m.env.AuthUser = step.User
			if !step.Addr.IsValid() {
				m.env.Client.Peer = netip.MustParseAddr("127.0.0.1")
			}
		case "helo", "ehlo":
			m.env.Client.HELO = step.Text
		case "mail":
			m.env.MailFrom, m.rcpts = step.Address(), nil
		case "rcpt":
			m.rcpts = append(m.rcpts, step.Address())
		case "data":
			var err error
			if m.message, err = c.Message(step); err != nil {
				t.Fatal(err)
			}
			m.name = fmt.Sprintf("%s/%d", c.Name, step.Message)
			one := m
			one.rcpts = slices.Clone(m.rcpts)
			list = append(list, one)
		}
	}
	return list
}

// configOf is the configuration of a case.
func configOf(t *testing.T, c *cases.Case) *config.Config {
	t.Helper()
	file := c.Config
	if file == "" {
		file = os.DevNull
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg.SamplingSecret = "the same for all"
	return cfg
}

// judged is the record of the message under a configuration, as it is kept and read back.
func (m *caseMessage) judged(t *testing.T, cfg *config.Config) *record.Record {
	t.Helper()
	text, err := os.Open(m.of.Zone)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	zone, err := resolver.ParseZone(text, m.of.Zone)
	if err != nil {
		t.Fatal(err)
	}
	s := settings(cfg)
	j := m.judgedBy(t, s, zone)
	r := &record.Record{Evidence: *j.Evidence, Verdict: j.Verdict, Basis: s.Basis, Outcome: record.Outcome{End: record.EndAnswered}}
	kept, err := record.Decode(record.Append(nil, r))
	if err != nil {
		t.Fatal(err)
	}
	if !record.Equal(kept, record.Kept(r)) {
		t.Errorf("%s: kept as\n%+v\nread back\n%+v", m.name, record.Kept(r), kept)
	}
	return kept
}

func (m *caseMessage) judgedBy(t *testing.T, s *judge.Settings, zone resolver.Lookuper) judge.Judgement {
	t.Helper()
	opt, env := s.Verify, m.env
	opt.Now = func() time.Time { return time.Unix(1790000000, 0) }
	ev := env.Evidence(opt.Now())
	env.Unchecked = !opt.Relays.Trusts(ev.Client.Peer) && s.Rules.NotJudged(&ev)
	v := verify.Begin(t.Context(), zone, &opt, env)
	defer v.Release()
	for _, r := range m.rcpts {
		v.Recipient(r)
	}
	fields, body, err := header.Read(bufio.NewReader(bytes.NewReader(m.message)), header.Limits{Fields: header.DefaultMaxFields, Bytes: header.DefaultMaxBytes})
	if err != nil {
		t.Fatal(err)
	}
	for i := range fields.Len() {
		v.Header(fields.At(i).Name(), fields.At(i).Value())
	}
	v.EndOfHeader()
	var content bytes.Buffer
	if _, err := content.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	v.Body(content.Bytes())
	return s.Judge(v.Finish(t.Context()), v, s.MarksOf(env.MTA, v.Fields()), judge.NewWaits())
}

// What was kept of a message is enough to judge it again: each case and recipe, decided
// anew from its decoded record under the rules that judged, has the very same verdict,
// and a replay finds no difference.
func TestRecordsOfAllCasesAreJudgedAgainAlike(t *testing.T) {
	compared := 0
	for _, m := range caseMessages(t) {
		cfg := configOf(t, m.of)
		r, o := m.judged(t, cfg), replayOptions(cfg)
		different, ok := replay.Same(r, cfg.Rules)
		if different != "" {
			again, _ := replay.Again(r, cfg.Rules)
			t.Errorf("%s: %s differs: judged\n%+v\nagain\n%+v", m.name, different, r.Verdict, again)
		}
		if ok {
			compared++
		}
		for _, now := range []time.Time{{}, r.Evidence.Time} {
			o.Now = now
			if j := o.Judge(r); j.Kind != replay.Unchanged || len(j.Causes) > 0 {
				t.Errorf("%s: a replay says %+v", m.name, j)
			}
		}
	}
	if compared < 150 {
		t.Errorf("only %d messages were compared", compared)
	}
}

// A replay foretells what the daemon would do: each message, judged by one configuration
// and replayed under another, comes to what that one makes of it with all of DNS at hand,
// or it is said that it cannot be told.
func TestReplayForetellsWhatAnotherConfigurationDoes(t *testing.T) {
	messages := caseMessages(t)
	var configs []*config.Config
	var names []string
	for _, m := range messages {
		if !slices.Contains(names, m.of.Config) {
			names = append(names, m.of.Config)
			configs = append(configs, configOf(t, m.of))
		}
	}
	told, unknown, changed := 0, 0, 0
	for i, m := range messages {
		was := m.judged(t, configOf(t, m.of))
		for k := i % stride; k < len(configs); k += stride {
			o := replayOptions(configs[k])
			j := o.Judge(was)
			if j.Kind == replay.CannotTell {
				unknown++
				continue
			}
			told++
			is := m.judged(t, configs[k])
			if was.Verdict.Step == policy.StepLimit || is.Verdict.Step == policy.StepLimit {
				continue // limits are not replayed
			}
			if j.Changed() {
				changed++
			}
			if j.To != is.Verdict.Delivery {
				t.Errorf("%s under %s: the replay says %s (%s), the daemon %s (%s)", m.name, names[k], j.To, j.Verdict.Reason, is.Verdict.Delivery, is.Verdict.Reason)
			}
		}
	}
	t.Logf("%d told, %d of these changed; %d cannot be told", told, changed, unknown)
	if told < 500 || changed < 100 || unknown == 0 {
		t.Errorf("%d told, %d of these changed; %d cannot be told", told, changed, unknown)
	}
}

// stride is how many configurations are passed over for each message; all pairs take a
// minute.
const stride = 11
