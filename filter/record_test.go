package filter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/resolver"
)

// kept is a record.Sink.
type kept struct{ records []*record.Record }

func (k *kept) Take(r *record.Record) func(bool) {
	k.records = append(k.records, r)
	return nil
}

// zoneText is a zone file.
type zoneText string

func (z zoneText) zone(t *testing.T) resolver.Lookuper {
	t.Helper()
	zone, err := resolver.ParseZone(strings.NewReader(string(z)), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

const testZone zoneText = "a.example 60 TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.a.example 60 TXT \"v=DMARC1; p=reject\"\n"

// a session with what it hands on.
func newSession(t *testing.T, client string) (milter.Session, *kept) {
	t.Helper()
	k := new(kept)
	f := New(testZone.zone(t), k, &judge.Settings{
		Rules: policy.Defaults(), Strip: judge.StripOwn, TagName: "X-Alignd-Disposition", AuthservID: "mx.here.test",
		Basis: record.Basis{Program: "alignd test", Config: [32]byte{1}},
	})
	s := f.Session(new(milter.Conn))
	s.Connect(milter.Connect{Addr: netip.MustParseAddr(client), Port: 4711})
	s.Helo("h.a.example")
	return s, k
}

func sendHeader(s milter.Session) {
	s.Header([]byte("From"), []byte(" ann@a.example"))
	s.Header([]byte("Message-ID"), []byte(" <1@a.example>"))
	s.Header([]byte("Authentication-Results"), []byte(" mx.here.test; dmarc=pass"))
	s.EndOfHeader()
}

func TestEachMessageLeavesOneRecord(t *testing.T) {
	refused := milter.Text(550, "5.7.1", "No")
	begin := func(s milter.Session) {
		s.Mail(milter.Mail{Address: "ann@a.example", Args: []string{"SMTPUTF8"}})
		s.Rcpt(milter.Rcpt{Address: "bob@Here.Test"})
	}
	for _, test := range []struct {
		name   string
		client string
		play   func(milter.Session)
		want   record.End
		none   bool
		check  func(*record.Record) bool
	}{
		{name: "judged and let through", client: "192.0.2.1", want: record.EndAnswered, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.Body([]byte("Hello\r\n"))
			s.Done(milter.Outcome{Reply: s.EndOfMessage(t.Context()).Reply})
		}, check: func(r *record.Record) bool {
			ev := &r.Evidence
			return r.Outcome.Delivered && r.Outcome.Deleted == 1 && r.Outcome.AuthservID == "mx.here.test" && r.Verdict.Delivery == policy.Deliver &&
				ev.DMARC[0].Result == evidence.Pass && ev.MessageID == "<1@a.example>" && ev.Client.Port == 4711 && ev.MailArgs[0] == "SMTPUTF8" &&
				ev.Recipients[0].Address == "bob@here.test" && ev.Has(evidence.SectionDKIM|evidence.SectionFrom|evidence.SectionTraces) && ev.Key != [32]byte{}
		}},
		{name: "refused", client: "192.0.2.9", want: record.EndAnswered, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.Done(milter.Outcome{Reply: s.EndOfMessage(t.Context()).Reply})
		}, check: func(r *record.Record) bool {
			return !r.Outcome.Delivered && r.Outcome.Reply.Code == 550 && r.Outcome.Reply == r.Verdict.Reply && r.Outcome.Deleted == 0
		}},
		{name: "edits not granted", client: "192.0.2.1", want: record.EndEdits, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.EndOfMessage(t.Context())
			s.Done(milter.Outcome{End: milter.Unsendable, Reply: refused, Problem: "edit"})
		}, check: func(r *record.Record) bool {
			return r.Verdict.Delivery == policy.Deliver && !r.Outcome.Delivered && r.Outcome.Problem == "edit" && r.Outcome.Reply.Code == 550
		}},
		{name: "over a limit", client: "192.0.2.1", want: record.EndLimit, play: func(s milter.Session) {
			begin(s)
			s.Abort()
			s.Done(milter.Outcome{End: milter.OverLimit, Reply: refused, Problem: "header fields, limit 1"})
		}, check: func(r *record.Record) bool {
			return r.Verdict.Step == policy.StepLimit && r.Evidence.MailFromDomain == "a.example" && len(r.Evidence.Recipients) == 1 &&
				!r.Evidence.Has(evidence.SectionDKIM) && r.Outcome.Problem == "header fields, limit 1"
		}},
		{name: "a panic", client: "192.0.2.1", want: record.EndPanic, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.Done(milter.Outcome{End: milter.Failed, Reply: refused, Problem: "panic in body"})
		}, check: func(r *record.Record) bool {
			return r.Verdict.Step == policy.StepInternal && r.Evidence.MailFromDomain == "a.example"
		}},
		{name: "a panic in MAIL", client: "192.0.2.1", want: record.EndPanic, play: func(s milter.Session) {
			s.Done(milter.Outcome{End: milter.Failed, Reply: refused, Problem: "panic in mail"})
		}, check: func(r *record.Record) bool { return r.Evidence.Client.Port == 4711 && r.Evidence.Schema != 0 }},
		{name: "given up before the end of its header", client: "192.0.2.1", none: true, play: func(s milter.Session) {
			begin(s)
			s.Header([]byte("From"), []byte(" ann@a.example"))
			s.Abort()
			s.Done(milter.Outcome{End: milter.Aborted})
		}},
		{name: "given up within its body", client: "192.0.2.1", want: record.EndAborted, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.Abort()
			s.Done(milter.Outcome{End: milter.Aborted, Problem: "RSET", HeaderEnded: true})
		}, check: func(r *record.Record) bool {
			return !r.Outcome.Delivered && r.Verdict.Delivery == "" && r.Evidence.From.Domains[0] == "a.example" && r.Outcome.Reply == policy.Reply{}
		}},
		{name: "given up after a panic", client: "192.0.2.1", want: record.EndAborted, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.Done(milter.Outcome{End: milter.Aborted, Problem: "RSET, after a panic in body", HeaderEnded: true})
		}, check: func(r *record.Record) bool {
			return r.Evidence.MailFromDomain == "a.example" && !r.Evidence.Has(evidence.SectionFrom) && r.Verdict.Delivery == ""
		}},
		{name: "not judged", client: "127.0.0.1", want: record.EndAnswered, play: func(s milter.Session) {
			begin(s)
			sendHeader(s)
			s.Body([]byte("Hello\r\n"))
			s.Done(milter.Outcome{Reply: s.EndOfMessage(t.Context()).Reply})
		}, check: func(r *record.Record) bool {
			size := len("From: ann@a.example\r\nMessage-ID: <1@a.example>\r\nAuthentication-Results: mx.here.test; dmarc=pass\r\n\r\nHello\r\n")
			return r.Verdict.NotJudged && r.Evidence.Size == int64(size) && r.Evidence.MailFromDomain == "a.example" &&
				r.Evidence.Has(evidence.SectionFrom) && !r.Evidence.Has(evidence.SectionDKIM) && r.Outcome.Deleted == 0 && r.Evidence.Key == [32]byte{}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, k := newSession(t, test.client)
			test.play(s)
			if test.none {
				if len(k.records) != 0 {
					t.Errorf("a record: %+v", k.records[0])
				}
				return
			}
			if len(k.records) != 1 {
				t.Fatalf("%d records", len(k.records))
			}
			r := k.records[0]
			if r.Outcome.End != test.want || !test.check(r) || r.Basis.Program != "alignd test" {
				t.Errorf("got %+v\n%+v\n%+v", r.Outcome, r.Verdict, r.Evidence)
			}
			if r.Evidence.Token == "" {
				t.Error("no token")
			}
		})
	}
}

