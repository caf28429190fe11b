package policy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

func TestCompileRefuses(t *testing.T) {
	client := Proof{Clients: nets("192.0.2.1/32")}
	exceptions := func(list ...Exception) Spec { return Spec{Exceptions: list} }
	for _, row := range []struct {
		name string
		spec Spec
		want string
	}{
		{"an unknown action", Spec{Handling: Handling{Reject: "drop"}}, `policy: honor.reject: "drop" is not one of accept, tag, hold, quarantine, tempfail, reject`},
		{"an unknown mode", Spec{Mode: "test"}, `policy: mode: "test" is not one of enforce, monitor`},
		{"quarantine_as that is no delivery", Spec{Handling: Handling{QuarantineAs: Accept}}, `policy: quarantine_as: "accept" is not one of tag, hold, reject`},
		{"an unknown signal", Spec{Handling: Handling{Signals: []Signal{"moon"}}}, `policy: corroborated_by[0]: "moon" is not one of direct, `},
		{"corroborated without any signal", Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{}}}, `policy: corroborated_by: an empty list means that nothing is ever rejected`},
		{"an internal error that holds", Spec{OnError: Hold}, `policy: on_error: "hold" is not one of tempfail, accept, tag, reject`},
		{"a temporary error that rejects", Spec{TempErrors: TempErrors{Unresolved: Reject}}, `temperror: unresolved: "reject" is not one of accept, tag, tempfail`},
		{"a negative time", Spec{TempErrors: TempErrors{For: -1}}, `policy: temperror_for: must not be negative`},
		{"stages out of order", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag, Start: now}, {Name: StageReject, Start: now.Add(-1)}}}}, `policy: rollout[1].from: stages must be in the order of their dates`},
		{"a stage without name", Spec{Handling: Handling{Rollout: []Stage{{}}}}, `policy: rollout[0].stage: is missing`},
		{"a stage of 101 percent", Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag, Percent: 101}}}}, `policy: rollout[0].percent: 101 is not between 1 and 100`},
		{"a network that is everybody", Spec{NotJudged: NotJudged{Networks: []Network{{ID: "all", Prefix: netip.MustParsePrefix("0.0.0.0/0")}}}}, `not_judged "all": 0.0.0.0/0 is every client`},
		{"a domain rule without domain", Spec{Domains: []DomainRule{{ID: "r"}}}, `domain rule "r": author_domains: is missing`},
		{"a domain in two rules", Spec{Domains: []DomainRule{{ID: "a", AuthorDomains: []string{"x.example"}}, {ID: "b", AuthorDomains: []string{"X.example."}}}},
			`domain rule "b": author_domains: "x.example" stands in domain rule "a" already`},
		{"a U-label", Spec{Domains: []DomainRule{{ID: "r", AuthorDomains: []string{"bücher.example"}}}}, `is not a domain in lower-case A-labels`},
		{"an address as domain", Spec{Domains: []DomainRule{{ID: "r", AuthorDomains: []string{"a@x.example"}}}}, `"a@x.example" is an address where a domain is wanted`},
		{"own domains that are everybody's", Spec{Own: []OwnDomains{{Domains: []string{"*"}}}}, `would make every sender one of ours`},
		{"a profile without recipients", Spec{Profiles: []Profile{{ID: "p"}}}, `profile "p": recipients: is missing`},
		{"a relay without id", Spec{Relays: []Relay{{}}}, `relay: id: is missing`},
		{"a relay twice", Spec{Relays: []Relay{{ID: "a"}, {ID: "a"}}}, `relay "a": id: is used twice`},
		{"an allow entry by Author Domain alone", exceptions(entry(Accept, Scope{AuthorDomains: []string{"a.example"}}, Proof{})),
			`x.yaml:12: exception "x": proof: is missing: it allows by author_domains only, which any sender can write; add clients, dkim, spf, ptr or sealers`},
		{"an allow entry by two things the sender writes", exceptions(entry(Tag, Scope{MailFrom: []string{"<>"}, ListIDs: []string{"l.example"}}, Proof{})),
			`it allows by mail_from and list_ids only`},
		{"an allow entry without any condition", exceptions(entry(Accept, Scope{}, Proof{})), `proof: there is none, and no scope, so it would hold for all mail`},
		{"a block entry without any condition", exceptions(entry(Reject, Scope{}, Proof{})), `proof: there is none, and no scope, so it would hold for all mail`},
		{"a proof that holds for anybody", exceptions(entry(Accept, Scope{}, Proof{DKIM: []string{"*"}})), `proof.dkim[0]: "*" holds for anybody, so it proves nothing`},
		{"a proof by top-level domain", exceptions(entry(Accept, Scope{}, Proof{SPF: []string{".com"}})), `proof.spf[0]: ".com" holds for anybody who registers a name there`},
		{"a proof by all of IPv6", exceptions(entry(Accept, Scope{}, Proof{Clients: nets("::/0")})), `proof.clients[0]: ::/0 holds for anybody`},
		{"a proof by Organizational Domain", exceptions(entry(Accept, Scope{}, Proof{DKIM: []string{"org:a.example"}})), `"org:" is for Author Domains only`},
		{"a proof by an unknown sealer", exceptions(entry(Accept, Scope{}, Proof{Sealers: []string{"s"}})), `proof.sealers[0]: "s" is not the id of a trusted sealer`},
		{"an exception without expiry", exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.NeverExpires = false })), `expires: set a date, or never_expires: true, and not both`},
		{"an exception with both", exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.Expires = now })), `expires: set a date, or never_expires: true, and not both`},
		{"an exception without id", exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.ID = "" })), `exception: id: is missing`},
		{"an exception without action", exceptions(entry("", Scope{}, client)), `exception "x": action: is missing`},
		{"two exceptions of one id", exceptions(entry(Accept, Scope{}, client), entry(Tag, Scope{}, client)), `exception "x": id: is used twice`},
		{"a block entry that accepts", exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.Kind = Block })), `a block entry with the action accept does nothing`},
		{"an allow entry that rejects", exceptions(with(entry(Reject, Scope{}, client), func(x *Exception) { x.Kind = Allow })), `an allow entry with the action reject does nothing`},
		{"an override that reports do not know", exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.Override = "forwarded" })), `override: "forwarded" is not one of local_policy, mailing_list, trusted_forwarder, other`},
		{"a sealer without domain", Spec{Sealers: []Sealer{{ID: "s"}}}, `sealer "s": domains: is missing`},
		{"a sealer that is anybody", Spec{Sealers: []Sealer{{ID: "s", Domains: []string{"*"}}}}, `sealer "s": domains[0]: "*" holds for anybody`},
		{"a tag field that would delete subjects", Spec{Tag: TagField{Name: "Subject"}}, `tag: name: "Subject" is not a field name that begins with X-`},
		{"a tag value of two lines", Spec{Tag: TagField{Value: "a\r\nb"}}, `tag: value: "a\r\nb" is not printable US-ASCII`},
		{"a reply of the wrong class", Spec{Replies: Replies{DMARC: ReplyTemplate{Code: 450, Enhanced: "4.7.1"}}}, `reply dmarc: code: 450 is not a 5yz reply`},
		{"an enhanced code of the wrong class", Spec{Replies: Replies{DMARC: ReplyTemplate{Code: 550, Enhanced: "4.7.1"}}}, `reply dmarc: enhanced: "4.7.1" is not of the form 5.x.y`},
		{"a reply that ends the session", Spec{Replies: Replies{TempError: ReplyTemplate{Code: 421, Enhanced: "4.7.1"}}}, `reply temperror: code: 421 would end the whole session`},
		{"an unknown placeholder", Spec{Replies: Replies{DMARC: ReplyTemplate{Text: "for {user}"}}}, `reply dmarc: text: knows only the placeholders {domain} {reason} {token} {url}`},
		{"a reply of two lines", Spec{Replies: Replies{DMARC: ReplyTemplate{Text: "a\r\n250 ok"}}}, `reply dmarc: text: holds a character that is not printable US-ASCII`},
		{"a url with a url in it", Spec{Replies: Replies{URL: "https://x.example/{url}"}}, `reply url: knows only the placeholders {domain} {token}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			rules, err := Compile(row.spec)
			if err == nil || rules != nil {
				t.Fatalf("no error, want %q", row.want)
			}
			var one *EntryError
			if !strings.Contains(err.Error(), row.want) || !errors.As(err, &one) {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
		})
	}
}

func TestCompileReportsEveryFaultWithItsPlace(t *testing.T) {
	_, err := Compile(Spec{Mode: "x", Exceptions: []Exception{entry(Accept, Scope{}, Proof{})}})
	var all Errors
	if !errors.As(err, &all) || len(all) != 2 || all[1].Source != (Source{"x.yaml", 12}) || all[1].Option != "exceptions[0].proof" {
		t.Errorf("got %v", err)
	}
}

func TestCompileLeavesTheSpecAlone(t *testing.T) {
	spec := Spec{
		Exceptions: []Exception{entry(Accept, Scope{}, Proof{Clients: nets("192.0.2.1/32")})},
		Domains:    []DomainRule{{AuthorDomains: []string{"a.example"}}},
		Own:        []OwnDomains{{Domains: []string{"b.example"}}},
		Relays:     []Relay{{ID: "gw"}},
	}
	rulesOf(t, spec)
	if spec.Domains[0].ID != "" || spec.Own[0].Action != "" || spec.Relays[0].Reject != "" || spec.Exceptions[0].Override != "" {
		t.Errorf("Compile wrote into the spec: %+v", spec)
	}
}

func TestWhatTheRulesSayAboutThemselves(t *testing.T) {
	x := entry(Accept, Scope{}, Proof{PTR: []string{"a.example"}})
	x.NeverExpires, x.Expires = false, now
	rules := rulesOf(t, Spec{Exceptions: []Exception{x}, Tag: TagField{Name: "X-Junk"}})
	if rules.tag.Name != "X-Junk" || Defaults().tag.Name != "X-Alignd-Disposition" {
		t.Errorf("the tag field: got %q, %q", rules.tag.Name, Defaults().tag.Name)
	}
	later := with(x, func(x *Exception) { x.ID, x.Expires = "y", now.Add(time.Hour) })
	forever := with(entry(Accept, Scope{}, Proof{PTR: []string{"b.example"}}), func(x *Exception) { x.ID = "z" })
	both := rulesOf(t, Spec{Exceptions: []Exception{later, x, forever}})
	for at, want := range map[time.Time]time.Time{now.Add(-1): now, now: later.Expires, later.Expires: {}} {
		if got, ok := both.NextExpiry(at); !got.Equal(want) || ok == want.IsZero() {
			t.Errorf("NextExpiry(%v): got %v %t, want %v", at, got, ok, want)
		}
	}
	if got := rules.Expired(now); len(got) != 1 || got[0].ID != "x" || len(rules.Expired(now.Add(-time.Second))) != 0 {
		t.Errorf("Expired: got %v", got)
	}
}

func TestVerdictsWithoutJudging(t *testing.T) {
	ev := &evidence.Message{QueueID: "4Q9"}
	v := Defaults().Failed(ev)
	if v.Reply.String() != "451 4.3.0 Temporary internal failure, try again later" || v.Step != StepInternal || v.Delivery != DeliverDefer {
		t.Errorf("Failed: got %+v", v)
	}
	v = Defaults().OverLimit(ev, "the header is larger than 1 MiB")
	if v.Reply.Code != 550 || v.Reply.Enhanced != "5.7.1" || v.Step != StepLimit || v.Delivery != Refuse || v.Evaluation != 0 {
		t.Errorf("OverLimit: got %+v", v)
	}
	monitor := rulesOf(t, Spec{Mode: Monitor})
	if v = monitor.Failed(ev); v.Delivery != Deliver || v.Monitor.Delivery != DeliverDefer {
		t.Errorf("Failed in monitor mode: got %+v", v)
	}
	if v = rulesOf(t, Spec{OnError: Tag}).Failed(ev); v.Delivery != DeliverTag || v.TagName == "" {
		t.Errorf("on_error: tag: got %+v", v)
	}
	if v = rulesOf(t, Spec{OnError: Reject}).Failed(ev); v.Reply.String() != "550 5.3.0 Email rejected: it could not be evaluated" {
		t.Errorf("on_error: reject: got %+v", v)
	}
}

func TestRulesNeedOnlyWhatTheyList(t *testing.T) {
	corroborated := func(s ...Signal) Handling { return Handling{RejectMode: Corroborated, Signals: s} }
	listed := func(s ...Signal) Handling { return Handling{Signals: s} }
	domain := func(h Handling, p ...string) []DomainRule {
		return []DomainRule{{AuthorDomains: append(p, "a.example"), Handling: h}}
	}
	profile := func(h Handling) []Profile { return []Profile{{Recipients: []string{"here.example"}, Handling: h}} }
	all := evidence.Needs{IPRev: true, Existence: true, OrgDomain: true}
	for _, row := range []struct {
		name string
		spec Spec
		want evidence.Needs
	}{
		{name: "nothing by default"},
		{name: "a strict policy of reject needs no signal", spec: Spec{Handling: listed(SignalNonExistent, SignalNoReverse)}},
		{name: "existence where it is listed", spec: Spec{Handling: corroborated(SignalDirect, SignalNonExistent)}, want: evidence.Needs{Existence: true}},
		{name: "reverse names where they are listed", spec: Spec{Handling: corroborated(SignalNoReverse)}, want: evidence.Needs{IPRev: true}},
		{name: "neither is listed", spec: Spec{Handling: corroborated(SignalDirect, SignalOwn)}},
		{name: "identifiers of the family are compared by the Organizational Domain", spec: Spec{Handling: corroborated(SignalSPFFail)}, want: evidence.Needs{OrgDomain: true}},
		{name: "and broken signatures", spec: Spec{Handling: corroborated(SignalNoSignature)}, want: evidence.Needs{OrgDomain: true}},
		{name: "and what a sealer found aligned", spec: Spec{Sealers: []Sealer{{Domains: []string{"a.example"}, Require: RequireAligned}}}, want: evidence.Needs{OrgDomain: true}},
		{name: "all signals, where none is named", spec: Spec{Handling: Handling{RejectMode: Corroborated}}, want: all},
		{name: "a domain that is corroborated by the general list", spec: Spec{Handling: listed(SignalNonExistent), Domains: domain(Handling{RejectMode: Corroborated})}, want: evidence.Needs{Existence: true}},
		{name: "a domain that has a list of its own", spec: Spec{Handling: listed(SignalNonExistent), Domains: domain(corroborated(SignalDirect))}},
		{name: "a domain that lists what the general mode then needs", spec: Spec{Handling: corroborated(SignalDirect), Domains: domain(listed(SignalNoReverse))}, want: evidence.Needs{IPRev: true}},
		{name: "a profile and a domain come together", spec: Spec{Handling: listed(SignalDirect), Profiles: profile(Handling{RejectMode: Corroborated}), Domains: domain(listed(SignalNonExistent))},
			want: evidence.Needs{Existence: true}},
		{name: "a profile that is strict needs no signal", spec: Spec{Handling: listed(SignalNonExistent), Profiles: profile(Handling{RejectMode: Strict})}},
		{name: "a proof by reverse name", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{}, Proof{PTR: []string{"a.example"}})}}, want: evidence.Needs{IPRev: true}},
		{name: "an Organizational Domain in handling", spec: Spec{Domains: domain(Handling{}, "org:b.example")}, want: evidence.Needs{OrgDomain: true}},
		{name: "and in an entry that lets in", spec: Spec{Exceptions: []Exception{entry(Accept, Scope{AuthorDomains: []string{"org:b.example"}}, Proof{Clients: nets("192.0.2.1/32")})}}, want: evidence.Needs{OrgDomain: true}},
		{name: "a block entry asks for none, as it takes all names below", spec: Spec{Exceptions: []Exception{entry(Reject, Scope{AuthorDomains: []string{"org:b.example"}}, Proof{})}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := rulesOf(t, row.spec).Needs(); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}
