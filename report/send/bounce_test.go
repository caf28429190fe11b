package send

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/journal/state"
)

// notification is what an MTA sends back.
func notification(to, action, status string) string {
	return fmt.Sprintf(`From: MAILER-DAEMON@relay.here.test
To: %s
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

sorry
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.here.test

Final-Recipient: rfc822; r@here.test
Action: %s
Status: %s
Diagnostic-Code: smtp; 550 no such user

--b--
`, to, action, status)
}

func TestBounces(t *testing.T) {
	tooSlowUnderRace(t)
	for _, test := range []struct {
		name       string
		message    func(right string) string
		recipients func(right string) []string
		permanent  bool
		none       bool
		state      string
	}{
		{name: "a report that failed later", message: func(to string) string { return notification(to, "failed", "5.1.1") }, permanent: true, state: "bounced"},
		{name: "the MTA says to whom it came", message: func(string) string { return notification("<somebody@here.test>", "failed", "5.1.1") },
			recipients: func(to string) []string { return []string{to} }, permanent: true, state: "bounced"},
		{name: "a delay is nothing", message: func(to string) string { return notification(to, "delayed", "4.4.1") }, state: "sent"},
		{name: "a delivery is told", message: func(to string) string { return notification(to, "delivered", "2.0.0") }, state: "sent"},
		{name: "one of several that the address became has it", message: func(to string) string {
			return strings.Replace(notification(to, "failed", "5.1.1"), "--b--", "Final-Recipient: rfc822; s@here.test\nAction: relayed\nStatus: 2.0.0\n\n--b--", 1)
		}, state: "sent"},
		{name: "a word that is none", message: func(to string) string { return notification(to, "exploded", "5.1.1") }, none: true, state: "sent"},
		{name: "text that looks like one", message: func(to string) string {
			return strings.Replace(notification(to, "failed", "5.1.1"), "message/delivery-status", "text/plain", 1)
		}, none: true, state: "sent"},
		{name: "mail with an envelope sender", message: func(to string) string { return "Return-Path: <ann@b.example>\n" + notification(to, "failed", "5.1.1") }, none: true, state: "sent"},
		{name: "a Maildir's word for the null reverse-path", message: func(to string) string { return "Return-Path: <>\n" + notification(to, "failed", "5.1.1") }, permanent: true, state: "bounced"},
		{name: "another one", message: func(to string) string { return "Return-Path: <MAILER-DAEMON>\n" + notification(to, "failed", "5.1.1") }, permanent: true, state: "bounced"},
		{name: "the envelope says that it came to somebody else", message: func(to string) string { return notification(to, "failed", "5.1.1") },
			recipients: func(string) []string { return []string{"bob@here.test"} }, none: true, state: "sent"},
		{name: "10 MB, of which the beginning is enough", message: func(to string) string {
			return notification(to, "failed", "5.1.1") + strings.Repeat("x", 10<<20)
		}, permanent: true, state: "bounced"},
		{name: "10 MB before what it says", message: func(to string) string {
			return strings.Replace(notification(to, "failed", "5.1.1"), "sorry", strings.Repeat("sorry\n", 2<<20), 1)
		}, none: true, state: "sent"},
		{name: "a token that was guessed", message: func(string) string {
			return notification("dmarc-bounces+000000000000000000000000@here.test", "failed", "5.1.1")
		}, none: true, state: "sent"},
		{name: "another address", message: func(string) string { return notification("dmarc@here.test", "failed", "5.1.1") }, none: true, state: "sent"},
		{name: "a mail that is no notification", message: func(to string) string { return "To: " + to + "\n\nhello\n" }, none: true, state: "sent"},
		{name: "nothing", message: func(string) string { return "" }, none: true, state: "sent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.open(func(s *Settings) { s.Bounces, s.Delimiter, s.Key = "dmarc-bounces@here.test", "+", []byte("key") })
			w.mail("here.test", false, "mailto:r@here.test")
			w.until(day.Add(32 * time.Hour))
			items, err := w.state.Items(context.Background())
			if err != nil || len(items) != 1 {
				t.Fatal(items, err)
			}
			right := w.sender.envelopeFrom(&items[0])
			if w.relay.from != right || !strings.HasPrefix(right, "dmarc-bounces+") {
				t.Errorf("it left from %q, want %q", w.relay.from, right)
			}
			var to []string
			if test.recipients != nil {
				to = test.recipients(right)
			}
			b, err := w.sender.Bounce(context.Background(), strings.NewReader(test.message(right)), to)
			if errors.Is(err, ErrNoBounce) != test.none || !test.none && (err != nil || b.Target != "r@here.test" || b.Permanent != test.permanent) {
				t.Errorf("%+v, %v", b, err)
			}
			w.states("r@here.test " + test.state)
			list, err := w.state.Suppressions(context.Background())
			if err != nil || (len(list) == 1) != test.permanent {
				t.Errorf("suppressed: %v, %v", list, err)
			}
		})
	}
}

