package filter

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"alignd/filter/milter"
	"alignd/judge"
	"alignd/policy"
)

// taker is a Notices that expects one address.
type taker struct {
	asked int
	took  []string // recipient and message
}

func (n *taker) Expects(recipient string) bool {
	n.asked++
	return recipient == "bounces+token@here.test"
}
func (n *taker) Take(recipient string, message []byte) {
	n.took = append(n.took, fmt.Sprintf("%s\n%s", recipient, message))
}

func TestNotices(t *testing.T) {
	const right = "bounces+token@here.test"
	end := func(s milter.Session, o milter.Outcome) {
		if o.End == milter.Answered {
			o.Reply = s.EndOfMessage(t.Context()).Reply
		}
		s.Done(o)
	}
	send := func(s milter.Session, from, author string, to []string, body string, o milter.Outcome) {
		s.Mail(milter.Mail{Address: from})
		for _, r := range to {
			s.Rcpt(milter.Rcpt{Address: r})
		}
		s.Header([]byte("From"), []byte(" "+author))
		s.Header([]byte("Subject"), []byte(" one\r\n two"))
		s.EndOfHeader()
		for chunk := range bytes.SplitSeq([]byte(body), []byte("|")) {
			s.Body(chunk)
		}
		end(s, o)
	}
	const header = "From: mailer-daemon@b.example\r\nSubject: one\r\n two\r\n\r\n"
	for _, row := range []struct {
		name string
		play func(milter.Session)
		want []string
	}{
		{name: "a notification", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{right}, "a|b\r\n", milter.Outcome{})
		}, want: []string{right + "\n" + header + "ab\r\n"}},
		{name: "refused, as somebody forged From", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@a.example", []string{right}, "", milter.Outcome{})
		}, want: []string{right + "\n" + strings.Replace(header, "b.example", "a.example", 1)}},
		{name: "mail with an envelope sender", play: func(s milter.Session) {
			send(s, "ann@b.example", "ann@b.example", []string{right}, "x", milter.Outcome{})
		}},
		{name: "another address", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{"bob@here.test"}, "x", milter.Outcome{})
		}},
		{name: "a second recipient", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{right, "bob@here.test"}, "x", milter.Outcome{})
		}},
		{name: "behind another recipient", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{"bob@here.test", right}, "x", milter.Outcome{})
		}},
		{name: "the same recipient twice", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{right, right}, "x", milter.Outcome{})
		}},
		{name: "given up by the MTA", play: func(s milter.Session) {
			s.Mail(milter.Mail{})
			s.Rcpt(milter.Rcpt{Address: right})
			s.Header([]byte("From"), []byte(" mailer-daemon@b.example"))
			s.EndOfHeader()
			s.Abort()
			s.Done(milter.Outcome{End: milter.Aborted, HeaderEnded: true})
		}},
		{name: "over a limit", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{right}, "x", milter.Outcome{End: milter.OverLimit, HeaderEnded: true})
		}},
		{name: "a second message of the session is another one", play: func(s milter.Session) {
			send(s, "", "mailer-daemon@b.example", []string{right}, "1", milter.Outcome{})
			send(s, "", "mailer-daemon@b.example", []string{"bob@here.test"}, "2", milter.Outcome{})
		}, want: []string{right + "\n" + header + "1"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &taker{}
			row.play(noticing(t, n))
			if strings.Join(n.took, "\n--\n") != strings.Join(row.want, "\n--\n") {
				t.Errorf("took %q, want %q", n.took, row.want)
			}
		})
	}
}

func noticing(t *testing.T, n Notices) milter.Session {
	t.Helper()
	f := New(testZone.zone(t), new(kept), &judge.Settings{
		Rules: policy.Defaults(), Strip: judge.StripOwn, TagName: "X-Alignd-Disposition", AuthservID: "mx.here.test",
	})
	f.Notify(n)
	s := f.Session(new(milter.Conn))
	s.Connect(milter.Connect{Addr: netip.MustParseAddr("192.0.2.99")})
	s.Helo("h.b.example")
	return s
}

// However long one is, no more than MaxNotice octets of it are held; of other mail none.
func TestOfALongNoticeLittleIsHeld(t *testing.T) {
	n := &taker{}
	s := noticing(t, n)
	chunk := bytes.Repeat([]byte("x"), 60_000)
	for _, to := range []string{"bounces+token@here.test", "bob@here.test"} {
		s.Mail(milter.Mail{})
		s.Rcpt(milter.Rcpt{Address: to})
		s.Header([]byte("From"), []byte(" mailer-daemon@b.example"))
		s.EndOfHeader()
		for range 170 {
			s.Body(chunk)
		}
		if kept := s.(*session).message.notice; kept != nil && len(kept.text) != MaxNotice || (kept == nil) != (to == "bob@here.test") {
			t.Errorf("%s: holds %v", to, kept != nil)
		}
		s.Done(milter.Outcome{Reply: s.EndOfMessage(t.Context()).Reply})
	}
	if len(n.took) != 1 || len(n.took[0]) != MaxNotice+len("bounces+token@here.test\n") {
		t.Errorf("took %d", len(n.took))
	}
}
