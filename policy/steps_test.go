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
		{ID: "office", Prefix: netip.MustParsePrefix("198.51.100.0/24"), Source: Source{File: "a.yaml", Line: 7}},
		{Prefix: netip.MustParsePrefix("2001:db8::/32")},
	}}}
	for _, row := range []struct {
		name string
		spec Spec
		f    func(*evidence.Message)
		rule string // "" means judged
	}{
		{name: "an authenticated client is not judged", f: func(m *evidence.Message) { m.AuthUser = "jo" }, rule: "authenticated"},
		{name: "unless the admin wants it", spec: Spec{NotJudged: NotJudged{JudgeAuthenticated: true}}, f: func(m *evidence.Message) { m.AuthUser = "jo" }},
		{name: "a loopback client is not judged", f: client("127.0.0.9"), rule: "loopback"},
		{name: "nor is an IPv6 loopback client", f: client("::1"), rule: "loopback"},
		{name: "nor is an IPv4-mapped loopback client", f: client("::ffff:127.0.0.1"), rule: "loopback"},
		{name: "loopback can be judged", spec: Spec{NotJudged: NotJudged{JudgeLoopback: true}}, f: client("127.0.0.1")},
		{name: "a listed network is not judged", spec: own, f: client("198.51.100.200"), rule: "office"},
		{name: "an entry without id is named by its network", spec: own, f: client("2001:db8::1"), rule: "2001:db8::/32"},
		{name: "another client is judged", spec: own, f: client("198.51.101.1")},
		{name: "a client without address is judged", spec: own, f: func(m *evidence.Message) { m.Client.Peer = netip.Addr{} }},
		{name: "behind a relay in that network the original client counts", spec: own, f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Original = netip.MustParseAddr("198.51.100.1"), "gw", netip.MustParseAddr("203.0.113.5")
		}},
		{name: "a trusted relay in that network is judged", spec: own, f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay = netip.MustParseAddr("198.51.100.1"), "gw"
		}},
		{name: "a trusted relay on loopback is judged", f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay = netip.MustParseAddr("127.0.0.1"), "gw"
		}},
		{name: "a client in that network that a relay names is judged", spec: own, f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Original = netip.MustParseAddr("203.0.113.5"), "gw", netip.MustParseAddr("198.51.100.1")
		}},
		{name: "a loopback client that a relay names is judged", f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Original = netip.MustParseAddr("203.0.113.5"), "gw", netip.MustParseAddr("127.0.0.1")
		}},
		{name: "mail that began in that network behind a relay is not judged", spec: own, f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Began = netip.MustParseAddr("203.0.113.5"), "gw", netip.MustParseAddr("198.51.100.1")
		}, rule: "office"},
		{name: "mail that began at another trusted host is judged", spec: own, f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.Began = netip.MustParseAddr("198.51.100.1"), "gw", netip.MustParseAddr("203.0.113.5")
		}},
		{name: "a client that was not found behind a relay is judged", spec: own, f: func(m *evidence.Message) {
			m.Client.Peer, m.Client.Relay, m.Client.RelayProblem = netip.MustParseAddr("198.51.100.1"), "gw", "no Received field"
		}},
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
		{name: "no From is refused (RFC 9989 section 11.5)", ev: problem(evidence.FromMissing), rules: Defaults(),
			want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepFrom, rule: "from.missing", override: "local_policy", reply: "550 5.6.0 Email rejected: the message has no From field"}},
		{name: "several From fields are refused although each passes", ev: problem(evidence.FromSeveral, passing), rules: Defaults(),
			want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepFrom, rule: "from.several", override: "local_policy", reply: "550 5.6.0 Email rejected: the message has several From fields"}},
		{name: "too many domains are refused", ev: problem(evidence.FromTooMany, passing), rules: Defaults(),
			want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepFrom, rule: "from.too_many", override: "local_policy", reply: "550 5.6.0 Email rejected: the From field names too many domains"}},
		{name: "too many domains in several fields are told as that", ev: fields(5, problem(evidence.FromTooMany, passing)), rules: Defaults(),
			want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepFrom, rule: "from.too_many", override: "local_policy", reply: "550 5.6.0 Email rejected: the message has several From fields with too many domains"}},
		{name: "an empty group is tagged", ev: problem(evidence.FromEmpty), rules: Defaults(),
			want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepFrom, rule: "from.empty", override: "local_policy"}},
		{name: "an unparsable From is tagged", ev: problem(evidence.FromUnparsable), rules: Defaults(),
			want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepFrom, rule: "from.unparsable", override: "local_policy"}},
		{name: "a problem that is unknown here is handled as unparsable", ev: problem("new kind"), rules: Defaults(),
			want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepFrom, rule: "from.unparsable", override: "local_policy"}},
		{name: "a tagged From is still judged by the domains it has", ev: problem(evidence.FromUnparsable, failing("reject")), rules: Defaults(),
			want: want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: "550 5.7.26 Email rejected per DMARC policy for bank.example"}},
		{name: "several From fields, tagged, stay tagged when all pass", ev: problem(evidence.FromSeveral, passing), rules: lenient,
			want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepFrom, rule: "from.several", override: "local_policy"}},
		{name: "no From is accepted where the admin says so", ev: problem(evidence.FromMissing), rules: lenient,
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
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
		delivery Delivery
	}{
		{name: "one failing p=reject among passes", dm: []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "fail", "reject")}, decisive: 1, delivery: Refuse},
		{name: "the strictest failing policy", dm: []evidence.DMARC{of("a.example", "fail", "quarantine"), of("b.example", "fail", "reject"), of("c.example", "fail", "none")}, decisive: 1, delivery: Refuse},
		{name: "a fail before none and pass", dm: []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "fail", "none"), of("c.example", "none", "")}, decisive: 1, delivery: Deliver},
		{name: "permerror before none and pass", dm: []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "none", ""), of("c.example", "permerror", "")}, decisive: 2, delivery: Deliver},
		{name: "a deferral before a fail that changes nothing", dm: []evidence.DMARC{of("a.example", "fail", "none"), of("b.example", "temperror", "reject")}, decisive: 1, delivery: DeliverDefer},
		{name: "all pass: the first", dm: []evidence.DMARC{of("a.example", "pass", "reject"), of("b.example", "pass", "reject")}, delivery: Deliver},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(message(row.dm...), Defaults())
			if v.Evaluation != row.decisive+1 || v.Delivery != row.delivery {
				t.Errorf("got %d %s, want %d %s", v.Evaluation-1, v.Delivery, row.decisive, row.delivery)
			}
		})
	}
	for _, row := range []struct {
		result   evidence.Result
		decisive int
	}{{result: "none", decisive: 1}, {result: "permerror", decisive: 1}, {result: "pass", decisive: 1}, {result: "fail"}} {
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
		return []DomainRule{{ID: "rule", AuthorDomains: patterns, Handling: h, Source: Source{File: "d.yaml", Line: 3}}}
	}
	sub := func(p evidence.DMARCPolicy) evidence.DMARC {
		return with(failing(p), func(d *evidence.DMARC) { d.AuthorDomain = "news.bank.example" })
	}
	refused := want{disposition: "reject", delivery: "refuse", requested: "reject", step: StepPolicy, reply: "550 5.7.26 Email rejected per DMARC policy for bank.example"}
	local := func(disp Disposition, del Delivery, req Requested, rule string) want {
		return want{disposition: disp, delivery: del, requested: req, step: StepHandling, rule: rule, override: "local_policy"}
	}
	for _, row := range []struct {
		name string
		spec Spec
		ev   *evidence.Message
		want want
	}{
		{name: "reject can be quarantined for all", spec: Spec{Handling: Handling{Reject: Quarantine}}, ev: message(failing("reject")), want: local("quarantine", "tag", "reject", "honor.reject")},
		{name: "quarantine can be carried out as hold", spec: Spec{Handling: Handling{QuarantineAs: Hold}}, ev: message(failing("quarantine")),
			want: want{disposition: "quarantine", delivery: "hold", requested: "quarantine", step: StepPolicy}},
		{name: "quarantine can be carried out as reject", spec: Spec{Handling: Handling{QuarantineAs: Reject}}, ev: message(failing("quarantine")),
			want: want{disposition: "reject", delivery: "refuse", requested: "quarantine", step: StepHandling, rule: "quarantine_as", override: "local_policy", reply: refused.reply}},
		{name: "tag stays tag where quarantine is held", spec: Spec{Handling: Handling{Reject: Tag, QuarantineAs: Hold}}, ev: message(failing("reject")), want: local("quarantine", "tag", "reject", "honor.reject")},
		{name: "an exact Author Domain", spec: Spec{Domains: domain(Handling{Reject: Accept}, "bank.example")}, ev: message(failing("reject")), want: local("accept", "deliver", "reject", "rule")},
		{name: "an exact Author Domain is not its subdomain", spec: Spec{Domains: domain(Handling{Reject: Accept}, "bank.example")}, ev: message(sub("none")),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "a leading dot means below", spec: Spec{Domains: domain(Handling{Reject: Accept}, ".bank.example")}, ev: message(sub("reject")), want: local("accept", "deliver", "reject", "rule")},
		{name: "a leading dot is not the domain itself", spec: Spec{Domains: domain(Handling{Reject: Accept}, ".bank.example")}, ev: message(failing("reject")), want: refused},
		{name: "org: means the Organizational Domain", spec: Spec{Domains: domain(Handling{Reject: Accept}, "org:bank.example")}, ev: message(sub("reject")), want: local("accept", "deliver", "reject", "rule")},
		{name: "org: holds for nothing where it was not looked up", spec: Spec{Domains: domain(Handling{Reject: Accept}, "org:bank.example")},
			ev:   message(with(sub("reject"), func(d *evidence.DMARC) { d.OrgDomain = "" })),
			want: with(refused, func(w *want) { w.reply = "550 5.7.26 Email rejected per DMARC policy for news.bank.example" })},
		{name: "org: does not match another Organizational Domain", spec: Spec{Domains: domain(Handling{Reject: Accept}, "org:example")}, ev: message(failing("reject")), want: refused},
		{name: "the most specific pattern wins", spec: Spec{Domains: append(domain(Handling{Reject: Accept}, "*", ".example"), DomainRule{ID: "exact", AuthorDomains: []string{"bank.example"}, Handling: Handling{Reject: Tag}})},
			ev: message(failing("reject")), want: local("quarantine", "tag", "reject", "exact")},
		{name: "p=none can be acted on, as local policy", spec: Spec{Domains: domain(Handling{None: Tag}, "bank.example")}, ev: message(failing("none")), want: local("quarantine", "tag", "none", "rule")},
		{name: "corroborated: without a signal reject becomes quarantine (RFC 9989 section 7.4)", spec: Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalNonExistent}}},
			ev: message(failing("reject")), want: local("quarantine", "tag", "reject", "reject_mode")},
		{name: "corroborated: a direct message is rejected", spec: Spec{Handling: Handling{RejectMode: Corroborated}}, ev: message(failing("reject")), want: refused},
		{name: "corroborated: list mail with a broken signature is quarantined", spec: Spec{Handling: Handling{RejectMode: Corroborated}},
			ev: change(message(failing("reject")), func(m *evidence.Message) {
				m.Traces.List = true
				m.DKIM = []evidence.Signature{{Result: evidence.Fail, Domain: "bank.example"}}
			}), want: local("quarantine", "tag", "reject", "reject_mode")},
		{name: "corroborated: SPF fail of the Author Domain is a signal", spec: Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{SignalSPFFail}}},
			ev: change(message(failing("reject")), func(m *evidence.Message) {
				m.SPF.MailFrom.Domain, m.SPF.MailFrom.Result = "bounce.bank.example", evidence.Fail
			}), want: refused},
		{name: "zero_as_test: pct=0 steps down", spec: Spec{Handling: Handling{Pct: PctZeroAsTest}}, ev: message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 0 })),
			want: want{disposition: "quarantine", delivery: "tag", requested: "quarantine", step: StepPolicy, override: "other"}},
		{name: "zero_as_test: pct=10 is nothing", spec: Spec{Handling: Handling{Pct: PctZeroAsTest}}, ev: message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 10 })), want: refused},
		{name: "ignore: pct=0 is nothing (RFC 9989 section 9.3)", spec: Spec{Handling: Handling{Pct: PctIgnore}}, ev: message(with(failing("reject"), func(d *evidence.DMARC) { d.Published.Pct = 0 })), want: refused},
		{name: "rollout before its first date is monitor", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageReject, Start: day(1)}}}}, ev: message(failing("reject")), want: local("accept", "deliver", "reject", "rollout")},
		{name: "rollout at tag", spec: Spec{Handling: Handling{QuarantineAs: Hold, Rollout: []Stage{{Name: StageTag, Start: day(-1)}, {Name: StageReject, Start: day(1)}}}},
			ev: message(failing("reject")), want: local("quarantine", "tag", "reject", "rollout")},
		{name: "rollout at quarantine", spec: Spec{Handling: Handling{QuarantineAs: Hold, Rollout: []Stage{{Name: StageTag}, {Name: StageQuarantine, Start: day(-1)}}}},
			ev: message(failing("reject")), want: local("quarantine", "hold", "reject", "rollout")},
		{name: "rollout at reject", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Start: now}}}}, ev: message(failing("reject")), want: refused},
		{name: "rollout for a share: below it", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Percent: 51}}}}, ev: message(failing("reject")), want: refused},
		{name: "rollout for a share: not below it", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}, {Name: StageReject, Percent: 50}}}}, ev: message(failing("reject")), want: local("quarantine", "tag", "reject", "rollout")},
		{name: "rollout of one domain", spec: Spec{Domains: domain(Handling{Rollout: []Stage{{Name: StageMonitor}}}, "bank.example")}, ev: message(failing("reject")), want: local("accept", "deliver", "reject", "rule")},
		{name: "rollout at tag does not tag what is unresolved", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag}}}},
			ev:   message(with(failing("reject"), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = evidence.TempError, true })),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepHandling, rule: "rollout", override: "other"}},
		{name: "monitor mode never acts", spec: Spec{Mode: Monitor}, ev: message(failing("reject")), want: want{disposition: "accept", delivery: "deliver", requested: "reject", step: StepPolicy, override: "local_policy"}},
		{name: "monitor mode leaves an unusable From", spec: Spec{Mode: Monitor}, ev: change(message(), func(m *evidence.Message) { m.From.Problem = evidence.FromMissing }),
			want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepFrom, rule: "from.missing"}},
		{name: "a relay would bounce: quarantine", ev: change(message(failing("reject")), func(m *evidence.Message) { m.Client.Relay = "gw" }), want: want{disposition: "quarantine", delivery: "tag", requested: "reject", step: StepPolicy, override: "local_policy"}},
		{name: "a relay where quarantine is refused: tag", spec: Spec{Handling: Handling{QuarantineAs: Reject}}, ev: change(message(failing("quarantine")), func(m *evidence.Message) { m.Client.Relay = "gw" }),
			want: want{disposition: "quarantine", delivery: "tag", requested: "quarantine", step: StepHandling, rule: "quarantine_as"}},
		{name: "a relay that may bounce", spec: Spec{Relays: []Relay{{ID: "gw", Reject: Reject}}}, ev: change(message(failing("reject")), func(m *evidence.Message) { m.Client.Relay = "gw" }), want: refused},
		{name: "own domains are protected at p=none", spec: Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}}}}, ev: message(failing("none")),
			want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepHandling, rule: "ours", override: "local_policy", reply: "550 5.7.26 Email rejected: it is not authenticated as mail of bank.example"}},
		{name: "own domains are protected without a record", spec: Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}, Action: Tag}}},
			ev: message(with(failing(""), func(d *evidence.DMARC) { d.Result = evidence.None })), want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepHandling, rule: "ours", override: "local_policy"}},
		{name: "own domains that pass are delivered", spec: Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}}}},
			ev: message(with(failing("none"), func(d *evidence.DMARC) { d.Result = evidence.Pass })), want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}},
		{name: "own domains count as enforcing when unresolved", spec: Spec{Own: []OwnDomains{{ID: "ours", Domains: []string{"bank.example"}}}},
			ev:   message(with(failing("none"), func(d *evidence.DMARC) { d.Result, d.IdentifierTemporary = evidence.TempError, true })),
			want: want{disposition: "tempfail", delivery: "defer", requested: "none", step: StepTempError, rule: "temperror.unresolved", reply: "451 4.7.1 Temporary DNS failure while checking bank.example, try again later"}},
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
	at := func(line int) Source { return Source{File: "alignd.yaml", Line: line} }
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
		{name: "an option for all", ev: of("other.example", "fail", nil), rule: "honor.reject", line: 2},
		{name: "an option that an entry leaves open", ev: of("bank.example", "fail", nil), rule: "reject_mode", line: 4},
		{name: "an entry that sets it", ev: of("letter.example", "fail", nil), rule: "letter", line: 40},
		{name: "a policy that could not be looked up", ev: of("other.example", "temperror", func(d *evidence.DMARC) { d.PolicyTemporary, d.Policy = true, "" }), rule: "temperror.policy_unknown", line: 7},
		{name: "a default has no place", ev: of("other.example", "temperror", func(d *evidence.DMARC) { d.IdentifierTemporary = true }), rule: "temperror.unresolved"},
		{name: "a domain without a record", ev: of("other.example", "none", nil), rule: "unauthenticated", line: 8},
		{name: "a domain without a record that fails SPF", ev: change(of("other.example", "none", nil), func(m *evidence.Message) { m.SPF.MailFrom.Result = "fail" }), rule: "spf_fail", line: 9},
		{name: "an unusable record", ev: of("other.example", "permerror", nil), rule: "permerror", line: 10},
		{name: "no From", ev: noFrom, rule: "from.missing", line: 11},
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
	accepted := want{disposition: "accept", delivery: "deliver", requested: "none", step: StepPolicy}
	tagged := want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepHandling, rule: "unauthenticated", override: "local_policy"}
	later := want{disposition: "tempfail", delivery: "defer", requested: "none", step: StepTempError, rule: "temperror.unresolved",
		reply: "451 4.7.1 Temporary DNS failure while checking bank.example, try again later"}
	below := func(f func(*evidence.Message)) *evidence.Message { // its Organizational Domain is the name itself
		return change(message(evidence.DMARC{AuthorDomain: "news.bank.example", OrgDomain: "news.bank.example", Result: evidence.None}), f)
	}
	for _, row := range []struct {
		name string
		spec Spec
		ev   *evidence.Message
		want want
	}{
		{name: "SPF fail is accepted by default (RFC 7208 section 8.4)", ev: none(spf("sender.example", "fail")), want: accepted},
		{name: "SPF fail is refused with 5.7.23 (RFC 7372 section 3.2)", spec: spec, ev: none(spf("sender.example", "fail")),
			want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepHandling, rule: "spf_fail", override: "local_policy", reply: "550 5.7.23 Email rejected: SPF of sender.example does not allow the client"}},
		{name: "SPF softfail is not SPF fail", spec: spec, ev: none(spf("sender.example", "softfail")), want: tagged},
		{name: "SPF pass of the Author Domain's family authenticates", spec: spec, ev: none(spf("bounce.bank.example", "pass")), want: accepted},
		{name: "SPF pass of a stranger does not", spec: spec, ev: none(spf("sender.example", "pass")), want: tagged},
		{name: "a DKIM pass of the Author Domain outweighs SPF fail", spec: spec, ev: none(func(m *evidence.Message) {
			spf("sender.example", "fail")(m)
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "bank.example"}}
		}), want: accepted},
		{name: "a DKIM pass of a public suffix does not", spec: spec, ev: none(func(m *evidence.Message) {
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "example", PublicSuffix: true}}
		}), want: tagged},
		{name: "for the null reverse-path HELO counts", spec: spec, ev: none(func(m *evidence.Message) {
			m.MailFrom, m.MailFromDomain, m.SPF.MailFrom = "", "", nil
			m.SPF.HELO = &evidence.SPFCheck{Domain: "mail.example.net", Result: evidence.Fail}
		}), want: want{disposition: "reject", delivery: "refuse", requested: "none", step: StepHandling, rule: "spf_fail", override: "local_policy", reply: "550 5.7.23 Email rejected: SPF of mail.example.net does not allow the client"}},
		{name: "nor for HELO of its family", spec: spec, ev: none(func(m *evidence.Message) {
			m.MailFrom, m.MailFromDomain, m.SPF.MailFrom = "", "", nil
			m.SPF.HELO = &evidence.SPFCheck{Domain: "mail.bank.example", Result: evidence.Pass}
		}), want: accepted},
		{name: "which counts for the null reverse-path only (RFC 7208 section 2.4)", spec: spec, ev: none(func(m *evidence.Message) {
			spf("sender.example", "none")(m)
			m.SPF.HELO = &evidence.SPFCheck{Domain: "mail.bank.example", Result: evidence.Pass}
		}), want: tagged},
		{name: "SPF pass of a name above authenticates", spec: spec, ev: below(spf("bank.example", "pass")), want: accepted},
		{name: "a DKIM pass of a name above does", spec: spec, ev: below(func(m *evidence.Message) {
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "bank.example"}}
		}), want: accepted},
		{name: "one of a public suffix above does not", spec: spec, ev: below(func(m *evidence.Message) {
			m.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "bank.example", PublicSuffix: true}}
		}), want: tagged},
		{name: "nor does a name beside it", spec: spec, ev: below(spf("evil.bank.example", "pass")), want: tagged},
		{name: "SPF that is not answered is waited for", spec: spec, ev: none(spf("bank.example", "temperror")), want: later},
		{name: "so is that of HELO for the null reverse-path", spec: spec, ev: none(func(m *evidence.Message) {
			m.MailFrom, m.MailFromDomain, m.SPF.MailFrom = "", "", nil
			m.SPF.HELO = &evidence.SPFCheck{Domain: "bank.example", Result: evidence.TempError}
		}), want: later},
		{name: "and a key, whatever SPF says", spec: spec, ev: none(func(m *evidence.Message) {
			spf("sender.example", "fail")(m)
			m.DKIM = []evidence.Signature{{Result: evidence.TempError, Domain: "bank.example"}}
		}), want: later},
		{name: "but not those of a stranger", spec: spec, ev: none(func(m *evidence.Message) {
			spf("sender.example", "temperror")(m)
			m.DKIM = []evidence.Signature{{Result: evidence.TempError, Domain: "sender.example"}}
		}), want: tagged},
		{name: "own domains wait too", spec: Spec{Own: []OwnDomains{{Domains: []string{"bank.example"}}}}, ev: none(spf("bank.example", "temperror")), want: later},
		{name: "where nothing would be done nothing is waited for", ev: none(spf("bank.example", "temperror")), want: accepted},
		{name: "where nothing waits the message goes on", spec: Spec{NoRecord: spec.NoRecord, TempErrors: TempErrors{PolicyUnknown: Accept, Unresolved: Accept, Expired: Tag}},
			ev: none(spf("bank.example", "temperror")), want: want{disposition: "accept", delivery: "deliver", requested: "none", step: StepTempError, rule: "temperror.unresolved"}},
		{name: "after the wait it is marked", spec: spec, ev: none(func(m *evidence.Message) {
			spf("bank.example", "temperror")(m)
			m.FirstSeen, m.Deferrals = m.Time.Add(-5*time.Hour), 2
		}), want: want{disposition: "quarantine", delivery: "tag", requested: "none", step: StepTempError, rule: "temperror.unresolved", override: "other"}},
		{name: "a domain with p=none is left alone", spec: spec, ev: change(message(failing("none")), spf("sender.example", "fail")), want: accepted},
	} {
		t.Run(row.name, func(t *testing.T) { check(t, row.ev, rulesOf(t, row.spec), row.want) })
	}
}