// What the MTA is told of a message without a verdict has the token of its record,
// and is by the rules in force at MAIL, also across a reload.
func TestRepliesWithoutAVerdictHaveTheToken(t *testing.T) {
	for _, test := range []struct {
		name   string
		end    milter.End
		noMail bool
	}{
		{name: "over a limit", end: milter.OverLimit},
		{name: "a panic", end: milter.Failed},
		{name: "a panic in MAIL", end: milter.Failed, noMail: true},
		{name: "edits not granted", end: milter.Unsendable},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, k := newSession(t, "192.0.2.1")
			f := s.(*session).filter
			f.SetSettings(withReplies(t, f.settings.Load(), "old {token}"))
			if !test.noMail {
				s.Mail(milter.Mail{Address: "ann@a.example"})
				f.SetSettings(withReplies(t, f.settings.Load(), "new {token}"))
			}
			reply := s.(milter.Replier).Reply(test.end)
			s.Done(milter.Outcome{End: test.end, Reply: reply})
			r := k.records[0]
			if _, _, text, _ := reply.Parts(); len(r.Evidence.Token) != 16 || text != "old "+r.Evidence.Token || r.Outcome.Reply.Text != text {
				t.Errorf("token %q, reply %v, record %v", r.Evidence.Token, reply, r.Outcome.Reply)
			}
			if test.end != milter.Unsendable && r.Verdict.Reply != r.Outcome.Reply {
				t.Errorf("verdict %v, told %v", r.Verdict.Reply, r.Outcome.Reply)
			}
		})
	}
}

// withReplies is s with this text where there is no verdict.
func withReplies(t *testing.T, s *judge.Settings, text string) *judge.Settings {
	t.Helper()
	var spec policy.Spec
	spec.Replies.Limit.Text, spec.Replies.Internal.Text = text, text
	rules, err := policy.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &judge.Settings{Rules: rules, Basis: s.Basis}
}

func TestTheTimeOfTheSenderIsNotOurs(t *testing.T) {
	s, k := newSession(t, "192.0.2.1")
	s.Mail(milter.Mail{Address: "ann@a.example"})
	sendHeader(s)
	time.Sleep(20 * time.Millisecond)
	ended := time.Now()
	s.Done(milter.Outcome{Reply: s.EndOfMessage(t.Context()).Reply})
	ours := time.Since(ended)
	if o := k.records[0].Outcome; o.Receiving < 20*time.Millisecond || o.Checking <= 0 || o.Checking > ours {
		t.Errorf("receiving %s, checking %s of at most %s", o.Receiving, o.Checking, ours)
	}
}

func TestTokensAreUniqueAndPlain(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		token := newToken()
		if len(token) != 16 || seen[token] || strings.Trim(token, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
}

// A verdict that was not reached never lets a message through.
func TestTheZeroVerdictIsAFailure(t *testing.T) {
	r := respond(&judge.Judgement{Evidence: new(evidence.Message)}, new(judge.Settings))
	if r.Reply.Delivers() || milter.CheckReply(r.Reply) == nil || fmt.Sprint(r.Reply) != "none" {
		t.Errorf("got %v", r.Reply)
	}
}
