package policy

import (
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
)

// unlooked takes out of evidence what each fact stands for.
var unlooked = map[Fact]func(*evidence.Message){
	FactFrom: func(m *evidence.Message) {
		m.Looked &^= evidence.SectionFrom
		m.From, m.DMARC = evidence.From{}, nil
	},
	FactTraces:     func(m *evidence.Message) { m.Looked &^= evidence.SectionTraces; m.Traces = evidence.Traces{} },
	FactDKIM:       func(m *evidence.Message) { m.Looked &^= evidence.SectionDKIM; m.DKIM = nil },
	FactARC:        func(m *evidence.Message) { m.ARC = evidence.ARC{} },
	FactSPF:        func(m *evidence.Message) { m.SPF = evidence.SPF{} },
	FactIPRev:      func(m *evidence.Message) { m.IPRev = evidence.IPRev{} },
	FactClient:     func(m *evidence.Message) { m.Client = evidence.Client{HELO: "mail.example.net"} },
	FactReceived:   func(m *evidence.Message) { m.Looked &^= evidence.SectionReceived; m.Client.Relay = "gw" },
	FactRecipients: func(m *evidence.Message) { m.Recipients = nil },
	FactLocalParts: func(m *evidence.Message) {
		drop := func(address string) string { return address[strings.LastIndexByte(address, '@'):] }
		m.MailFrom, m.Recipients = drop(m.MailFrom), slices.Clone(m.Recipients)
		for i := range m.Recipients {
			m.Recipients[i].Address = drop(m.Recipients[i].Address)
		}
	},
	FactSample: func(m *evidence.Message) { m.Sample = -1 },
	FactDMARC:  func(m *evidence.Message) { m.Looked &^= evidence.SectionDMARC; m.DMARC = nil },
	FactOrg:    eachDMARC(func(d *evidence.DMARC) { d.Looked &^= evidence.SectionOrg; d.OrgDomain = "" }),
	FactOrgUnanswered: eachDMARC(func(d *evidence.DMARC) {
		d.Looked |= evidence.SectionOrg
		d.OrgDomain = ""
	}),
	FactExistence: eachDMARC(func(d *evidence.DMARC) {
		d.Looked &^= evidence.SectionExistence
		d.Existence = evidence.ExistenceUnknown
	}),
	FactExistenceUnanswered: eachDMARC(func(d *evidence.DMARC) {
		d.Looked |= evidence.SectionExistence
		d.Existence = evidence.ExistenceUnknown
	}),
}

func eachDMARC(f func(*evidence.DMARC)) func(*evidence.Message) {
	return func(m *evidence.Message) {
		m.DMARC = slices.Clone(m.DMARC)
		for i := range m.DMARC {
			f(&m.DMARC[i])
		}
	}
}

