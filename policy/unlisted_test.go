package policy

import (
	"math/rand/v2"
	"slices"
	"testing"

	"alignd/evidence"
)

// What a verdict does not list as missing would have changed nothing: rules of two kinds
// judge a message as it is, and without each section. (That the message has come through
// a relay, as it has without its Received chain here, is another matter.)
func TestWhatIsNotListedAsMissingChangesNothing(t *testing.T) {
	kinds := kindsOfRules()
	random := rand.New(rand.NewPCG(1, 2))
	for range 6000 {
		a, b := kinds[random.IntN(len(kinds))], kinds[random.IntN(len(kinds))]
		rules, err := Compile(both(a.spec, b.spec))
		if err != nil {
			continue // one of them names the sealer of another
		}
		ev := anyMessage(random, a.change)
		whole := Decide(ev, rules)
		for fact, remove := range unlooked {
			if fact == FactReceived {
				continue
			}
			part := *ev
			remove(&part)
			if v := Decide(&part, rules); v.Undecidable == nil && v.Delivery != whole.Delivery {
				t.Errorf("%s and %s, without %s: %s by %q, and with it %s by %q\n%+v", a.name, b.name, fact, v.Delivery, v.Reason, whole.Delivery, whole.Reason, ev)
			}
		}
	}
}

// both is a with those rules of b of which it has none.
func both(a, b Spec) Spec {
	if len(a.Exceptions) == 0 {
		a.Exceptions = b.Exceptions
	}
	if len(a.Sealers) == 0 {
		a.Sealers = b.Sealers
	}
	if len(a.Domains) == 0 {
		a.Domains = b.Domains
	}
	if len(a.Profiles) == 0 {
		a.Profiles = b.Profiles
	}
	if len(a.Own) == 0 {
		a.Own = b.Own
	}
	return a
}

// anyMessage is a message from sub.bank.example of which all was looked up.
func anyMessage(random *rand.Rand, change func(*evidence.Message)) *evidence.Message {
	one := func(of int) bool { return random.IntN(of) == 0 }
	result := func() evidence.Result {
		return []evidence.Result{evidence.Pass, evidence.Fail, evidence.TempError, evidence.PermError, evidence.None}[random.IntN(5)]
	}
	domain := func() string {
		return []string{"bank.example", "mail.bank.example", "sub.bank.example", "vendor.example"}[random.IntN(4)]
	}
	policy := []evidence.DMARCPolicy{evidence.PolicyNone, evidence.PolicyQuarantine, evidence.PolicyReject, evidence.PolicyReject}[random.IntN(4)]
	ev := message(with(failing(policy), func(d *evidence.DMARC) {
		d.AuthorDomain = "sub.bank.example"
		if one(2) {
			d.Result = result()
			d.IdentifierTemporary = d.Result == evidence.TempError && one(2)
			d.PolicyTemporary = d.Result == evidence.TempError && !d.IdentifierTemporary
		}
		if one(6) {
			d.Existence = evidence.NonExistent
		}
		if one(6) {
			d.OrgDomain = d.AuthorDomain
		}
		if one(6) {
			d.Published.Pct = 50
		}
	}))
	if change != nil && !one(3) {
		change(ev)
	}
	for range random.IntN(3) {
		s := evidence.Signature{Result: result(), Domain: domain()}
		switch s.Result {
		case evidence.Fail:
			s.FailedOn = evidence.FailedBody
		case evidence.None:
			s.Result, s.FailedOn = evidence.Neutral, evidence.FailedTransport
		}
		ev.DKIM = append(ev.DKIM, s)
	}
	if one(2) {
		ev.SPF.MailFrom = &evidence.SPFCheck{Result: result(), Domain: domain(), Identity: evidence.MailFromIdentity}
	}
	if one(4) {
		ev.IPRev = evidence.IPRev{Result: result()}
	}
	if one(5) {
		ev.Traces = evidence.Traces{List: true, ListID: "dev.lists.example"}
	}
	if one(8) {
		ev.From.Fronts = []evidence.FrontDomain{{Domain: "sub.bank.example", Angles: slices.Clone(ev.From.Domains)}}
	}
	return ev
}
