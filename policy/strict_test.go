package policy

import (
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

// below is an evaluation of x.attacker.example, whose owner publishes nothing, or
// publishes psd=n there: either way it is an Organizational Domain of its own.
func below(result evidence.Result) evidence.DMARC {
	return evidence.DMARC{AuthorDomain: "x.attacker.example", OrgDomain: "x.attacker.example", Result: result}
}

func TestOrgPatternsOfStricterEntriesTakeEverythingBelow(t *testing.T) {
	const org = "org:attacker.example"
	rule := func(id string, h Handling, patterns ...string) DomainRule {
		return DomainRule{ID: id, AuthorDomains: patterns, Handling: h}
	}
	block := entry(Reject, Scope{AuthorDomains: []string{org}}, Proof{})
	marks := with(entry(Tag, Scope{AuthorDomains: []string{org}}, Proof{}), func(x *Exception) { x.Kind = Block })
	allow := entry(Accept, Scope{AuthorDomains: []string{org}}, Proof{Clients: nets("192.0.2.1/32")})
	fails := with(below("fail"), func(d *evidence.DMARC) {
		d.Policy, d.Published.P, d.Published.Pct = evidence.PolicyNone, evidence.PolicyNone, 100
	})
	rejects := with(fails, func(d *evidence.DMARC) { d.Policy, d.Published.P = evidence.PolicyReject, evidence.PolicyReject })
	for _, row := range []struct {
		name string
		spec Spec
		dm   evidence.DMARC
		want Delivery
		rule string
	}{
		{name: "a block entry holds below the name", spec: Spec{Exceptions: []Exception{block}}, dm: below("none"), want: Refuse, rule: "x"},
		{name: "also for mail that passes", spec: Spec{Exceptions: []Exception{block}}, dm: below("pass"), want: Refuse, rule: "x"},
		{name: "also one that marks", spec: Spec{Exceptions: []Exception{marks}}, dm: below("none"), want: DeliverTag, rule: "x"},
		{name: "not for a name that only ends like it", spec: Spec{Exceptions: []Exception{block}},
			dm: with(below("none"), func(d *evidence.DMARC) {
				d.AuthorDomain, d.OrgDomain = "x.noattacker.example", "x.noattacker.example"
			}), want: Deliver},
		{name: "not above the name", spec: Spec{Exceptions: []Exception{entry(Reject, Scope{AuthorDomains: []string{"org:a.attacker.example"}}, Proof{})}},
			dm: with(below("none"), func(d *evidence.DMARC) { d.AuthorDomain, d.OrgDomain = "attacker.example", "attacker.example" }), want: Deliver},
		{name: "an allow entry is for the Organizational Domain only", spec: Spec{Exceptions: []Exception{allow}}, dm: rejects, want: Refuse},
		{name: "an allow entry for the Organizational Domain", spec: Spec{Exceptions: []Exception{allow}},
			dm: with(rejects, func(d *evidence.DMARC) { d.OrgDomain = "attacker.example" }), want: Deliver, rule: "x"},
		{name: "stricter handling holds below the name", spec: Spec{Domains: []DomainRule{rule("wave", Handling{None: Reject}, org)}}, dm: fails, want: Refuse, rule: "wave"},
		{name: "more lenient handling does not", spec: Spec{Domains: []DomainRule{rule("friend", Handling{Reject: Accept}, org)}}, dm: rejects, want: Refuse},
		{name: "stricter handling beats that of *", spec: Spec{Domains: []DomainRule{rule("all", Handling{None: Tag}, "*"), rule("wave", Handling{None: Reject}, org)}},
			dm: fails, want: Refuse, rule: "wave"},
		{name: "that of * beats more lenient handling", spec: Spec{Domains: []DomainRule{rule("all", Handling{None: Tag}, "*"), rule("friend", Handling{None: Accept}, org)}},
			dm: fails, want: DeliverTag, rule: "all"},
		{name: "an entry for the name itself is more specific", spec: Spec{Domains: []DomainRule{rule("one", Handling{None: Tag}, "x.attacker.example"), rule("wave", Handling{None: Reject}, org)}},
			dm: fails, want: DeliverTag, rule: "one"},
		{name: "so is one for its own Organizational Domain", spec: Spec{Domains: []DomainRule{rule("one", Handling{None: Tag}, "org:x.attacker.example"), rule("wave", Handling{None: Reject}, org)}},
			dm: fails, want: DeliverTag, rule: "one"},
		{name: "own domains", spec: Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{org}}}}, dm: fails, want: Refuse, rule: "ours"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(message(row.dm), rulesOf(t, row.spec))
			if v.Delivery != row.want || v.Rule != row.rule {
				t.Errorf("got %s by %q, want %s by %q: %s", v.Delivery, v.Rule, row.want, row.rule, v.Reason)
			}
		})
	}
}

func TestAStricterOrgEntryInARolloutTellsWhatItWouldDo(t *testing.T) {
	dm := with(below("fail"), func(d *evidence.DMARC) {
		d.Policy, d.Published.P, d.Published.Pct = evidence.PolicyNone, evidence.PolicyNone, 100
	})
	v := Decide(message(dm), rulesOf(t, Spec{Domains: []DomainRule{{ID: "wave", AuthorDomains: []string{"org:attacker.example"},
		Handling: Handling{None: Reject, Rollout: []Stage{{Name: StageMonitor, Start: time.Unix(1, 0)}}}}}}))
	if v.Delivery != Deliver || v.Monitor.Delivery != Refuse || v.Rule != "wave" {
		t.Errorf("got %+v", v)
	}
}

