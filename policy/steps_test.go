package policy

import (
	"net/netip"
	"testing"
	"time"

	"alignd/evidence"
)

func TestNotJudged(t *testing.T) {
	client := func(ip string) func(*evidence.Message) {
		return func(m *evidence.Message) { m.Client.Peer = netip.MustParseAddr(ip) }
	}
	own := Spec{NotJudged: NotJudged{Networks: []Network{
		{ID: "office", Prefix: netip.MustParsePrefix("198.51.100.0/24"), Source: Source{"a.yaml", 7}},
		{Prefix: netip.MustParsePrefix("2001:db8::/32")},
	}}}
	for _, row := range []struct {
		name string
		spec Spec
		f    func(*evidence.Message)
		rule string // "" means judged
	}{
		{"an authenticated client is not judged", Spec{}, func(m *evidence.Message) { m.AuthUser = "jo" }, "authenticated"},
		{"unless the admin wants it", Spec{NotJudged: NotJudged{JudgeAuthenticated: true}}, func(m *evidence.Message) { m.AuthUser = "jo" }, ""},
		{"a loopback client is not judged", Spec{}, client("127.0.0.9"), "loopback"},
		{"nor is an IPv6 loopback client", Spec{}, client("::1"), "loopback"},
		{"nor is an IPv4-mapped loopback client", Spec{}, client("::ffff:127.0.0.1"), "loopback"},
		{"loopback can be judged", Spec{NotJudged: NotJudged{JudgeLoopback: true}}, client("127.0.0.1"), ""},
		{"a listed network is not judged", own, client("198.51.100.200"), "office"},
		{"an entry without id is named by its network", own, client("2001:db8::1"), "2001:db8::/32"},
		{"another client is judged", own, client("198.51.101.1"), ""},
		{"a client without address is judged", own, func(m *evidence.Message) { m.Client.Peer = netip.Addr{} }, ""},
		{"behind a relay in that network the original client counts", own, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Original = netip.MustParseAddr("198.51.100.1"), "gw", netip.MustParseAddr("203.0.113.5")
		}, ""},
		{"a trusted relay in that network is judged", own, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay = netip.MustParseAddr("198.51.100.1"), "gw"
		}, ""},
		{"a trusted relay on loopback is judged", Spec{}, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay = netip.MustParseAddr("127.0.0.1"), "gw"
		}, ""},
		{"a client in that network that a relay names is judged", own, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Original = netip.MustParseAddr("203.0.113.5"), "gw", netip.MustParseAddr("198.51.100.1")
		}, ""},
		{"a loopback client that a relay names is judged", Spec{}, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Original = netip.MustParseAddr("203.0.113.5"), "gw", netip.MustParseAddr("127.0.0.1")
		}, ""},
		{"mail that began in that network behind a relay is not judged", own, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Began = netip.MustParseAddr("203.0.113.5"), "gw", netip.MustParseAddr("198.51.100.1")
		}, "office"},
		{"mail that began at another trusted host is judged", own, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Began = netip.MustParseAddr("198.51.100.1"), "gw", netip.MustParseAddr("203.0.113.5")
		}, ""},
		{"a client that was not found behind a relay is judged", own, func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.RelayProblem = netip.MustParseAddr("198.51.100.1"), "gw", "no Received field"
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(change(message(failing("reject")), row.f), rulesOf(t, row.spec))
			if v.NotJudged != (row.rule != "") || v.NotJudged && (v.Rule != row.rule || v.Delivery != Deliver || v.Step != StepNotJudged ||
				v.Requested != RequestedReject || v.Override != OverrideLocalPolicy) {
				t.Errorf("got %+v, want rule %q", v, row.rule)
			}
			if v.Rule == "office" && (v.File != "a.yaml" || v.Line != 7) {
				t.Errorf("position: got %s:%d", v.File, v.Line)
			}
		})
	}
}