// kindsOfRules are rules of each kind, with the facts that they look at for a message
// from sub.bank.example, and what would be done if they did not match.
func kindsOfRules() []struct {
	name   string
	spec   Spec
	change func(*evidence.Message)
	facts  []Fact
} {
	corroborated := func(s ...Signal) Spec {
		return Spec{NotJudged: NotJudged{JudgeLoopback: true}, Handling: Handling{RejectMode: Corroborated, Signals: s}}
	}
	exception := func(x Exception) Spec {
		return Spec{NotJudged: NotJudged{JudgeLoopback: true}, Exceptions: []Exception{x}}
	}
	allow := func(s Scope, p Proof) Spec { return exception(entry(Accept, s, p)) }
	block := func(s Scope, p Proof) Spec { return exception(entry(Reject, s, p)) }
	sealer := func(s Sealer) Spec {
		s.ID, s.Domains = "lists", []string{"lists.example"}
		return Spec{NotJudged: NotJudged{JudgeLoopback: true}, Sealers: []Sealer{s}}
	}
	client := Proof{Clients: nets("192.0.2.1/32")}
	chain := sealed("pass", seal(1, "lists.example", "dmarc=pass header.from=sub.bank.example"))
	aligned := sealed("pass", seal(1, "lists.example", "dmarc=none header.from=sub.bank.example", "dkim=pass header.d=mail.bank.example"))
	quarantine := func(m *evidence.Message) { m.DMARC[0].Policy, m.DMARC[0].Published.P = "quarantine", "quarantine" }
	unpublished := func(m *evidence.Message) {
		m.DMARC[0] = evidence.DMARC{AuthorDomain: "sub.bank.example", OrgDomain: "bank.example", Result: evidence.None}
	}
	org, existence := slices.Clip([]Fact{FactOrg, FactOrgUnanswered}), []Fact{FactExistence, FactExistenceUnanswered}
	return []struct {
		name   string
		spec   Spec
		change func(*evidence.Message)
		facts  []Fact
	}{
		{name: "defaults", facts: []Fact{FactClient, FactFrom, FactDMARC}},
		{name: "a network that is not judged", spec: Spec{NotJudged: NotJudged{JudgeLoopback: true, Networks: []Network{{Prefix: nets("192.0.2.1/32")[0]}}}},
			facts: []Fact{FactClient, FactReceived}},
		{name: "signal direct", spec: corroborated(SignalDirect), facts: []Fact{FactTraces}},
		{name: "signal no_broken_signature", spec: corroborated(SignalNoSignature), facts: []Fact{FactDKIM}},
		{name: "signal no_broken_signature beside one of a sibling", spec: corroborated(SignalNoSignature), facts: append(org, FactDKIM),
			change: func(m *evidence.Message) {
				m.DKIM = []evidence.Signature{{Result: evidence.Fail, FailedOn: evidence.FailedBody, Domain: "mail.bank.example"}}
			}},
		{name: "signal spf_fail", spec: corroborated(SignalSPFFail), facts: []Fact{FactSPF}},
		{name: "signal spf_fail of a sibling", spec: corroborated(SignalSPFFail), facts: append(org, FactSPF), change: func(m *evidence.Message) {
			m.SPF.MailFrom = &evidence.SPFCheck{Result: evidence.Fail, Domain: "mail.bank.example"}
		}},
		{name: "signal nonexistent", spec: corroborated(SignalNonExistent), facts: existence},
		{name: "signal no_reverse_dns", spec: corroborated(SignalNoReverse), facts: []Fact{FactIPRev}},
		{name: "proof clients", spec: allow(Scope{}, client), facts: []Fact{FactClient, FactReceived}},
		{name: "proof ptr", spec: allow(Scope{}, Proof{PTR: []string{"mail.example.net"}}), facts: []Fact{FactIPRev}},
		{name: "proof dkim", spec: allow(Scope{}, Proof{DKIM: []string{"vendor.example"}}), facts: []Fact{FactDKIM}},
		{name: "proof spf", spec: allow(Scope{}, Proof{SPF: []string{"sender.example"}}), facts: []Fact{FactSPF}},
		{name: "proof sealers", spec: with(allow(Scope{}, Proof{Sealers: []string{"lists"}}), func(s *Spec) {
			s.Sealers = []Sealer{{ID: "lists", Domains: []string{"lists.example"}}}
		}), facts: []Fact{FactARC}},
		{name: "scope org", spec: allow(Scope{AuthorDomains: []string{"org:bank.example"}}, client), facts: org},
		{name: "scope recipients", spec: allow(Scope{Recipients: []string{"here.example"}}, client), facts: []Fact{FactRecipients}},
		{name: "scope recipients with local parts", spec: allow(Scope{Recipients: []string{"user@here.example"}}, client), facts: []Fact{FactRecipients, FactLocalParts}},
		{name: "scope recipients, another domain", spec: allow(Scope{Recipients: []string{"user@other.example", "here.example"}}, client), facts: []Fact{FactRecipients}},
		{name: "scope mail_from with a local part", spec: allow(Scope{MailFrom: []string{"a@sender.example"}}, client), facts: []Fact{FactLocalParts}},
		{name: "scope mail_from", spec: allow(Scope{MailFrom: []string{"sender.example", "a@other.example"}}, client), facts: []Fact{}},
		{name: "block by mail_from", spec: block(Scope{MailFrom: []string{"a@sender.example"}}, Proof{}), change: quarantine, facts: []Fact{FactLocalParts}},
		{name: "block by mail_from beside an entry that lets in", spec: Spec{NotJudged: NotJudged{JudgeLoopback: true}, Exceptions: []Exception{
			with(entry(Accept, Scope{}, client), func(x *Exception) { x.ID = "vendor" }), entry(Reject, Scope{MailFrom: []string{"a@sender.example"}}, Proof{})}},
			facts: []Fact{FactLocalParts, FactClient, FactReceived}},
		{name: "block by a recipient at a literal", spec: block(Scope{Recipients: []string{"ceo@here.example"}}, Proof{}), facts: []Fact{FactRecipients, FactLocalParts},
			change: func(m *evidence.Message) {
				quarantine(m)
				m.Recipients = []evidence.Recipient{{Address: "ceo@[192.0.2.9]"}}
			}},
		{name: "a sealer for local parts", spec: sealer(Sealer{Recipients: []string{"user@here.example"}}), change: chain, facts: []Fact{FactRecipients, FactARC, FactLocalParts}},
		{name: "scope list_ids", spec: allow(Scope{ListIDs: []string{"dev.lists.example"}}, client), facts: []Fact{FactTraces},
			change: func(m *evidence.Message) { m.Traces.ListID = "dev.lists.example" }},
		{name: "block by clients", spec: block(Scope{}, client), change: quarantine, facts: []Fact{FactClient, FactReceived}},
		{name: "block by dkim", spec: block(Scope{}, Proof{DKIM: []string{"vendor.example"}}), change: quarantine, facts: []Fact{FactDKIM}},
		{name: "block by spf", spec: block(Scope{}, Proof{SPF: []string{"sender.example"}}), change: quarantine, facts: []Fact{FactSPF}},
		{name: "block by ptr", spec: block(Scope{}, Proof{PTR: []string{"mail.example.net"}}), change: quarantine, facts: []Fact{FactIPRev}},
		{name: "block by list", spec: block(Scope{ListIDs: []string{"dev.lists.example"}}, Proof{}), change: quarantine, facts: []Fact{FactTraces}},
		{name: "block by recipient", spec: block(Scope{Recipients: []string{"here.example"}}, Proof{}), change: quarantine, facts: []Fact{FactRecipients}},
		{name: "a trusted sealer", spec: sealer(Sealer{}), change: chain, facts: []Fact{FactARC}},
		{name: "a sealer for an organization", spec: sealer(Sealer{AuthorDomains: []string{"org:bank.example"}}), change: chain, facts: append(org, FactARC)},
		{name: "a sealer for recipients", spec: sealer(Sealer{Recipients: []string{"here.example"}}), change: chain, facts: []Fact{FactRecipients, FactARC}},
		{name: "a sealer with clients", spec: sealer(Sealer{Clients: nets("192.0.2.1/32")}), change: chain, facts: []Fact{FactClient, FactReceived, FactARC}},
		{name: "a sealer that found it aligned", spec: sealer(Sealer{Require: RequireAligned}), change: aligned, facts: append(org, FactARC)},
		{name: "domains", spec: Spec{Domains: []DomainRule{{AuthorDomains: []string{"org:bank.example"}, Handling: Handling{Reject: Tag}}}}, facts: org},
		{name: "profiles", spec: Spec{Profiles: []Profile{{Recipients: []string{"user@here.example"}, Handling: Handling{Reject: Tag}}}}, facts: []Fact{FactRecipients, FactLocalParts}},
		{name: "a profile behind that of the domain", facts: []Fact{FactRecipients}, spec: Spec{Profiles: []Profile{
			{Recipients: []string{"here.example"}, Handling: Handling{Reject: Tag}}, {Recipients: []string{"user@here.example"}, Handling: Handling{Reject: Hold}}}}},
		{name: "a profile at a literal", facts: []Fact{FactRecipients, FactLocalParts}, spec: Spec{Profiles: []Profile{
			{Recipients: []string{"ceo@here.example"}, Handling: Handling{Reject: Tag}}}},
			change: func(m *evidence.Message) { m.Recipients = []evidence.Recipient{{Address: "ceo@[192.0.2.9]"}} }},
		{name: "rollout", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Percent: 51}}}}, facts: []Fact{FactSample}},
		{name: "pct", change: func(m *evidence.Message) { m.DMARC[0].Published.Pct = 50 }, facts: []Fact{FactSample}},
		{name: "pct of what is put off", change: func(m *evidence.Message) {
			d := &m.DMARC[0]
			d.Published.Pct, d.Result, d.IdentifierTemporary = 50, evidence.TempError, true
		}, facts: []Fact{FactSample}},
		{name: "a signature that the MTA spoiled", facts: append(org, FactDKIM), change: func(m *evidence.Message) {
			m.DKIM = []evidence.Signature{{Result: evidence.Neutral, FailedOn: evidence.FailedTransport, Domain: "mail.bank.example"}}
		}},
		{name: "no_record unauthenticated", spec: Spec{NoRecord: NoRecord{Unauthenticated: Tag}}, change: unpublished, facts: []Fact{FactDKIM, FactSPF}},
		{name: "no_record unauthenticated, signed by a sibling", spec: Spec{NoRecord: NoRecord{Unauthenticated: Tag}}, facts: append(org, FactDKIM), change: func(m *evidence.Message) {
			unpublished(m)
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "mail.bank.example"}}
		}},
		{name: "no_record spf_fail", spec: Spec{NoRecord: NoRecord{SPFFail: Reject}}, change: unpublished, facts: []Fact{FactSPF, FactDKIM}},
		{name: "own_domains", spec: Spec{Own: []OwnDomains{{Domains: []string{"org:bank.example"}}}}, change: unpublished, facts: []Fact{FactDKIM, FactSPF}},
	}
}