func TestRecipientProfiles(t *testing.T) {
	spec := Spec{
		Handling:            Handling{Reject: Tag, Quarantine: Tag},
		ExtensionDelimiters: "+",
		Profiles: []Profile{
			{ID: "executives", Recipients: []string{"ceo@here.example", ".vip.example"}, Handling: Handling{Reject: Reject}, Source: Source{File: "p.yaml", Line: 9}},
			{ID: "postmaster", Recipients: []string{"postmaster@here.example"}, Handling: Handling{Reject: Accept}},
		},
	}
	rules := rulesOf(t, spec)
	for _, row := range []struct {
		name      string
		to        []string
		delivery  Delivery
		rule, who string
	}{
		{name: "nobody special", to: []string{"a@here.example"}, delivery: DeliverTag, rule: "honor.reject"},
		{name: "a listed recipient", to: []string{"ceo@here.example"}, delivery: Refuse, rule: "executives", who: "ceo@here.example"},
		{name: "case and extension do not hide the recipient", to: []string{"CEO+x@HERE.example"}, delivery: Refuse, rule: "executives", who: "CEO+x@HERE.example"},
		{name: "quotes that are not needed do not hide the recipient (RFC 5321 section 4.1.2)", to: []string{`"ceo+x"@here.example`}, delivery: Refuse, rule: "executives", who: `"ceo+x"@here.example`},
		{name: "a domain pattern", to: []string{"a@b.vip.example"}, delivery: Refuse, rule: "executives", who: "a@b.vip.example"},
		{name: "a strict profile holds if any recipient has it", to: []string{"a@here.example", "postmaster@here.example", "ceo@here.example"}, delivery: Refuse, rule: "executives", who: "ceo@here.example"},
		{name: "a lenient profile alone", to: []string{"postmaster@here.example"}, delivery: Deliver, rule: "postmaster", who: "postmaster@here.example"},
		{name: "a lenient profile holds only if every recipient has it", to: []string{"postmaster@here.example", "a@here.example"}, delivery: DeliverTag, rule: "honor.reject"},
	} {
		t.Run(row.name, func(t *testing.T) {
			ev := message(failing("reject"))
			ev.Recipients = nil
			for _, a := range row.to {
				ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: a})
			}
			v := Decide(ev, rules)
			if v.Delivery != row.delivery || v.Rule != row.rule || v.Recipient != row.who {
				t.Errorf("got %s %q %q, want %s %q %q", v.Delivery, v.Rule, v.Recipient, row.delivery, row.rule, row.who)
			}
		})
	}
}