func TestUnusableFrom(t *testing.T) {
	problem := func(p evidence.FromProblem, dm ...evidence.DMARC) *evidence.Message {
		ev := message(dm...)
		ev.From.Problem = p
		return ev
	}
	fields := func(n int, ev *evidence.Message) *evidence.Message {
		ev.From.Fields = n
		return ev
	}
	passing := with(failing("reject"), func(d *evidence.DMARC) { d.Result = evidence.Pass })
	lenient := rulesOf(t, Spec{From: FromActions{Missing: Accept, Several: Tag}})
	for _, row := range []struct {
		name  string
		ev    *evidence.Message
		rules *Rules
		want  want
	}{
		{"no From is refused (RFC 9989 section 11.5)", problem(evidence.FromMissing), Defaults(),
			want{"reject", "refuse", "none", StepFrom, "from.missing", "local_policy", "550 5.6.0 Email rejected: the message has no From field"}},
		{"several From fields are refused although each passes", problem(evidence.FromSeveral, passing), Defaults(),
			want{"reject", "refuse", "none", StepFrom, "from.several", "local_policy", "550 5.6.0 Email rejected: the message has several From fields"}},
		{"too many domains are refused", problem(evidence.FromTooMany, passing), Defaults(),
			want{"reject", "refuse", "none", StepFrom, "from.too_many", "local_policy", "550 5.6.0 Email rejected: the From field names too many domains"}},
		{"too many domains in several fields are told as that", fields(5, problem(evidence.FromTooMany, passing)), Defaults(),
			want{"reject", "refuse", "none", StepFrom, "from.too_many", "local_policy", "550 5.6.0 Email rejected: the message has several From fields with too many domains"}},
		{"an empty group is tagged", problem(evidence.FromEmpty), Defaults(),
			want{"quarantine", "tag", "none", StepFrom, "from.empty", "local_policy", ""}},
		{"an unparsable From is tagged", problem(evidence.FromUnparsable), Defaults(),
			want{"quarantine", "tag", "none", StepFrom, "from.unparsable", "local_policy", ""}},
		{"a problem that is unknown here is handled as unparsable", problem("new kind"), Defaults(),
			want{"quarantine", "tag", "none", StepFrom, "from.unparsable", "local_policy", ""}},
		{"a tagged From is still judged by the domains it has", problem(evidence.FromUnparsable, failing("reject")), Defaults(),
			want{"reject", "refuse", "reject", StepPolicy, "", "", "550 5.7.26 Email rejected per DMARC policy for bank.example"}},
		{"several From fields, tagged, stay tagged when all pass", problem(evidence.FromSeveral, passing), lenient,
			want{"quarantine", "tag", "none", StepFrom, "from.several", "local_policy", ""}},
		{"no From is accepted where the admin says so", problem(evidence.FromMissing), lenient,
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
	} {
		t.Run(row.name, func(t *testing.T) { check(t, row.ev, row.rules, row.want) })
	}
}

func TestSeveralAuthorDomainsAreJudgedByTheWorst(t *testing.T) {
	of := func(name string, r evidence.Result, p evidence.DMARCPolicy) evidence.DMARC {
		d := failing(p)
		d.AuthorDomain, d.OrgDomain, d.Result = name, name, r
		d.IdentifierTemporary = r == evidence.TempError
		return d
	}
	for _, row := range []struct {
		name     string
		dm       []evidence.DMARC
		decisive int
		del      Delivery
	}{
		{"one failing p=reject among passes", []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "fail", "reject")}, 1, Refuse},
		{"the strictest failing policy", []evidence.DMARC{of("a.example", "fail", "quarantine"), of("b.example", "fail", "reject"), of("c.example", "fail", "none")}, 1, Refuse},
		{"a fail before none and pass", []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "fail", "none"), of("c.example", "none", "")}, 1, Deliver},
		{"permerror before none and pass", []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "none", ""), of("c.example", "permerror", "")}, 2, Deliver},
		{"a deferral before a fail that changes nothing", []evidence.DMARC{of("a.example", "fail", "none"), of("b.example", "temperror", "reject")}, 1, DeliverDefer},
		{"all pass: the first", []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "pass", "reject")}, 0, Deliver},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(message(row.dm...), Defaults())
			if v.Evaluation != row.decisive+1 || v.Delivery != row.del {
				t.Errorf("got %d %s, want %d %s", v.Evaluation-1, v.Delivery, row.decisive, row.del)
			}
		})
	}
	for _, row := range []struct {
		result   evidence.Result
		decisive int
	}{{"none", 1}, {"permerror", 1}, {"pass", 1}, {"fail", 0}} {
		ev := message(of("bank.example", row.result, "reject"), of("bank.example.net", "pass", "reject"))
		ev.From.Partial = []string{"bank.example"}
		if v := Decide(ev, Defaults()); v.Evaluation != row.decisive+1 || (v.Delivery == Refuse) != (row.result == "fail") {
			t.Errorf("what may be taken for the author, %s: got %d %s, want %d", row.result, v.Evaluation-1, v.Delivery, row.decisive)
		}
	}
	vendor := rulesOf(t, Spec{Exceptions: []Exception{{ID: "vendor", Action: Accept, NeverExpires: true,
		Scope: Scope{AuthorDomains: []string{"a.example"}}, Proof: Proof{Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}}}})
	v := Decide(message(of("a.example", "fail", "reject"), of("b.example", "fail", "quarantine")), vendor)
	if v.Delivery != DeliverTag || v.Evaluation != 2 {
		t.Errorf("an allow entry for one Author Domain freed another: %+v", v)
	}
}