// A further copy changes nothing; the next report that comes back, once the address gets
// reports again, doubles the time.
// What relays and notifications say is kept as a few words that a database takes: who gets
// reports may write a megabyte, in Latin-1.
func TestReasonsAreShort(t *testing.T) {
	for _, c := range []struct{ name, said, want string }{
		{name: "some words", said: "550 no such user", want: "550 no such user"},
		{name: "Latin-1 and NUL", said: "550 ung\xfcltig\x00\r\nx", want: "550 ung?ltig???x"},
		{name: "no address is cut", said: "550 " + strings.Repeat("x", maxReason-10) + " <ann@a.example>", want: "550 " + strings.Repeat("x", maxReason-10) + "..."},
		{name: "a megabyte", said: strings.Repeat("\u00e4", 1<<20), want: strings.Repeat("\u00e4", maxReason/2) + "..."},
	} {
		if got := reason(c.said); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// What a relay says in Latin-1 is kept as text that both stores take.
func TestAnAnswerInLatin1IsKept(t *testing.T) {
	w := newWorld(t)
	w.relay.answers = []error{&Refusal{Temporary: true, Text: "451 sp\xe4ter\x00"}, &Refusal{NoMailbox: true, Text: "550 ung\xfcltig\x00"}}
	w.mail("here.test", false, "mailto:r@here.test")
	w.until(day.Add(60 * time.Hour))
	items, err := w.state.Items(t.Context())
	if err != nil || len(items) != 1 || items[0].State != state.GivenUp || items[0].Reason != "550 ung?ltig?" {
		t.Errorf("%+v, %v", items, err)
	}
	if no, err := w.state.Suppressions(t.Context()); err != nil || len(no) != 1 || no[0].Reason != "550 ung?ltig?" {
		t.Errorf("%+v, %v", no, err)
	}
}

func TestBouncesDouble(t *testing.T) {
	w := newWorld(t)
	w.open(func(s *Settings) { s.Bounces, s.Delimiter, s.Key = "dmarc-bounces@here.test", "+", []byte("key") })
	bounce := func() {
		t.Helper()
		if _, err := w.sender.Bounce(t.Context(), strings.NewReader(notification(w.relay.from, "failed", "5.1.1")), nil); err != nil {
			t.Fatal(err)
		}
	}
	until := func(want time.Duration) {
		t.Helper()
		list, err := w.state.Suppressions(t.Context())
		if err != nil || len(list) != 1 || list[0].Until.Sub(w.now) != want {
			t.Errorf("%v, %v; want %v from %v", list, err, want, w.now)
		}
	}
	w.mail("here.test", false, "mailto:r@here.test")
	w.until(day.Add(32 * time.Hour))
	bounce()
	until(suppressFirst)
	bounce()
	until(suppressFirst)
	if h := w.sender.Health(); h.Bounces != 2 {
		t.Errorf("%d notifications", h.Bounces)
	}
	w.now = day.Add(10*24*time.Hour + 12*time.Hour)
	w.mail("here.test", false, "mailto:r@here.test")
	w.until(w.now.Add(20 * time.Hour))
	bounce()
	until(2 * suppressFirst)
}

func TestWithoutAnAddressForBouncesTheSenderIsFrom(t *testing.T) {
	w := newWorld(t)
	if got := w.sender.envelopeFrom(&state.Item{ID: "a", Target: "b@c.example"}); got != "dmarc@here.test" {
		t.Errorf("got %q", got)
	}
}

func FuzzBounce(f *testing.F) {
	f.Add(notification("a@here.test", "failed", "5.0.0"))
	f.Add("Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		w := Sender{Settings: Settings{Bounces: "dmarc-bounces@here.test", Delimiter: "+", Key: []byte("key")}}
		if _, err := w.Bounce(t.Context(), strings.NewReader(text), nil); !errors.Is(err, ErrNoBounce) {
			t.Errorf("%q: %v", text, err) // as no token is right
		}
	})
}
