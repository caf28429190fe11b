package verify

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/relay"
)

const zoneText = `
example.com          TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com   TXT "v=DMARC1; p=reject"
mail.example.com     TXT "v=spf1 a -all"
mail.example.com     A   192.0.2.1
slow.example         TIMEOUT
`

func zone(t testing.TB) *resolver.Zone {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(zoneText), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func envelope(mailFrom string) Envelope {
	return Envelope{
		Client:   evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.com"},
		MailFrom: mailFrom,
	}
}

// run feeds one message whose body comes in pieces.
func run(t testing.TB, lk resolver.Lookuper, opt *Options, env Envelope, fields ...string) *evidence.Message {
	t.Helper()
	m := Begin(t.Context(), lk, opt, env)
	defer m.Release()
	for i := 0; i < len(fields); i += 2 {
		m.Header([]byte(fields[i]), []byte(fields[i+1]))
	}
	m.EndOfHeader()
	for _, piece := range []string{"Hel", "lo\r", "\n"} {
		m.Body([]byte(piece))
	}
	return m.Finish(t.Context())
}

func TestAMessageGivesItsEvidence(t *testing.T) {
	ev := run(t, zone(t), &Options{}, envelope("a@example.com"), "From", " x@example.com", "Subject", " hi")
	if c := ev.ReportedSPF(); c == nil || c.Result != evidence.Pass || c.Identity != evidence.MailFromIdentity {
		t.Errorf("SPF is %+v, want pass of MAIL FROM", c)
	}
	if c := ev.SPF.HELO; c == nil || c.Result != evidence.Pass {
		t.Errorf("SPF of HELO is %+v, want pass (RFC 7208 section 2.3)", c)
	}
	if len(ev.DMARC) != 1 || ev.DMARC[0].Result != evidence.Pass || !ev.DMARC[0].SPFAligned {
		t.Errorf("DMARC is %+v, want pass by SPF", ev.DMARC)
	}
	if ev.ARC.Result != evidence.None || len(ev.DKIM) != 0 {
		t.Errorf("ARC is %q and DKIM %v, want none of both", ev.ARC.Result, ev.DKIM)
	}
	if want := int64(len("From: x@example.com\r\nSubject: hi\r\n\r\nHello\r\n")); ev.Size != want {
		t.Errorf("size is %d, want %d", ev.Size, want)
	}
	if ev.IPRev.Result != evidence.NotChecked {
		t.Errorf("iprev is %q, want not looked up", ev.IPRev.Result)
	}
}

func TestASpentBudgetIsTold(t *testing.T) {
	opt := &Options{Budget: resolver.BudgetOptions{MaxQueries: 1, Reserved: -1}}
	ev := run(t, zone(t), opt, envelope("a@example.com"), "From", " x@sub.example.com")
	if len(ev.Problems) != 1 || !strings.HasPrefix(ev.Problems[0], "query budget spent") {
		t.Errorf("problems are %q", ev.Problems)
	}
	if ev = run(t, zone(t), &Options{}, envelope("a@example.com"), "From", " x@sub.example.com"); len(ev.Problems) != 0 {
		t.Errorf("problems are %q, want none", ev.Problems)
	}
}

// TestChecksDoNotSpendEachOthersQuestions: both identities ask for all that RFC
// 7208 section 4.6.4 allows. MAIL FROM gets it, HELO does not, and the key and the
// policy have their own.
func TestChecksDoNotSpendEachOthersQuestions(t *testing.T) {
	var text strings.Builder
	for _, name := range []string{"helo", "mail"} {
		fmt.Fprintf(&text, "%s.test. TXT \"v=spf1", name)
		for i := range 10 {
			fmt.Fprintf(&text, " mx:m%d.%s.test", i, name)
		}
		text.WriteString(" +all\"\n")
		for i := range 10 {
			for j := range 10 {
				fmt.Fprintf(&text, "m%d.%s.test. MX %d h%d.m%d.%s.test.\nh%d.m%d.%s.test. A 198.51.100.1\n", i, name, j, j, i, name, j, i, name)
			}
		}
	}
	text.WriteString("_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\nk._domainkey.example.com. TXT \"v=DKIM1; p=\"\n")
	z, err := resolver.ParseZone(strings.NewReader(text.String()), "zone")
	if err != nil {
		t.Fatal(err)
	}
	env := envelope("a@mail.test")
	env.Client.HELO = "helo.test"
	signature := " v=1; a=rsa-sha256; d=example.com; s=k; h=from; bh=" + strings.Repeat("A", 43) + "=; b=AAAA"
	for range 20 {
		ev := run(t, z, &Options{}, env, "From", " x@example.com", "DKIM-Signature", signature)
		if ev.SPF.MailFrom.Result != evidence.Pass || ev.SPF.HELO.Result != evidence.PermError {
			t.Fatalf("SPF is %+v and %+v, want pass of MAIL FROM", ev.SPF.MailFrom, ev.SPF.HELO)
		}
		if len(ev.DKIM) != 1 || ev.DKIM[0].Reason != "key is revoked" || ev.DMARC[0].Policy != evidence.PolicyReject {
			t.Fatalf("DKIM is %+v, DMARC %+v, want the key's own words", ev.DKIM, ev.DMARC)
		}
	}
}

func TestTheNullReversePathUsesHELO(t *testing.T) {
	ev := run(t, zone(t), &Options{}, envelope(""), "From", " x@mail.example.com")
	if c := ev.ReportedSPF(); c == nil || c.Identity != evidence.HELOIdentity || c.Result != evidence.Pass {
		t.Errorf("SPF is %+v, want pass of HELO (RFC 7208 section 2.4)", c)
	}
	if ev.SPF.MailFrom != nil {
		t.Errorf("MAIL FROM was checked: %+v", ev.SPF.MailFrom)
	}
	if !ev.DMARC[0].SPFAligned {
		t.Error("the HELO domain of a null reverse-path does not align (RFC 9989 section 3.2.4)")
	}
}

func TestNothingIsLeftOfTheMessageBefore(t *testing.T) {
	z, opt := zone(t), &Options{}
	for range 3 { // the memory of a message is used again
		run(t, z, opt, envelope("a@example.com"), "From", " x@example.com", "From", " y@example.com", "List-Id", " <l.example>")
		ev := run(t, z, opt, envelope("a@other.example"), "From", " x@other.example")
		if ev.From.Fields != 1 || ev.Traces.List || len(ev.DMARC) != 1 || ev.DMARC[0].AuthorDomain != "other.example" {
			t.Fatalf("evidence of the message before shows: %+v", ev)
		}
	}
}

func TestBehindARelayTheOriginalClientCounts(t *testing.T) {
	opt := &Options{Relays: &relay.Options{Relays: []relay.Relay{{ID: "gw", Peers: []netip.Prefix{netip.MustParsePrefix("203.0.113.25/32")}}}}}
	env := envelope("a@example.com")
	env.Client.Peer = netip.MustParseAddr("203.0.113.25")
	ev := run(t, zone(t), opt, env,
		"Received", " from mail.example.com (mail.example.com [192.0.2.1])\n\tby gw.example.net (Postfix) with ESMTP id 1\n\tfor <b@here.example>; Mon, 1 Dec 2025 09:00:00 +0000",
		"From", " x@example.com")
	if ev.Client.Original != netip.MustParseAddr("192.0.2.1") || ev.Client.Relay != "gw" {
		t.Errorf("client is %+v", ev.Client)
	}
	if c := ev.ReportedSPF(); c == nil || c.Result != evidence.Pass {
		t.Errorf("SPF is %+v, want pass for the original client", c)
	}
}

// stuck answers nothing until its asker gives up.
type stuck struct{ asked atomic.Int64 }

func (s *stuck) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	s.asked.Add(1)
	<-ctx.Done()
	return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "gave up"}
}

func TestTimeEndsWaitingWithTemporaryErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lk := new(stuck)
		begin := time.Now()
		ev := run(t, lk, &Options{Timeout: 50 * time.Millisecond}, envelope("a@example.com"),
			"DKIM-Signature", " v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=Ba3gj8+xBPQLJTahTfzW6RbWQ/XPgESxkCi2B66PSQg=; b=AAAA",
			"From", " x@example.com")
		if took := time.Since(begin); took != 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if ev.ReportedSPF().Result != evidence.TempError || ev.DMARC[0].Result != evidence.TempError || ev.DKIM[0].Result != evidence.TempError {
			t.Errorf("SPF %v, DMARC %v, DKIM %v, want temperror", ev.ReportedSPF().Result, ev.DMARC[0].Result, ev.DKIM[0].Result)
		}
		if n := lk.asked.Load(); n < 4 {
			t.Errorf("%d questions were under way, want SPF twice, a key and the policy side by side", n)
		}
	})
}

func TestAnAbortedMessageLeavesNoWorkBehind(t *testing.T) {
	lk := new(stuck)
	for _, header := range []bool{false, true} {
		m := Begin(t.Context(), lk, &Options{}, envelope("a@example.com"))
		if header {
			m.Header([]byte("From"), []byte(" x@example.com"))
			m.EndOfHeader()
		}
		done := make(chan struct{})
		go func() { m.Release(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("Release waits for ever")
		}
	}
}

// bomb panics for one type of question.
type bomb struct{ resolver.Lookuper }

func (b bomb) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if strings.HasPrefix(name, "example.com") {
		panic("boom")
	}
	return b.Lookuper.Lookup(ctx, name, qtype)
}