func TestHandling(t *testing.T) {
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	domain := func(h Handling, patterns ...string) []DomainRule {
		return []DomainRule{{ID: "rule", AuthorDomains: patterns, Handling: h, Source: Source{"d.yaml", 3}}}
	}
	sub := func(p evidence.DMARCPolicy) evidence.DMARC {
		return with(failing(p), func(d *evidence.DMARC) { d.AuthorDomain = "news.bank.example" })
	}
	refused := want{"reject", "refuse", "reject", StepPolicy, "", "", "550 5.7.26 Email rejected per DMARC policy for bank.example"}
	local := func(disp Disposition, del Delivery, req Requested, rule string) want {
		return want{disp, del, req, StepHandling, rule, "local_policy", ""}
	}
	for _, row := range []struct {
		name string
		spec Spec
		ev   *evidence.Message
		want want
	}{
		{"reject can be quarantined for all", Spec{Handling: Handling{Reject: Quarantine}}, message(failing("reject")), local("quarantine", "tag", "reject", "honor.reject")},
		{"quarantine can be carried out as hold", Spec{Handling: Handling{QuarantineAs: Hold}}, message(failing("quarantine")),
			want{"quarantine", "hold", "quarantine", StepPolicy, "", "", ""}},
		{"quarantine can be carried out as reject", Spec{Handling: Handling{QuarantineAs: Reject}}, message(failing("quarantine")),
			want{"reject", "refuse", "quarantine", StepHandling, "quarantine_as", "local_policy", refused.reply}},
		{"tag stays tag where quarantine is held", Spec{Handling: Handling{Reject: Tag, QuarantineAs: Hold}}, message(failing("reject")), local("quarantine", "tag", "reject", "honor.reject")},
		{"an exact Author Domain", Spec{Domains: domain(Handling{Reject: Accept}, "bank.example")}, message(failing("reject")), local("accept", "deliver", "reject", "rule")},
		{"an exact Author Domain is not its subdomain", Spec{Domains: domain(Handling{Reject: Accept}, "bank.example")}, message(sub("none")),
			want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"a leading dot means below", Spec{Domains: domain(Handling{Reject: Accept}, ".bank.example")}, message(sub("reject")), local("accept", "deliver", "reject", "rule")},
		{"a leading dot is not the domain itself", Spec{Domains: domain(Handling{Reject: Accept}, ".bank.example")}, message(failing("reject")), refused},
		{"org: means the Organizational Domain", Spec{Domains: domain(Handling{Reject: Accept}, "org:bank.example")}, message(sub("reject")), local("accept", "deliver", "reject", "rule")},
		{"org: holds for nothing where it was not looked up", Spec{Domains: domain(Handling{Reject: Accept}, "org:bank.example")},
			message(with(sub("reject"), func(d *evidence.DMARC) { d.OrgDomain = "" })),
			with(refused, func(w *want) { w.reply = "550 5.7.26 Email rejected per DMARC policy for news.bank.example" })},
		{"org: does not match another Organizational Domain", Spec{Domains: domain(Handling{Reject: Accept}, "org:example")}, message(failing("reject")), refused},
		{"the most specific pattern wins", Spec{Domains: append(domain(Handling{Reject: Accept}, "*", ".example"), DomainRule{ID: "exact", AuthorDomains: []string{"bank.example"}, Handling: Handling{Reject: Tag}})},
			message(failing("reject")), local("quarantine", "tag", "reject", "exact")},
		{"p=none can be acted on, as local policy", Spec{Domains: domain(Handling{None: Tag}, "bank.example")}, message(failing("none")), local("quarantine", "tag", "none", "rule")},
		{"corroborated: without a signal reject becomes quarantine (RFC 9989 section 7.4)", Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalNonExistent}}},
			message(failing("reject")), local("quarantine", "tag", "reject", "reject_mode")},
		{"corroborated: a direct message is rejected", Spec{Handling: Handling{RejectMode: Corroborated}}, message(failing("reject")), refused},
		{"corroborated: list mail with a broken signature is quarantined", Spec{Handling: Handling{RejectMode: Corroborated}},
			change(message(failing("reject")), func(m *evidence.Message) {
				m.Traces.List = true
				m.DKIM = []evidence.Signature{{Result: evidence.Fail, Domain: "bank.example"}}
			}), local("quarantine", "tag", "reject", "reject_mode")},
		{"corroborated: SPF fail of the Author Domain is a signal", Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalSPFFail}}},
			change(message(failing("reject")), func(m *evidence.Message) {
				m.SPF.MailFrom.Domain, m.SPF.MailFrom.Result = "bounce.bank.example", evidence.Fail
			}), refused},
		{"zero_as_test: pct=0 steps down", Spec{Handling: Handling{Pct: PctZeroAsTest}}, message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 0 })),
			want{"quarantine", "tag", "quarantine", StepPolicy, "", "other", ""}},
		{"zero_as_test: pct=10 is nothing", Spec{Handling: Handling{Pct: PctZeroAsTest}}, message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 10 })), refused},
		{"ignore: pct=0 is nothing (RFC 9989 section 9.3)", Spec{Handling: Handling{Pct: PctIgnore}}, message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 0 })), refused},
		{"rollout before its first date is monitor", Spec{Handling: Handling{Rollout: []Stage{{Name: StageReject, Start: day(1)}}}}, message(failing("reject")), local("accept", "deliver", "reject", "rollout")},
		{"rollout at tag", Spec{Handling: Handling{QuarantineAs: Hold, Rollout: []Stage{{Name: StageTag, Start: day(-1)}, {Name: StageReject, Start: day(1)}}}},
			message(failing("reject")), local("quarantine", "tag", "reject", "rollout")},
		{"rollout at quarantine", Spec{Handling: Handling{QuarantineAs: Hold, Rollout: []Stage{{Name: StageTag}, {Name: StageQuarantine, Start: day(-1)}}}},
			message(failing("reject")), local("quarantine", "hold", "reject", "rollout")},
		{"rollout at reject", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Start: now}}}}, message(failing("reject")), refused},
		{"rollout for a share: below it", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Percent: 51}}}}, message(failing("reject")), refused},
		{"rollout for a share: not below it", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Percent: 50}}}}, message(failing("reject")), local("quarantine", "tag", "reject", "rollout")},
		{"rollout of one domain", Spec{Domains: domain(Handling{Rollout: []Stage{{Name: StageMonitor}}}, "bank.example")}, message(failing("reject")), local("accept", "deliver", "reject", "rule")},
		{"rollout at tag does not tag what is unresolved", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}}}},
			message(with(failing("reject"), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = evidence.TempError, true })),
			want{"accept", "deliver", "none", StepHandling, "rollout", "other", ""}},
		{"monitor mode never acts", Spec{Mode: Monitor}, message(failing("reject")), want{"accept", "deliver", "reject", StepPolicy, "", "local_policy", ""}},
		{"monitor mode leaves an unusable From", Spec{Mode: Monitor}, change(message(), func(m *evidence.Message) { m.From.Problem = evidence.FromMissing }),
			want{"accept", "deliver", "none", StepFrom, "from.missing", "", ""}},
		{"a relay would bounce: quarantine", Spec{}, change(message(failing("reject")), func(m *evidence.Message) { m.Client.Relay = "gw" }), want{"quarantine", "tag", "reject", StepPolicy, "", "local_policy", ""}},
		{"a relay where quarantine is refused: tag", Spec{Handling: Handling{QuarantineAs: Reject}}, change(message(failing("quarantine")), func(m *evidence.Message) { m.Client.Relay = "gw" }),
			want{"quarantine", "tag", "quarantine", StepHandling, "quarantine_as", "", ""}},
		{"a relay that may bounce", Spec{Relays: []Relay{{ID: "gw", Reject: Reject}}}, change(message(failing("reject")), func(m *evidence.Message) { m.Client.Relay = "gw" }), refused},
		{"own domains are protected at p=none", Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}}}}, message(failing("none")),
			want{"reject", "refuse", "none", StepHandling, "ours", "local_policy", "550 5.7.26 Email rejected: it is not authenticated as mail of bank.example"}},
		{"own domains are protected without a record", Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}, Action: Tag}}},
			message(with(failing(""), func(d *evidence.DMARC) { d.Result = evidence.None })), want{"quarantine", "tag", "none", StepHandling, "ours", "local_policy", ""}},
		{"own domains that pass are delivered", Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}}}},
			message(with(failing("none"), func(d *evidence.DMARC) { d.Result = evidence.Pass })), want{"accept", "deliver", "none", StepPolicy, "", "", ""}},
		{"own domains count as enforcing when unresolved", Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}}}},
			message(with(failing("none"), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = evidence.TempError, true })),
			want{"tempfail", "defer", "none", StepTempError, "temperror.unresolved", "", "451 4.7.1 Temporary DNS failure while checking bank.example, try again later"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := check(t, row.ev, rulesOf(t, row.spec), row.want)
			if row.spec.Mode == Monitor && v.Monitor.Delivery != Refuse {
				t.Errorf("Monitor = %+v, want what would have been done", v.Monitor)
			}
		})
	}
}

