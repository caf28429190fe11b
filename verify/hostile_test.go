package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/resolver"
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
	m.work.settle() // the sender waits before it sends the content
	m.EndOfHeader()
	ev := m.Finish(t.Context())
	i := slices.IndexFunc(ev.DMARC, func(d evidence.DMARC) bool { return d.AuthorDomain == deep+"victim.example" })
	if i < 0 || ev.DMARC[i].Result != evidence.Fail || ev.DMARC[i].Policy != evidence.PolicyReject {
		t.Errorf("%d questions, evidence of the victim %+v, want fail under sp=reject", m.budget.Used(), ev.DMARC)
	}
}