func TestRecipientsAtAnAddressLiteral(t *testing.T) {
	profile := func(id string, h Handling, to ...string) Profile { return Profile{ID: id, Recipients: to, Handling: h} }
	strict := Spec{ExtensionDelimiters: "+", Profiles: []Profile{profile("executives", Handling{Quarantine: Reject}, "ceo@here.test", "cfo@there.test")}}
	whole := Spec{Profiles: []Profile{profile("desk", Handling{}, "desk@here.test"), profile("site", Handling{Quarantine: Reject}, "here.test")}}
	lenient := Spec{Profiles: []Profile{profile("desk", Handling{Quarantine: Accept}, "desk@here.test", "here.test")}}
	second := Spec{Profiles: []Profile{profile("one", Handling{Quarantine: Accept}, "ceo@there.test"), profile("two", Handling{Quarantine: Reject}, "ceo@here.test")}}
	block := Spec{Exceptions: []Exception{entry(Reject, Scope{Recipients: []string{"ceo@here.test"}}, Proof{})}}
	allow := Spec{Exceptions: []Exception{entry(Accept, Scope{Recipients: []string{"ceo@here.test", "here.test"}}, Proof{Clients: nets("192.0.2.1/32")})}}
	for _, row := range []struct {
		name string
		spec Spec
		to   string
		want Delivery
	}{
		{name: "is every listed one with its local part", spec: strict, to: "ceo@[192.0.2.25]", want: Refuse},
		{name: "also by IPv6, in capitals and with an extension", spec: strict, to: "CFO+x@[IPv6:2001:db8::25]", want: Refuse},
		{name: "also with the address as a domain", spec: strict, to: "ceo@192.0.2.25", want: Refuse},
		{name: "also without a domain", spec: strict, to: "ceo", want: Refuse},
		{name: "also in quotes that are not needed", spec: strict, to: `"c\eo+x"@[192.0.2.25]`, want: Refuse},
		{name: "but no other local part", spec: strict, to: "bob@[192.0.2.25]", want: DeliverTag},
		{name: "a domain is no literal", spec: strict, to: "ceo@elsewhere.test", want: DeliverTag},
		{name: "is in each listed domain", spec: whole, to: "bob@[192.0.2.25]", want: Refuse},
		{name: "gains nothing from a lenient profile", spec: lenient, to: "desk@[192.0.2.25]", want: DeliverTag},
		{name: "has the strictest of several profiles", spec: second, to: "ceo@[192.0.2.25]", want: Refuse},
		{name: "is in the scope of a block entry", spec: block, to: "ceo@[192.0.2.25]", want: Refuse},
		{name: "is in the scope of no allow entry", spec: allow, to: "ceo@[192.0.2.25]", want: DeliverTag},
	} {
		t.Run(row.name, func(t *testing.T) {
			ev := message(failing("quarantine"))
			ev.Recipients = []evidence.Recipient{{Address: row.to}}
			if v := Decide(ev, rulesOf(t, row.spec)); v.Delivery != row.want {
				t.Errorf("got %s by %q, want %s", v.Delivery, v.Rule, row.want)
			}
		})
	}
}

func TestWideSPF(t *testing.T) {
	wide := func(m *evidence.Message) {
		m.SPF.MailFrom = &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.example", Result: evidence.Pass, Mechanism: "+all", Wide: true}
	}
	proof := entry(Accept, Scope{}, Proof{SPF: []string{"bank.example"}})
	block := entry(Reject, Scope{}, Proof{SPF: []string{"bank.example"}})
	none := with(failing("none"), func(d *evidence.DMARC) { *d = evidence.DMARC{AuthorDomain: "bank.example", Result: evidence.None} })
	for _, row := range []struct {
		name          string
		spec          Spec
		dm            evidence.DMARC
		count, ignore Delivery
	}{
		{name: "as a proof", spec: Spec{Exceptions: []Exception{proof}}, dm: failing("reject"), count: Deliver, ignore: Refuse},
		{name: "for a block entry", spec: Spec{Exceptions: []Exception{block}}, dm: none, count: Refuse, ignore: Refuse},
		{name: "for a domain without a record", spec: Spec{NoRecord: NoRecord{Unauthenticated: Tag}}, dm: none, count: Deliver, ignore: DeliverTag},
	} {
		t.Run(row.name, func(t *testing.T) {
			for mode, want := range map[WideSPF]Delivery{"": row.count, WideCount: row.count, WideIgnore: row.ignore} {
				spec := row.spec
				spec.WideSPF = mode
				if v := Decide(change(message(row.dm), wide), rulesOf(t, spec)); v.Delivery != want {
					t.Errorf("spf.wide %q: got %s, want %s", mode, v.Delivery, want)
				}
			}
		})
	}
	v := Decide(change(message(failing("reject")), wide), rulesOf(t, Spec{WideSPF: WideIgnore}))
	if !strings.Contains(v.Reason, "spf.wide") {
		t.Errorf("the reason does not tell of spf.wide: %s", v.Reason)
	}
}