func TestTheRuleSaysWhereItStands(t *testing.T) {
	at := func(line int) Source { return Source{"alignd.yaml", line} }
	spec := Spec{
		Handling:   Handling{Reject: Quarantine, QuarantineAs: Hold, RejectMode: Corroborated},
		TempErrors: TempErrors{PolicyUnknown: Tag},
		NoRecord:   NoRecord{Unauthenticated: Tag, SPFFail: Hold},
		PermError:  Tag,
		Domains: []DomainRule{
			{ID: "cautious", AuthorDomains: []string{"bank.example"}, Handling: Handling{Reject: Reject, Signals: []Signal{SignalNonExistent}}, Source: at(30)},
			{ID: "letter", AuthorDomains: []string{"letter.example"}, Handling: Handling{Reject: Reject, RejectMode: Corroborated, Signals: []Signal{SignalNonExistent}}, Source: at(40)},
		},
		Options: map[string]Source{"honor.reject": at(2), "reject_mode": at(4), "quarantine_as": at(5), "temperror.policy_unknown": at(7),
			"unauthenticated": at(8), "spf_fail": at(9), "permerror": at(10), "from.missing": at(11), "on_error": at(12)},
	}
	of := func(name string, r evidence.Result, f func(*evidence.DMARC)) *evidence.Message {
		d := failing(evidence.PolicyReject)
		d.AuthorDomain, d.OrgDomain, d.Result = name, name, r
		if f != nil {
			f(&d)
		}
		return message(d)
	}
	noFrom := message()
	noFrom.From.Problem = evidence.FromMissing
	for _, row := range []struct {
		name string
		ev   *evidence.Message
		rule string
		line int
	}{
		{"an option for all", of("other.example", "fail", nil), "honor.reject", 2},
		{"an option that an entry leaves open", of("bank.example", "fail", nil), "reject_mode", 4},
		{"an entry that sets it", of("letter.example", "fail", nil), "letter", 40},
		{"a policy that could not be looked up", of("other.example", "temperror", func(d *evidence.DMARC) { d.PolicyTemporary, d.Policy = true, "" }), "temperror.policy_unknown", 7},
		{"a default has no place", of("other.example", "temperror", func(d *evidence.DMARC) { d.IdentifierTemporary = true }), "temperror.unresolved", 0},
		{"a domain without a record", of("other.example", "none", nil), "unauthenticated", 8},
		{"a domain without a record that fails SPF", change(of("other.example", "none", nil), func(m *evidence.Message) { m.SPF.MailFrom.Result = "fail" }), "spf_fail", 9},
		{"an unusable record", of("other.example", "permerror", nil), "permerror", 10},
		{"no From", noFrom, "from.missing", 11},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(row.ev, rulesOf(t, spec))
			want := Source{}
			if row.line > 0 {
				want = at(row.line)
			}
			if got := (Source{v.File, v.Line}); v.Rule != row.rule || got != want {
				t.Errorf("got %q at %v, want %q at %v: %s", v.Rule, got, row.rule, want, v.Reason)
			}
		})
	}
}