func TestAPanicReachesTheCallerAndTheNextMessageWorks(t *testing.T) {
	z := zone(t)
	raised := func() (v any) {
		defer func() { v = recover() }()
		run(t, bomb{z}, &Options{}, envelope("a@example.com"), "From", " x@example.com")
		return nil
	}()
	if !strings.Contains(fmt.Sprint(raised), "boom") {
		t.Errorf("caller got %v, want the panic", raised)
	}
	if ev := run(t, z, &Options{}, envelope("a@example.com"), "From", " x@example.com"); ev.DMARC[0].Result != evidence.Pass {
		t.Errorf("the next message: %+v", ev.DMARC)
	}
}

func TestMessagesSideBySide(t *testing.T) {
	z, opt := zone(t), &Options{}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for k := range 50 {
				from := fmt.Sprintf("m%d-%d.example", i, k)
				ev := run(t, z, opt, envelope("a@example.com"), "From", " x@"+from)
				if ev.From.Domains[0] != from || ev.DMARC[0].AuthorDomain != from {
					t.Errorf("message of %s has evidence of %v", from, ev.From.Domains)
				}
			}
		})
	}
	wg.Wait()
}

// Whatever a message holds, in whatever pieces its body comes: evidence, and
// the same evidence for the same octets.
func FuzzMessage(f *testing.F) {
	f.Add("From", " x@example.com", "DKIM-Signature", " v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=; b=", []byte("body\r\n"))
	f.Add("ARC-Seal", " i=1; cv=none; a=rsa-sha256; d=x; s=y; b=", "ARC-Message-Signature", " i=1", []byte("\r"))
	f.Add("from", " a:;", "FROM", "", []byte{0})
	z := zone(f)
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, body []byte) {
		feed := func(piece int) *evidence.Message {
			m := Begin(t.Context(), z, &Options{Now: func() time.Time { return time.Unix(1e9, 0) }}, envelope(value1))
			defer m.Release()
			m.Header([]byte(name1), []byte(value1))
			m.Header([]byte(name2), []byte(value2))
			m.EndOfHeader()
			for rest := body; len(rest) > 0; {
				n := min(piece, len(rest))
				m.Body(rest[:n])
				rest = rest[n:]
			}
			return m.Finish(t.Context())
		}
		a, b := feed(1), feed(len(body)+1)
		if a.ReportedSPF() == nil || a.Size != b.Size {
			t.Fatalf("SPF %v, sizes %d and %d", a.ReportedSPF(), a.Size, b.Size)
		}
		for i := range a.DKIM {
			if a.DKIM[i].Result != b.DKIM[i].Result {
				t.Fatalf("signature %d: %q in pieces, %q at once", i, a.DKIM[i].Result, b.DKIM[i].Result)
			}
		}
		if a.ARC.Result != b.ARC.Result || len(a.DMARC) != len(b.DMARC) {
			t.Fatalf("ARC %q and %q, DMARC %v and %v", a.ARC.Result, b.ARC.Result, a.DMARC, b.DMARC)
		}
	})
}

func TestAHeaderThatIsNotReadLeavesItsChecksOut(t *testing.T) {
	z := zone(t)
	m := Begin(t.Context(), z, &Options{}, envelope("a@example.com"))
	m.HeaderUnread()
	ev := m.Finish(t.Context())
	m.Release()
	if ev.From.Problem != evidence.FromUnread || ev.From.Detail == "" || ev.ARC.Result != evidence.NotChecked || len(ev.DMARC) > 0 {
		t.Errorf("got From %+v, ARC %+v, DMARC %+v", ev.From, ev.ARC, ev.DMARC)
	}
	if c := ev.ReportedSPF(); c == nil || c.Result != evidence.Pass {
		t.Errorf("SPF is %+v, want pass", c)
	}
	if ev := run(t, z, &Options{}, envelope("a@example.com"), "From", " x@example.com"); ev.DMARC[0].Result != evidence.Pass {
		t.Errorf("the next message: %+v", ev.DMARC)
	}
}

func TestClientIP(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", " [192.0.2.1] ": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1",
		"[IPv6:2001:db8::1]": "2001:db8::1", "ipv6:2001:db8::1": "2001:db8::1", "IPv6:": "", "192.0.2": "", "": "",
	} {
		ip, err := ClientIP(text)
		if got := ip.String(); err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
}
