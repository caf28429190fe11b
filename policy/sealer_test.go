package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

// seal is one ARC Set by domain whose results are the given resinfo, each
// written as "method=result ptype.name=value ...".
func seal(i int, domain string, results ...string) evidence.ARCSet {
	a := &evidence.AuthResults{ServID: "mx." + domain}
	for _, r := range results {
		words := strings.Fields(r)
		method, result, _ := strings.Cut(words[0], "=")
		m := evidence.MethodResult{Method: method, Result: result}
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			v = strings.ReplaceAll(v, "~", " ") // a blank
			ptype, name, _ := strings.Cut(k, ".")
			m.Properties = append(m.Properties, evidence.Property{Type: ptype, Name: name, Value: v})
		}
		a.Results = append(a.Results, m)
	}
	return evidence.ARCSet{Instance: i, SealDomain: domain, SealSelector: "s1", SealResult: evidence.Pass,
		MessageDomain: domain, MessageSelector: "s1", MessageResult: evidence.Pass, AAR: a}
}

func sealed(result evidence.Result, sets ...evidence.ARCSet) func(*evidence.Message) {
	return func(m *evidence.Message) {
		m.ARC = evidence.ARC{Result: result, Instances: len(sets), Sets: sets}
	}
}

const vouches = "dmarc=pass header.from=bank.example"