func TestDomainsThatPublishNothing(t *testing.T) {
	spec := Spec{NoRecord: NoRecord{Unauthenticated: Tag, SPFFail: Reject}}
	none := func(f func(*evidence.Message)) *evidence.Message {
		return change(message(evidence.DMARC{AuthorDomain: "bank.example", Result: evidence.None}), f)
	}
	spf := func(domain string, r evidence.Result) func(*evidence.Message) {
		return func(m *evidence.Message) { m.SPF.MailFrom.Domain, m.SPF.MailFrom.Result = domain, r }
	}
	accepted := want{"accept", "deliver", "none", StepPolicy, "", "", ""}
	tagged := want{"quarantine", "tag", "none", StepHandling, "unauthenticated", "local_policy", ""}
	for _, row := range []struct {
		name string
		spec Spec
		ev   *evidence.Message
		want want
	}{
		{"SPF fail is accepted by default (RFC 7208 section 8.4)", Spec{}, none(spf("sender.example", "fail")), accepted},
		{"SPF fail is refused with 5.7.23 (RFC 7372 section 3.2)", spec, none(spf("sender.example", "fail")),
			want{"reject", "refuse", "none", StepHandling, "spf_fail", "local_policy", "550 5.7.23 Email rejected: SPF of sender.example does not allow the client"}},
		{"SPF softfail is not SPF fail", spec, none(spf("sender.example", "softfail")), tagged},
		{"SPF pass of the Author Domain's family authenticates", spec, none(spf("bounce.bank.example", "pass")), accepted},
		{"SPF pass of a stranger does not", spec, none(spf("sender.example", "pass")), tagged},
		{"a DKIM pass of the Author Domain outweighs SPF fail", spec, none(func(m *evidence.Message) {
			spf("sender.example", "fail")(m)
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "bank.example"}}
		}), accepted},
		{"a DKIM pass of a public suffix does not", spec, none(func(m *evidence.Message) {
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "example", PublicSuffix: true}}
		}), tagged},
		{"for the null reverse-path HELO counts", spec, none(func(m *evidence.Message) {
			m.MailFrom, m.MailFromDomain, m.SPF.MailFrom = "", "", nil
			m.SPF.HELO = &evidence.SPFCheck{Domain: "mail.example.net", Result: evidence.Fail}
		}), want{"reject", "refuse", "none", StepHandling, "spf_fail", "local_policy", "550 5.7.23 Email rejected: SPF of mail.example.net does not allow the client"}},
		{"a domain with p=none is left alone", spec, change(message(failing("none")), spf("sender.example", "fail")), accepted},
	} {
		t.Run(row.name, func(t *testing.T) { check(t, row.ev, rulesOf(t, row.spec), row.want) })
	}
}