// Each kind of rule with each section not looked up: what the rule needs is listed,
// and it holds neither for nor against the message.
func TestARuleThatNeedsAFactWhichIsMissingIsUndecidable(t *testing.T) {
	for _, kind := range kindsOfRules() {
		rules := rulesOf(t, kind.spec)
		whole := func() *evidence.Message {
			m := message(with(failing("reject"), func(d *evidence.DMARC) { d.AuthorDomain = "sub.bank.example" }))
			if kind.change != nil {
				kind.change(m)
			}
			return m
		}
		known := Decide(whole(), rules)
		if known.Undecidable != nil {
			t.Errorf("%s: %q with everything looked up", kind.name, known.Undecidable)
		}
		for fact, remove := range unlooked {
			ev := whole()
			remove(ev)
			v := Decide(ev, rules)
			if needed := slices.Contains(kind.facts, fact) || fact == FactDKIM && byPolicy(&known); needed != slices.Contains(v.Undecidable, fact) && (needed || !general(fact)) {
				t.Errorf("%s without %s: undecidable %q, and needs %q; %s by %s", kind.name, fact, v.Undecidable, kind.facts, v.Delivery, v.Reason)
			}
			if len(kind.spec.Handling.Signals) > 0 && slices.Contains(kind.facts, fact) && v.Delivery == Refuse {
				t.Errorf("%s: refused without %s", kind.name, fact)
			}
		}
	}
}

