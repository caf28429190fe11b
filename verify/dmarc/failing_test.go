package dmarc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"alignd/evidence"
)

// RFC 9989 section 4.10.1 leaves to the receiver what is done of a policy that could
// not be looked up. The walk goes on, so that policy can tell a name below a domain
// that enforces from one below nobody's.
func TestWalkGoesOnPastANameThatFails(t *testing.T) {
	const ex, lame = "bank.example v=DMARC1; p=none; sp=reject", "lame.bank.example SERVFAIL"
	guard := Options{PSLGuard: true}
	psl := Options{Discovery: evidence.PSL}
	for _, tt := range []evalCase{
		{name: "a spoof below an enforcing record", author: "lame.bank.example", zone: []string{ex, lame}, opt: guard,
			spf: spf("pass", "evil.test"), want: "temperror sp:reject at bank.example policy?", asked: "lame.bank.example bank.example example"},
		{name: "an identifier equal to the author passes whatever the name publishes", author: "lame.bank.example", zone: []string{ex, lame},
			spf: spf("pass", "lame.bank.example"), want: "pass sp:reject at bank.example spf"},
		{name: "another one may be barred by what it publishes", author: "lame.bank.example", zone: []string{ex, lame},
			dkim: sigs("pass bank.example", "pass x.lame.bank.example"), want: "temperror sp:reject at bank.example policy?"},
		{name: "a record above that is none", author: "lame.bank.example", zone: []string{"bank.example v=DMARC1; p=reject; sp=none", lame},
			want: "temperror sp:none at bank.example policy?"},
		{name: "np decides over a name that does not exist", author: "lame.bank.example", zone: []string{"bank.example v=DMARC1; p=none; np=reject", lame},
			want: "temperror np:reject at bank.example policy?"},
		{name: "but not where that is unknown", author: "lame.bank.example", zone: []string{"bank.example v=DMARC1; p=none; np=reject", lame, "lame.bank.example A SERVFAIL"},
			want: "temperror p:none at bank.example policy?"},
		{name: "test mode steps down here too", author: "lame.bank.example", zone: []string{"bank.example v=DMARC1; p=quarantine; t=y", lame},
			want: "temperror p:none at bank.example policy?"},
		{name: "an unusable record above is none that covers", author: "lame.bank.example", zone: []string{"bank.example v=DMARC1; p=bogus", lame},
			want: "temperror : at  policy?"},
		{name: "a record of a registry that marks itself", author: "mega.bank.example", zone: []string{"mega.bank.example SERVFAIL", "bank.example v=DMARC1; p=reject; psd=y"},
			want: "temperror p:reject at bank.example policy?", asked: "mega.bank.example bank.example"},
		{name: "a name in the middle", author: "x.lame.bank.example", zone: []string{ex, lame},
			want: "temperror sp:reject at bank.example policy?"},
		{name: "a record below the name that fails covers too", author: "x.y.bank.example", zone: []string{"y.bank.example v=DMARC1; p=reject", "bank.example SERVFAIL"},
			want: "temperror p:reject at y.bank.example policy?"},
		{name: "several names", author: "x.lame.bank.example", zone: []string{ex, lame, "x.lame.bank.example SERVFAIL", "example SERVFAIL"}, opt: guard,
			want: "temperror sp:reject at bank.example policy?"},
		{name: "nothing known above", author: "lame.bank.example", zone: []string{lame, "bank.example SERVFAIL"},
			spf: spf("pass", "lame.bank.example"), want: "temperror : at  policy?"},
		{name: "an own record needs no other name", author: "bank.example", zone: []string{ex, "example SERVFAIL"}, want: "fail p:none at bank.example", asked: "bank.example"},
		{name: "the budget's end is no temporary error", author: "lame.bank.example", zone: []string{ex, "lame.bank.example BUDGET"}, want: "permerror : at "},
		{name: "nor where it ends the walk", author: "lame.bank.example", zone: []string{lame, "bank.example BUDGET"}, want: "permerror : at "},

		{name: "by suffix list the Organizational Domain is asked", author: "lame.bank.example", zone: []string{ex, lame}, opt: psl,
			want: "temperror sp:reject at bank.example policy?", asked: "lame.bank.example bank.example"},
		{name: "by suffix list equality passes", author: "lame.bank.example", zone: []string{ex, lame}, opt: psl,
			dkim: sigs("pass lame.bank.example"), want: "pass sp:reject at bank.example dkim[0]"},
		{name: "by suffix list with a record above that is none", author: "lame.bank.example", zone: []string{"bank.example v=DMARC1; p=none", lame}, opt: psl,
			want: "temperror p:none at bank.example policy?"},

		{name: "a top level domain does not switch a record below it off", author: "sub.a.example", zone: []string{"a.example v=DMARC1; p=reject", "example SERVFAIL"}, opt: guard,
			spf: spf("pass", "b.example"), want: "fail p:reject at a.example"},
		{name: "genuine mail then passes", author: "sub.a.example", zone: []string{"a.example v=DMARC1; p=reject", "example SERVFAIL"}, opt: guard,
			spf: spf("pass", "a.example"), want: "pass p:reject at a.example spf"},
		{name: "and so do siblings", author: "sub.a.example", zone: []string{"a.example v=DMARC1; p=reject", "example SERVFAIL"}, opt: guard,
			dkim: sigs("pass mail.a.example"), want: "pass p:reject at a.example dkim[0]"},
		{name: "nor does a suffix of two labels", author: "sub.a.co.uk", zone: []string{"a.co.uk v=DMARC1; p=reject", "co.uk SERVFAIL", "uk SERVFAIL"}, opt: guard,
			dkim: sigs("pass a.co.uk"), want: "pass p:reject at a.co.uk dkim[0]"},
		{name: "nor does a private one", author: "sub.a.uk.com", zone: []string{"a.uk.com v=DMARC1; p=reject", "uk.com SERVFAIL"}, opt: guard,
			dkim: sigs("pass b.uk.com"), want: "fail p:reject at a.uk.com"},
		{name: "without a record below it, its policy is unknown", author: "a.example", zone: []string{"example SERVFAIL"}, opt: guard, want: "temperror : at  policy?"},
		{name: "without the guard it may be everyone's Organizational Domain", author: "sub.a.example", zone: []string{"a.example v=DMARC1; p=reject", "example SERVFAIL"},
			spf: spf("pass", "b.example"), want: "temperror p:reject at a.example policy?"},
	} {
		t.Run(tt.name, tt.run)
	}
}

// A sender can name an author below many names that never answer. The policy above
// them is found in the time of one answer all the same.
func TestSilentNamesDoNotHideThePolicyAboveThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := zone("bank.example v=DMARC1; p=reject", "x.bank.example SILENT", "d.x.bank.example SILENT", "c.d.x.bank.example SILENT")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		got := Start(ctx, dns, "c.d.x.bank.example", Options{PSLGuard: true}).Finish(ctx, Identifiers{})
		if s := summary(got); s != "temperror p:reject at bank.example policy?" || time.Since(start) > 17*time.Second {
			t.Errorf("after %v: %s", time.Since(start), s)
		}
		if asked := dns.questions(); len(asked) != 5 {
			t.Errorf("asked %q", asked)
		}
	})
}