func TestRecipientProfiles(t *testing.T) {
	spec := Spec{
		Handling:            Handling{Reject: Tag, Quarantine: Tag},
		ExtensionDelimiters: "+",
		Profiles: []Profile{
			{ID: "executives", Recipients: []string{"ceo@here.example", ".vip.example"}, Handling: Handling{Reject: Reject}, Source: Source{"p.yaml", 9}},
			{ID: "postmaster", Recipients: []string{"postmaster@here.example"}, Handling: Handling{Reject: Accept}},
		},
	}
	rules := rulesOf(t, spec)
	for _, row := range []struct {
		name      string
		to        []string
		del       Delivery
		rule, who string
	}{
		{"nobody special", []string{"a@here.example"}, DeliverTag, "honor.reject", ""},
		{"a listed recipient", []string{"ceo@here.example"}, Refuse, "executives", "ceo@here.example"},
		{"case and extension do not hide the recipient", []string{"CEO+x@HERE.example"}, Refuse, "executives", "CEO+x@HERE.example"},
		{"quotes that are not needed do not hide the recipient (RFC 5321 section 4.1.2)", []string{`"ceo+x"@here.example`}, Refuse, "executives", `"ceo+x"@here.example`},
		{"a domain pattern", []string{"a@b.vip.example"}, Refuse, "executives", "a@b.vip.example"},
		{"a strict profile holds if any recipient has it", []string{"a@here.example", "postmaster@here.example", "ceo@here.example"}, Refuse, "executives", "ceo@here.example"},
		{"a lenient profile alone", []string{"postmaster@here.example"}, Deliver, "postmaster", "postmaster@here.example"},
		{"a lenient profile holds only if every recipient has it", []string{"postmaster@here.example", "a@here.example"}, DeliverTag, "honor.reject", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			ev := message(failing("reject"))
			ev.Recipients = nil
			for _, a := range row.to {
				ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: a})
			}
			v := Decide(ev, rules)
			if v.Delivery != row.del || v.Rule != row.rule || v.Recipient != row.who {
				t.Errorf("got %s %q %q, want %s %q %q", v.Delivery, v.Rule, v.Recipient, row.del, row.rule, row.who)
			}
		})
	}
}