func TestTrustedSealers(t *testing.T) {
	lists := Sealer{ID: "lists", Domains: []string{"lists.example"}}
	both := []Sealer{lists, {ID: "fwd", Domains: []string{".fwd.example", "fwd.example"}}}
	narrowed := func(f func(*Sealer)) []Sealer { s := lists; f(&s); return []Sealer{s} }
	with2 := func(f func(*evidence.ARCSet)) evidence.ARCSet {
		s := seal(1, "lists.example", vouches)
		f(&s)
		return s
	}
	for _, row := range []struct {
		name    string
		sealers []Sealer
		f       func(*evidence.Message)
		by      string // TrustedSealer
	}{
		{name: "a trusted sealer that found dmarc=pass", sealers: both, f: sealed("pass", seal(1, "lists.example", vouches)), by: "lists.example"},
		{name: "a sealer nobody trusts", sealers: both, f: sealed("pass", seal(1, "spammer.example", vouches))},
		{name: "a chain that fails proves nothing (RFC 8617 section 5.2)", sealers: both, f: sealed("fail", seal(1, "lists.example", vouches))},
		{name: "a spammer's set below a trusted one is not read", sealers: both, f: sealed("pass", seal(1, "spammer.example", vouches), seal(2, "lists.example", "dmarc=fail header.from=bank.example"))},
		{name: "a trusted set below an untrusted one is not reached", sealers: both, f: sealed("pass", seal(1, "lists.example", vouches), seal(2, "spammer.example", vouches))},
		{name: "trust runs on without a gap", sealers: both, f: sealed("pass", seal(1, "lists.example", vouches), seal(2, "fwd.example", "arc=pass")), by: "lists.example"},
		{name: "a subdomain where the entry says so", sealers: both, f: sealed("pass", seal(1, "a.fwd.example", vouches)), by: "a.fwd.example"},
		{name: "a subdomain where it does not", sealers: both, f: sealed("pass", seal(1, "a.lists.example", vouches))},
		{name: "an older trusted set that is silent lets the newer one speak", sealers: both, f: sealed("pass", seal(1, "fwd.example", "dmarc=none"), seal(2, "lists.example", vouches)), by: "lists.example"},
		{name: "an older trusted set that found a fail is believed", sealers: both, f: sealed("pass", seal(1, "fwd.example", "dmarc=fail header.from=bank.example"), seal(2, "lists.example", vouches))},
		{name: "the sealed header.from is another domain", sealers: both, f: sealed("pass", seal(1, "lists.example", "dmarc=pass header.from=spammer.example"))},
		{name: "the sealed header.from is compared without case", sealers: both, f: sealed("pass", seal(1, "lists.example", "dmarc=pass header.from=BANK.example.")), by: "lists.example"},
		{name: "no sealed header.from", sealers: both, f: sealed("pass", seal(1, "lists.example", "dmarc=pass"))},
		{name: "d= of the message signature differs", sealers: both, f: sealed("pass", with2(func(s *evidence.ARCSet) { s.MessageDomain = "spammer.example" }))},
		{name: "results of somebody else's authserv-id", sealers: both, f: sealed("pass", with2(func(s *evidence.ARCSet) { s.AAR.ServID = "mx.spammer.example" }))},
		{name: "authserv-id as listed", sealers: narrowed(func(s *Sealer) { s.ServIDs = []string{"mx.other.example"} }), f: sealed("pass", with2(func(s *evidence.ARCSet) { s.AAR.ServID = "mx.other.example" })), by: "lists.example"},
		{name: "results that cannot be read", sealers: both, f: sealed("pass", with2(func(s *evidence.ARCSet) { s.AAR = nil }))},
		{name: "sets that do not count from 1", sealers: both, f: sealed("pass", seal(2, "lists.example", vouches))},
		{name: "an aligned DKIM pass is not enough by default", sealers: both, f: sealed("pass", seal(1, "lists.example", "dkim=pass header.d=bank.example"))},
		{name: "an aligned DKIM pass where that is required", sealers: narrowed(func(s *Sealer) { s.Require = RequireAligned }), f: sealed("pass", seal(1, "lists.example", "dkim=pass header.d=mail.bank.example")), by: "lists.example"},
		{name: "a strange DKIM pass where an aligned one is required", sealers: narrowed(func(s *Sealer) { s.Require = RequireAligned }), f: sealed("pass", seal(1, "lists.example", "dkim=pass header.d=example"))},
		{name: "an aligned SPF pass needs the same sealed From", sealers: narrowed(func(s *Sealer) { s.Require = RequireAligned }), f: sealed("pass", seal(1, "lists.example", "spf=pass smtp.mailfrom=a@bank.example"))},
		{name: "an aligned SPF pass with the same sealed From", sealers: narrowed(func(s *Sealer) { s.Require = RequireAligned }),
			f: sealed("pass", seal(1, "lists.example", "dmarc=none header.from=bank.example", "spf=pass smtp.mailfrom=a@bank.example")), by: "lists.example"},
		{name: "scope: selector", sealers: narrowed(func(s *Sealer) { s.Selectors = []string{"s2"} }), f: sealed("pass", seal(1, "lists.example", vouches))},
		{name: "scope: Author Domain", sealers: narrowed(func(s *Sealer) { s.AuthorDomains = []string{"other.example"} }), f: sealed("pass", seal(1, "lists.example", vouches))},
		{name: "scope: client of the newest set", sealers: narrowed(func(s *Sealer) { s.Clients = nets("198.51.100.0/24") }), f: sealed("pass", seal(1, "lists.example", vouches))},
		{name: "scope: recipients", sealers: narrowed(func(s *Sealer) { s.Recipients = []string{"there.example"} }), f: sealed("pass", seal(1, "lists.example", vouches))},
		{name: "oldest-pass guard: unchanged since", sealers: narrowed(func(s *Sealer) { s.Unmodified = true }), f: sealed("pass", seal(1, "lists.example", vouches)), by: "lists.example"},
		{name: "oldest-pass guard: changed since", sealers: append(narrowed(func(s *Sealer) { s.Unmodified = true }), both[1]), f: func(m *evidence.Message) {
			sealed("pass", seal(1, "lists.example", vouches), seal(2, "fwd.example"))(m)
			m.ARC.OldestPass = 2
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := Decide(change(message(failing("reject")), row.f), rulesOf(t, Spec{Sealers: row.sealers}))
			if v.TrustedSealer != row.by || (v.Delivery == Deliver) != (row.by != "") {
				t.Errorf("got %q %s, want %q", v.TrustedSealer, v.Delivery, row.by)
			}
			if row.by != "" && (v.Step != StepSealer || v.Override != OverrideLocalPolicy || !strings.HasPrefix(v.OverrideComment, "arc=pass as[")) {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestTrustedSealerOverrideIsWrittenOnlyWhenItDecided(t *testing.T) {
	rules := rulesOf(t, Spec{Sealers: []Sealer{{Domains: []string{"lists.example"}}}})
	set := seal(1, "lists.example", vouches, "spf=pass smtp.remote-ip=203.0.113.9")
	v := Decide(change(message(failing("reject")), sealed("pass", set)), rules)
	if want := "arc=pass as[1].d=lists.example as[1].s=s1 remote-ip[1]=203.0.113.9"; v.OverrideComment != want {
		t.Errorf("comment (RFC 8617 section 7.2.2):\n got %q\nwant %q", v.OverrideComment, want)
	}
	v = Decide(change(message(failing("none")), sealed("pass", set)), rules)
	if v.TrustedSealer != "lists.example" || v.Override != NoOverride || v.Step != StepPolicy {
		t.Errorf("p=none: got %+v", v)
	}
	block := rulesOf(t, Spec{Sealers: []Sealer{{ID: "l", Domains: []string{"lists.example"}}},
		Exceptions: []Exception{entry(Reject, Scope{}, Proof{Sealers: []string{"l"}})}})
	if v = Decide(change(message(failing("none")), sealed("pass", set)), block); v.Delivery != Refuse || v.Rule != "x" {
		t.Errorf("a block entry by sealer: got %+v", v)
	}
}

func TestTrustedChainWithATemporaryErrorGainsTimeOnly(t *testing.T) {
	rules := rulesOf(t, Spec{Sealers: []Sealer{{Domains: []string{"lists.example"}}}})
	temporary := func(sets ...evidence.ARCSet) *evidence.Message {
		ev := change(message(failing("reject")), sealed("fail", sets...))
		ev.ARC.Temporary = true
		return ev
	}
	ev := temporary(seal(1, "lists.example", vouches))
	if v := Decide(ev, rules); v.Delivery != DeliverDefer || v.Step != StepTempError || v.TrustedSealer != "" {
		t.Errorf("got %+v", v)
	}
	ev.FirstSeen = now.Add(-5 * time.Hour)
	if v := Decide(ev, rules); v.Delivery != Refuse || v.Step != StepPolicy || !strings.Contains(v.Reason, "could not be validated") {
		t.Errorf("after temperror_for, as without the Sealer: got %+v", v)
	}
	ev.DMARC[0] = failing("quarantine")
	if v := Decide(ev, rules); v.Delivery != DeliverTag || v.Step != StepPolicy {
		t.Errorf("p=quarantine after temperror_for: got %+v", v)
	}
	for _, a := range []Action{Accept, Tag} {
		spec := Spec{Sealers: []Sealer{{Domains: []string{"lists.example"}}}, TempErrors: TempErrors{Unresolved: a}}
		if v := Decide(temporary(seal(1, "lists.example", vouches)), rulesOf(t, spec)); v.Delivery != Refuse {
			t.Errorf("temperror.unresolved: %s: got %+v", a, v)
		}
	}
	for name, ev := range map[string]*evidence.Message{
		"a sealer that is not trusted": temporary(seal(1, "spammer.example"), seal(2, "lists.example", vouches)),
		"a chain that would not vouch": temporary(seal(1, "lists.example", "dmarc=none")),
	} {
		if v := Decide(ev, rules); v.Delivery != Refuse {
			t.Errorf("%s: got %+v", name, v)
		}
	}
}

// A sealer's aligned results count for the registrant's own names only, where the
// guard of suffixes found that the Author Domain is one of many below a suffix.
func TestSealedResultsOfANeighbourBelowASuffixAreNotAligned(t *testing.T) {
	rules := rulesOf(t, Spec{Sealers: []Sealer{{Domains: []string{"lists.example"}, Require: RequireAligned}}})
	for _, row := range []struct {
		sdid string
		want Delivery
	}{
		{sdid: "attacker.uk.com", want: Refuse}, {sdid: "x.attacker.uk.com", want: Refuse}, {sdid: "com", want: Refuse},
		{sdid: "mail.victim.uk.com", want: Deliver}, {sdid: "victim.uk.com", want: Deliver}, {sdid: "uk.com", want: Deliver},
	} {
		ev := message(with(failing("reject"), func(d *evidence.DMARC) {
			d.AuthorDomain, d.OrgDomain, d.SiteDomain = "news.victim.uk.com", "uk.com", "victim.uk.com"
		}))
		set := seal(1, "lists.example", "dkim=pass header.d="+row.sdid)
		if v := Decide(change(ev, sealed("pass", set)), rules); v.Delivery != row.want {
			t.Errorf("%s: got %s, want %s", row.sdid, v.Delivery, row.want)
		}
	}
}

func TestLongChainsStayBounded(t *testing.T) {
	var sets []evidence.ARCSet
	for i := range 50 {
		sets = append(sets, seal(i+1, fmt.Sprintf("%s%02d.lists.example", strings.Repeat("a", 60), i), vouches))
	}
	v := Decide(change(message(failing("reject")), sealed("pass", sets...)), rulesOf(t, Spec{Sealers: []Sealer{{Domains: []string{".lists.example"}}}}))
	if v.Delivery != Deliver || len(v.OverrideComment) > 1500 {
		t.Errorf("got %s and a comment of %d octets", v.Delivery, len(v.OverrideComment))
	}
}

func TestSpellingsOfSealedResults(t *testing.T) {
	for _, row := range []struct {
		name    string
		results []string
		servID  string
		aligned bool
		strict  bool
		vouches bool
		why     string // in the reason, where it does not
	}{
		{name: "a domain", results: []string{"dmarc=pass header.from=bank.example"}, vouches: true},
		{name: "capitals and a dot at the end", results: []string{"dmarc=pass header.from=BANK.Example."}, vouches: true},
		{name: "the full address", results: []string{"dmarc=pass header.from=ann@bank.example"}, vouches: true},
		{name: "the address in angle brackets", results: []string{"dmarc=pass header.from=<ann@bank.example>"}, vouches: true},
		{name: "the domain in angle brackets", results: []string{"dmarc=pass header.from=<bank.example>"}, vouches: true},
		{name: "a local part in quotes", results: []string{`dmarc=pass header.from="ann~lee"@bank.example`}, vouches: true},
		{name: "a local part in UTF-8", results: []string{"dmarc=pass header.from=\u00e4nn@bank.example"}, vouches: true},
		{name: "the id of a job", servID: "mx.lists.example/4F1A2B", results: []string{vouches}, vouches: true},
		{name: "an id of a job that looks like ours", servID: "mx.spammer.example/mx.lists.example", results: []string{vouches}, why: `authserv-id of its results is "mx.spammer.example/mx.lists.example"`},
		{name: "the same domain twice", results: []string{"dmarc=pass header.from=bank.example header.from=ann@bank.example"}, vouches: true},

		{name: "two domains in one result", results: []string{"dmarc=pass header.from=bank.example header.from=spammer.example"}, why: "stands there with different domains"},
		{name: "several at signs", results: []string{"dmarc=pass header.from=x@spammer.example@bank.example"}, why: `header.from is written as "x@spammer.example@bank.example"`},
		{name: "an at sign in quotes", results: []string{`dmarc=pass header.from="x@spammer.example"@bank.example`}, why: "is written as"},
		{name: "quotes in quotes", results: []string{`dmarc=pass header.from="a"b"@bank.example`}, why: "is written as"},
		{name: "a backslash in quotes", results: []string{`dmarc=pass header.from="a\\"@bank.example`}, why: "is written as"},
		{name: "a display name that is the domain", results: []string{"dmarc=pass header.from=bank.example~<x@spammer.example>"}, why: "is written as"},
		{name: "a display name in front of the address", results: []string{"dmarc=pass header.from=Ann~<ann@bank.example>"}, why: "is written as"},
		{name: "two pairs of brackets", results: []string{"dmarc=pass header.from=<<ann@bank.example>>"}, why: "is written as"},
		{name: "a bracket that does not close", results: []string{"dmarc=pass header.from=<ann@bank.example"}, why: "is written as"},
		{name: "brackets within", results: []string{"dmarc=pass header.from=a<b@bank.example"}, why: "is written as"},
		{name: "a list", results: []string{"dmarc=pass header.from=x@spammer.example,ann@bank.example"}, why: "is written as"},
		{name: "a blank behind the domain", results: []string{"dmarc=pass header.from=bank.example~"}, why: "is written as"},
		{name: "an empty label", results: []string{"dmarc=pass header.from=bank..example"}, why: "is written as"},
		{name: "a U-label that IDNA does not allow", results: []string{"dmarc=pass header.from=bank.example\u200b"}, why: "is written as"},
		{name: "another From domain", results: []string{"dmarc=pass header.from=spammer.example"}, why: "is for the From domain spammer.example"},
		{name: "no From domain", results: []string{"dmarc=pass"}, why: "header.from is missing in its dmarc result"},
		{name: "another result word", results: []string{"dmarc=none header.from=bank.example"}, why: "it found dmarc=none"},
		{name: "a fail in another spelling", results: []string{vouches, "dmarc=fail header.from=<ann@bank.example>"}, why: "it found dmarc=fail"},
		{name: "no dmarc result", results: []string{"spf=pass smtp.mailfrom=bank.example"}, why: "its results have no dmarc that can be read."},
		{name: "another authserv-id", servID: "elsewhere.example", results: []string{vouches}, why: `authserv-id of its results is "elsewhere.example"`},

		{name: "header.i only", aligned: true, results: []string{"dkim=pass header.i=@bank.example"}, vouches: true},
		{name: "header.i with a local part", aligned: true, results: []string{"dkim=pass header.i=ann@news.bank.example"}, vouches: true},
		{name: "header.i without its at sign", aligned: true, results: []string{"dkim=pass header.i=bank.example"}, vouches: true},
		{name: "header.i only does not show strict alignment", aligned: true, strict: true, results: []string{"dkim=pass header.i=@bank.example"}, why: "its header.i does not show d="},
		{name: "header.d shows strict alignment", aligned: true, strict: true, results: []string{"dkim=pass header.d=bank.example header.i=@x.bank.example"}, vouches: true},
		{name: "header.d counts where it is there", aligned: true, results: []string{"dkim=pass header.d=spammer.example header.i=@bank.example"}, why: "no dkim or spf pass that aligns"},
		{name: "header.i of another domain", aligned: true, results: []string{"dkim=pass header.i=@spammer.example"}, why: "no dkim or spf pass that aligns"},
		{name: "header.i with two at signs", aligned: true, results: []string{"dkim=pass header.i=x@spammer.example@bank.example"}, why: "header.i is written as"},
		{name: "a signature that failed", aligned: true, results: []string{"dkim=fail header.i=@bank.example"}, why: "no dkim or spf pass that aligns"},
		{name: "spf in angle brackets beside the From domain", aligned: true, results: []string{"dmarc=none header.from=<ann@bank.example>", "spf=pass smtp.mailfrom=<b@bank.example>"}, vouches: true},
		{name: "spf without the From domain", aligned: true, results: []string{"spf=pass smtp.mailfrom=bank.example"}, why: "its spf counts only beside a header.from of bank.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			set := seal(1, "lists.example", row.results...)
			if row.servID != "" {
				set.AAR.ServID = row.servID
			}
			lists := Sealer{ID: "lists", Domains: []string{"lists.example"}}
			if row.aligned {
				lists.Require = RequireAligned
			}
			dm := failing("reject")
			dm.Published.StrictDKIM = row.strict
			v := Decide(change(message(dm), sealed("pass", set)), rulesOf(t, Spec{Sealers: []Sealer{lists}}))
			if (v.Delivery == Deliver) != row.vouches || (v.TrustedSealer != "") != row.vouches {
				t.Errorf("%q: got %s %q, want it to vouch: %t", row.results, v.Delivery, v.TrustedSealer, row.vouches)
			}
			if !row.vouches && !strings.Contains(v.Reason, row.why) {
				t.Errorf("%q: the reason is\n%s\nwant %q in it", row.results, v.Reason, row.why)
			}
		})
	}
}

func TestTheReasonSaysWhyASealerWasNotBelieved(t *testing.T) {
	lists := Sealer{ID: "lists", Domains: []string{"lists.example"}}
	narrowed := func(f func(*Sealer)) Sealer { s := lists; f(&s); return s }
	failed := func(m *evidence.Message) {
		sealed("fail", seal(1, "lists.example", vouches))(m)
		m.ARC.Reason = "the newest ARC-Seal does not verify"
	}
	for _, row := range []struct {
		name   string
		sealer Sealer
		f      func(*evidence.Message)
		want   string // behind the reason without sealers; "" for nothing
	}{
		{name: "no chain", sealer: lists, f: sealed("none")},
		{name: "a chain of nobody that is listed", sealer: lists, f: sealed("pass", seal(1, "spammer.example", vouches))},
		{name: "a chain that fails", sealer: lists, f: failed,
			want: " The chain names the trusted ARC sealer lists.example, but it fails: the newest ARC-Seal does not verify."},
		{name: "a chain that is not complete", sealer: lists, f: sealed("pass", seal(2, "lists.example", vouches)),
			want: " The chain names the trusted ARC sealer lists.example, but it is not complete."},
		{name: "a stranger above", sealer: lists, f: sealed("pass", seal(1, "lists.example", vouches), seal(2, "spammer.example")),
			want: " The seal i=2 of spammer.example is of no trusted sealer, and what lies below it does not count."},
		{name: "another client", sealer: narrowed(func(s *Sealer) { s.Clients = nets("198.51.100.0/24") }), f: sealed("pass", seal(1, "lists.example", vouches)),
			want: " The seal i=1 of lists.example is not trusted: the client is not one of its clients."},
		{name: "another selector", sealer: narrowed(func(s *Sealer) { s.Selectors = []string{"s2"} }), f: sealed("pass", seal(1, "lists.example", vouches)),
			want: " The seal i=1 of lists.example is not trusted: its selector is not listed."},
		{name: "another Author Domain", sealer: narrowed(func(s *Sealer) { s.AuthorDomains = []string{"other.example"} }), f: sealed("pass", seal(1, "lists.example", vouches)),
			want: " The seal i=1 of lists.example is not trusted: the Author Domain is not one of its author_domains."},
		{name: "another recipient", sealer: narrowed(func(s *Sealer) { s.Recipients = []string{"there.example"} }), f: sealed("pass", seal(1, "lists.example", vouches)),
			want: " The seal i=1 of lists.example is not trusted: a recipient is not one of its recipients."},
		{name: "another message signature", sealer: lists, f: sealed("pass", with(seal(1, "lists.example", vouches), func(s *evidence.ARCSet) { s.MessageDomain = "spammer.example" })),
			want: " The seal i=1 of lists.example is not trusted: its ARC-Message-Signature is of another domain."},
		{name: "results that cannot be read", sealer: lists, f: sealed("pass", with(seal(1, "lists.example"), func(s *evidence.ARCSet) { s.AAR = nil })),
			want: " The trusted ARC sealer lists.example (i=1) does not vouch: its ARC-Authentication-Results cannot be read."},
		{name: "no authserv-id", sealer: lists, f: sealed("pass", with(seal(1, "lists.example"), func(s *evidence.ARCSet) { s.AAR.ServID = "" })),
			want: " The trusted ARC sealer lists.example (i=1) does not vouch: its results have no authserv-id."},
		{name: "a change since", sealer: narrowed(func(s *Sealer) { s.Unmodified = true }), f: func(m *evidence.Message) {
			sealed("pass", seal(1, "lists.example", vouches), seal(2, "lists.example"))(m)
			m.ARC.OldestPass = 2
		}, want: " The trusted ARC sealer lists.example (i=1) does not vouch: the message was changed since (oldest-pass)." +
			" The trusted ARC sealer lists.example (i=2) does not vouch: its results have no dmarc that can be read."},
	} {
		t.Run(row.name, func(t *testing.T) {
			spec := Spec{Sealers: []Sealer{row.sealer}}
			without := Decide(change(message(failing("reject")), row.f), Defaults())
			v := Decide(change(message(failing("reject")), row.f), rulesOf(t, spec))
			if v.Delivery != Refuse || v.Reason != without.Reason+row.want {
				t.Errorf("got  %s %s\nwant %s%s", v.Delivery, v.Reason, without.Reason, row.want)
			}
		})
	}
}
