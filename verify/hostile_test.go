package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

// greedyZone has a sender whose SPF records ask as much as RFC 7208 lets them:
// ten mx terms of ten names each, for MAIL FROM and for HELO.
func greedyZone() string {
	var b strings.Builder
	b.WriteString("_dmarc.victim.example TXT \"v=DMARC1; p=none; sp=reject\"\n")
	for _, sender := range []string{"mail", "helo"} {
		fmt.Fprintf(&b, "%s.attacker.example TXT \"v=spf1", sender)
		for i := range 10 {
			fmt.Fprintf(&b, " mx:m%d.%s.attacker.example", i, sender)
		}
		b.WriteString(" -all\"\n")
		for i := range 10 {
			for j := range 10 {
				fmt.Fprintf(&b, "m%d.%s.attacker.example MX 1 h%d-%d.%s.attacker.example\n", i, sender, i, j, sender)
				fmt.Fprintf(&b, "h%d-%d.%s.attacker.example A 203.0.113.1\n", i, j, sender)
			}
		}
	}
	for i := range 3 {
		fmt.Fprintf(&b, "_dmarc.attacker%d.example TXT \"v=DMARC1; p=none; np=reject\"\n", i)
	}
	return b.String()
}

// What a message makes the other checks ask, and the other mailboxes of its
// From, leave each Author Domain the questions that find its policy.
func TestASenderCannotUseUpThePolicyLookups(t *testing.T) {
	z, err := resolver.ParseZone(strings.NewReader(greedyZone()), "zone")
	if err != nil {
		t.Fatal(err)
	}
	const deep = "a.b.c.d.e.f." // eight labels: the longest walk (RFC 9989 section 4.10)
	env := envelope("x@mail.attacker.example")
	env.Client.HELO = "helo.attacker.example"
	m := Begin(t.Context(), z, &Options{}, env)
	defer m.Release()
	from := " x@" + deep + "attacker0.example, x@" + deep + "attacker1.example, x@" + deep + "attacker2.example, x@" + deep + "victim.example"
	m.Header([]byte("From"), []byte(from))
	m.work.Settle() // the sender waits before it sends the content
	m.EndOfHeader()
	ev := m.Finish(t.Context())
	i := slices.IndexFunc(ev.DMARC, func(d evidence.DMARC) bool { return d.AuthorDomain == deep+"victim.example" })
	if i < 0 || ev.DMARC[i].Result != evidence.Fail || ev.DMARC[i].Policy != evidence.PolicyReject {
		t.Errorf("%d questions, evidence of the victim %+v, want fail under sp=reject", used(m), ev.DMARC)
	}
}

// deaf is a Lookuper for which names that end in suffix are never answered.
type deaf struct {
	resolver.Lookuper
	suffix string
}

func (s deaf) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if strings.HasSuffix(name, s.suffix) {
		<-ctx.Done()
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "timeout"}
	}
	return s.Lookuper.Lookup(ctx, name, qtype)
}

// failing is a Lookuper that fails for names that begin with prefix.
type failing struct {
	resolver.Lookuper
	prefix string
}

func (f failing) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if strings.HasPrefix(name, f.prefix) {
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "SERVFAIL"}
	}
	return f.Lookuper.Lookup(ctx, name, qtype)
}

// chainOf puts an ARC chain of n sets on top of a message.
func chainOf(msg string, n int, domain func(i int) string) string {
	for i := range n {
		msg = testsign.Seal(msg, signKey, testsign.Set{Instance: i + 1, Domain: domain(i), Selector: "s"})
	}
	return msg
}

func judge(t *testing.T, lk resolver.Lookuper, msg string) *evidence.Message {
	t.Helper()
	opt := Options{DKIM: dkim.Options{MaxSignatures: 30}} // more than Budget.Parallel
	m := Begin(t.Context(), lk, &opt, envelope("x@attacker.slow.example"))
	defer m.Release()
	feed(m, msg, func() {})
	return m.Finish(t.Context())
}

// A forger fills a message with names of his own that are never answered. The
// key of the domain he abuses is asked all the same, also when his chain asks
// for it first: the message fails, and is not put off and accepted in the end.
func TestSlowNamesOfTheSenderDoNotHideAForgery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := resolver.ParseZone(strings.NewReader(roundsZone), "zone")
		if err != nil {
			t.Fatal(err)
		}
		forged := strings.Replace(letter("example.com", "example.com"), "Hello,", "Pay me,", 1)
		for i := range 29 {
			forged = signed(forged, fmt.Sprintf("n%d.slow.example", i))
		}
		forged = chainOf(forged, 20, func(i int) string {
			if i == 18 {
				return "example.com"
			}
			return fmt.Sprintf("a%d.slow.example", i)
		})
		ev := judge(t, deaf{z, "slow.example"}, forged)
		if d := ev.DMARC[0]; d.Result != evidence.Fail {
			t.Errorf("got %s (%s), want fail; signature of the Author Domain: %+v", d.Result, d.Reason, ev.DKIM[29])
		}
	})
}

// DNS that answers only what is cached makes nothing a permanent failure,
// however many keys the message needs.
func TestDNSThatFailsForAllIsATemporaryError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := resolver.ParseZone(strings.NewReader(roundsZone), "zone")
		if err != nil {
			t.Fatal(err)
		}
		msg := letter("example.com", "example.com")
		for i := range 29 {
			msg = signed(msg, fmt.Sprintf("n%d.example", i))
		}
		msg = chainOf(msg, 20, func(i int) string { return fmt.Sprintf("a%d.example", i) })
		ev := judge(t, deaf{deaf{z, "._domainkey.example.com"}, ".example"}, msg)
		if d := ev.DMARC[0]; d.Result != evidence.TempError || !d.IdentifierTemporary {
			t.Errorf("DMARC: got %s (%s), want temperror", d.Result, d.Reason)
		}
		for i, s := range ev.DKIM {
			if s.Result != evidence.TempError {
				t.Errorf("signature %d: got %s (%s), want temperror", i, s.Result, s.Reason)
			}
		}
		if !ev.ARC.Temporary {
			t.Errorf("chain: got %s (%s), want a temporary failure", ev.ARC.Result, ev.ARC.Reason)
		}
	})
}
