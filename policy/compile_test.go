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
		{name: "an unknown action", spec: Spec{Handling: Handling{Reject: "drop"}}, want: `policy: honor.reject: "drop" is not one of accept, tag, hold, quarantine, tempfail, reject`},
		{name: "an unknown mode", spec: Spec{Mode: "test"}, want: `policy: mode: "test" is not one of enforce, monitor`},
		{name: "quarantine_as that is no delivery", spec: Spec{Handling: Handling{QuarantineAs: Accept}}, want: `policy: quarantine_as: "accept" is not one of tag, hold, reject`},
		{name: "an unknown signal", spec: Spec{Handling: Handling{Signals: []Signal{"moon"}}}, want: `policy: corroborated_by[0]: "moon" is not one of direct, `},
		{name: "corroborated without any signal", spec: Spec{Handling: Handling{RejectMode: Corroborated, Signals: []Signal{}}}, want: `policy: corroborated_by: an empty list means that nothing is ever rejected`},
		{name: "an internal error that holds", spec: Spec{OnError: Hold}, want: `policy: on_error: "hold" is not one of tempfail, accept, tag, reject`},
		{name: "a temporary error that rejects", spec: Spec{TempErrors: TempErrors{Unresolved: Reject}}, want: `temperror: unresolved: "reject" is not one of accept, tag, tempfail`},
		{name: "a negative time", spec: Spec{TempErrors: TempErrors{For: -1}}, want: `policy: temperror_for: must not be negative`},
		{name: "stages out of order", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag, Start: now}, {Name: StageReject, Start: now.Add(-1)}}}}, want: `policy: rollout[1].from: stages must be in the order of their dates`},
		{name: "a stage without name", spec: Spec{Handling: Handling{Rollout: []Stage{{}}}}, want: `policy: rollout[0].stage: is missing`},
		{name: "a stage of 101 percent", spec: Spec{Handling: Handling{Rollout: []Stage{{Name: StageTag, Percent: 101}}}}, want: `policy: rollout[0].percent: 101 is not between 1 and 100`},
		{name: "a network that is everybody", spec: Spec{NotJudged: NotJudged{Networks: []Network{{ID: "all", Prefix: netip.MustParsePrefix("0.0.0.0/0")}}}}, want: `not_judged "all": 0.0.0.0/0 is every client`},
		{name: "a domain rule without domain", spec: Spec{Domains: []DomainRule{{ID: "r"}}}, want: `domain rule "r": author_domains: is missing`},
		{name: "a domain in two rules", spec: Spec{Domains: []DomainRule{{ID: "a", AuthorDomains: []string{"x.example"}}, {ID: "b", AuthorDomains: []string{"X.example."}}}},
			want: `domain rule "b": author_domains[0]: "x.example" stands in domain rule "a" already`},
		{name: "a U-label", spec: Spec{Domains: []DomainRule{{ID: "r", AuthorDomains: []string{"bücher.example"}}}}, want: `is not a domain in lower-case A-labels`},
		{name: "an address as domain", spec: Spec{Domains: []DomainRule{{ID: "r", AuthorDomains: []string{"a@x.example"}}}}, want: `"a@x.example" is an address where a domain is wanted`},
		{name: "own domains that are everybody's", spec: Spec{Own: []OwnDomains{{Domains: []string{"*"}}}}, want: `would make every sender one of ours`},
		{name: "a profile without recipients", spec: Spec{Profiles: []Profile{{ID: "p"}}}, want: `profile "p": recipients: is missing`},
		{name: "a relay without id", spec: Spec{Relays: []Relay{{}}}, want: `relay: id: is missing`},
		{name: "a relay twice", spec: Spec{Relays: []Relay{{ID: "a"}, {ID: "a"}}}, want: `relay "a": id: is used twice`},
		{name: "an allow entry by Author Domain alone", spec: exceptions(entry(Accept, Scope{AuthorDomains: []string{"a.example"}}, Proof{})),
			want: `x.yaml:12: exception "x": proof: is missing: it allows by author_domains only, which any sender can write; add clients, dkim, spf, ptr or sealers`},
		{name: "an allow entry by two things the sender writes", spec: exceptions(entry(Tag, Scope{MailFrom: []string{"<>"}, ListIDs: []string{"l.example"}}, Proof{})),
			want: `it allows by mail_from and list_ids only`},
		{name: "an allow entry without any condition", spec: exceptions(entry(Accept, Scope{}, Proof{})), want: `proof: there is none, and no scope, so it would hold for all mail`},
		{name: "a block entry without any condition", spec: exceptions(entry(Reject, Scope{}, Proof{})), want: `proof: there is none, and no scope, so it would hold for all mail`},
		{name: "a proof that holds for anybody", spec: exceptions(entry(Accept, Scope{}, Proof{DKIM: []string{"*"}})), want: `proof.dkim[0]: "*" holds for anybody, so it proves nothing`},
		{name: "a proof by top-level domain", spec: exceptions(entry(Accept, Scope{}, Proof{SPF: []string{".com"}})), want: `proof.spf[0]: ".com" holds for anybody who registers a name there`},
		{name: "a proof by all of IPv6", spec: exceptions(entry(Accept, Scope{}, Proof{Clients: nets("::/0")})), want: `proof.clients[0]: ::/0 holds for anybody`},
		{name: "a proof by Organizational Domain", spec: exceptions(entry(Accept, Scope{}, Proof{DKIM: []string{"org:a.example"}})), want: `"org:" is for Author Domains only`},
		{name: "a proof by an unknown sealer", spec: exceptions(entry(Accept, Scope{}, Proof{Sealers: []string{"s"}})), want: `proof.sealers[0]: "s" is not the id of a trusted sealer`},
		{name: "an exception without expiry", spec: exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.NeverExpires = false })), want: `expires: set a date, or never_expires: true, and not both`},
		{name: "an exception with both", spec: exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.Expires = now })), want: `expires: set a date, or never_expires: true, and not both`},
		{name: "an exception without id", spec: exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.ID = "" })), want: `exception: id: is missing`},
		{name: "an exception without action", spec: exceptions(entry("", Scope{}, client)), want: `exception "x": action: is missing`},
		{name: "two exceptions of one id", spec: exceptions(entry(Accept, Scope{}, client), entry(Tag, Scope{}, client)), want: `exception "x": id: is used twice`},
		{name: "a block entry that accepts", spec: exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.Kind = Block })), want: `a block entry with the action accept does nothing`},
		{name: "an allow entry that rejects", spec: exceptions(with(entry(Reject, Scope{}, client), func(x *Exception) { x.Kind = Allow })), want: `an allow entry with the action reject does nothing`},
		{name: "an override that reports do not know", spec: exceptions(with(entry(Accept, Scope{}, client), func(x *Exception) { x.Override = "forwarded" })), want: `override: "forwarded" is not one of local_policy, mailing_list, trusted_forwarder, other`},
		{name: "a sealer without domain", spec: Spec{Sealers: []Sealer{{ID: "s"}}}, want: `sealer "s": domains: is missing`},
		{name: "a sealer that is anybody", spec: Spec{Sealers: []Sealer{{ID: "s", Domains: []string{"*"}}}}, want: `sealer "s": domains[0]: "*" holds for anybody`},
		{name: "a tag field that would delete subjects", spec: Spec{Tag: TagField{Name: "Subject"}}, want: `tag: name: "Subject" is not a field name that begins with X-`},
		{name: "a tag value of two lines", spec: Spec{Tag: TagField{Value: "a\r\nb"}}, want: `tag: value: "a\r\nb" is not printable US-ASCII`},
		{name: "a reply of the wrong class", spec: Spec{Replies: Replies{DMARC: ReplyTemplate{Code: 450, Enhanced: "4.7.1"}}}, want: `reply dmarc: code: 450 is not a 5yz reply`},
		{name: "an enhanced code with a leading zero (RFC 3463 section 2), which no MTA would be told", spec: Spec{Replies: Replies{DMARC: ReplyTemplate{Code: 550, Enhanced: "5.07.1"}}}, want: `reply dmarc: enhanced: "5.07.1" is not of the form 5.x.y`},
		{name: "an enhanced code of the wrong class", spec: Spec{Replies: Replies{DMARC: ReplyTemplate{Code: 550, Enhanced: "4.7.1"}}}, want: `reply dmarc: enhanced: "4.7.1" is not of the form 5.x.y`},
		{name: "a reply that ends the session", spec: Spec{Replies: Replies{TempError: ReplyTemplate{Code: 421, Enhanced: "4.7.1"}}}, want: `reply temperror: code: 421 would end the whole session`},
		{name: "an unknown placeholder", spec: Spec{Replies: Replies{DMARC: ReplyTemplate{Text: "for {user}"}}}, want: `reply dmarc: text: knows only the placeholders {domain} {reason} {token} {url}`},
		{name: "a reply of two lines", spec: Spec{Replies: Replies{DMARC: ReplyTemplate{Text: "a\r\n250 ok"}}}, want: `reply dmarc: text: holds a character that is not printable US-ASCII`},
		{name: "a url with a url in it", spec: Spec{Replies: Replies{URL: "https://x.example/{url}"}}, want: `reply url: knows only the placeholders {domain} {token}`},
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
	if !errors.As(err, &all) || len(all) != 2 || all[1].Source != (Source{File: "x.yaml", Line: 12}) || all[1].Option != "exceptions[0].proof" {
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

func TestFaultsComeInTheOrderInWhichTheirPatternsAreWritten(t *testing.T) {
	spec := Spec{Domains: []DomainRule{
		{ID: "a", AuthorDomains: []string{"w.example", "x.example"}},
		{ID: "b", AuthorDomains: []string{"y.example", ".y.example", "org:y.example"}},
		{ID: "c", AuthorDomains: []string{"org:y.example", "x.example", "new.example", "new.example", "a@x.example", "y.example", "w.example", ".y.example"}},
	}}
	want := `domain rule "c": author_domains[0]: "org:y.example" stands in domain rule "b" already
domain rule "c": author_domains[1]: "x.example" stands in domain rule "a" already
domain rule "c": author_domains[4]: "a@x.example" is an address where a domain is wanted
domain rule "c": author_domains[5]: "y.example" stands in domain rule "b" already
domain rule "c": author_domains[6]: "w.example" stands in domain rule "a" already
domain rule "c": author_domains[7]: ".y.example" stands in domain rule "b" already`
	for range 5 {
		if _, err := Compile(spec); err == nil || err.Error() != want {
			t.Fatalf("got\n%v\nwant\n%s", err, want)
		}
	}
}