// byPolicy reports whether the policy refuses, which a signature that the MTA spoiled
// would put off.
func byPolicy(v *Verdict) bool {
	return v.Delivery == Refuse && (v.Step == StepPolicy || v.Step == StepHandling)
}

// general facts are looked at for every message.
func general(f Fact) bool {
	return f == FactFrom || f == FactDMARC || f == FactClient || f == FactReceived
}

func TestAllMissingFactsAreListed(t *testing.T) {
	x := entry(Accept, Scope{Recipients: []string{"here.example"}}, Proof{Clients: nets("192.0.2.1/32"), PTR: []string{"mail.example.net"}, DKIM: []string{"vendor.example"}})
	rules := rulesOf(t, Spec{Exceptions: []Exception{x}, Sealers: []Sealer{{Domains: []string{"lists.example"}}},
		Handling: Handling{RejectMode: Corroborated}})
	other := with(failing("reject"), func(d *evidence.DMARC) { d.AuthorDomain, d.OrgDomain, d.Published.Pct = "other.example", "", 20 })
	ev := &evidence.Message{Time: now, Sample: -1, MailFrom: "a@b.example", DMARC: []evidence.DMARC{failing("reject"), other}}
	want := []Fact{FactFrom, FactARC, FactClient, FactDKIM, FactIPRev, FactRecipients, FactSample, FactSPF, FactTraces}
	slices.Sort(want)
	if v := Decide(ev, rules); !slices.Equal(v.Undecidable, want) || v.Delivery != DeliverTag {
		t.Errorf("%s, undecidable %q, want %q", v.Delivery, v.Undecidable, want)
	}
}

// From can be cut from a record of which the evaluations stay. Whether it was usable
// is not known then, which counts for mail that passes too.
func TestFromIsMissedThoughThereAreEvaluations(t *testing.T) {
	for _, result := range []evidence.Result{evidence.Pass, evidence.Fail} {
		ev := message(with(failing("reject"), func(d *evidence.DMARC) { d.Result = result }))
		ev.Looked &^= evidence.SectionFrom
		ev.From = evidence.From{}
		if v := Decide(ev, Defaults()); !slices.Equal(v.Undecidable, []Fact{FactFrom}) {
			t.Errorf("%s: undecidable %q", result, v.Undecidable)
		}
	}
}

// A fact that could change nothing is not needed.
func TestFactsThatCouldChangeNothingAreNotListed(t *testing.T) {
	pass := with(failing("reject"), func(d *evidence.DMARC) { d.Result = evidence.Pass })
	for _, kind := range kindsOfRules() {
		if len(kind.spec.Exceptions) > 0 {
			continue // a block entry holds for mail that passes
		}
		for fact, remove := range unlooked {
			ev := message(pass)
			remove(ev)
			if v := Decide(ev, rulesOf(t, kind.spec)); v.Undecidable != nil && fact != FactFrom && fact != FactDMARC {
				t.Errorf("%s without %s: a pass has %q", kind.name, fact, v.Undecidable)
			}
		}
	}
}
