package compare

import (
	"net/netip"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/policy"
)

// result is "dkim=pass header.d=a.example header.s=s".
func result(text string) evidence.MethodResult {
	words := strings.Fields(text)
	var r evidence.MethodResult
	r.Method, r.Result, _ = strings.Cut(words[0], "=")
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		ptype, prop, _ := strings.Cut(name, ".")
		r.Properties = append(r.Properties, evidence.Property{Type: ptype, Name: prop, Value: value})
	}
	return r
}

// message is one of bank.example that passes by SPF and by a signature.
func message(change func(*evidence.Message), theirs ...string) *evidence.Message {
	ev := &evidence.Message{
		MailFrom: "a@bank.example", MailFromDomain: "bank.example",
		From:  evidence.From{Fields: 1, Domains: []string{"bank.example"}},
		SPF:   evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.example", Result: evidence.Pass}},
		DKIM:  []evidence.Signature{{Result: evidence.Pass, Domain: "bank.example", Selector: "s", Algorithm: "rsa-sha256", B: "AbCdEfGhIjKl"}},
		ARC:   evidence.ARC{Result: evidence.None},
		DMARC: []evidence.DMARC{{AuthorDomain: "bank.example", OrgDomain: "bank.example", PolicyDomain: "bank.example", Result: evidence.Pass, Discovery: evidence.TreeWalk}},
	}
	if change != nil {
		change(ev)
	}
	in := evidence.Incumbent{ServID: "mx.example", Fields: 1}
	for _, text := range theirs {
		in.Results = append(in.Results, result(text))
	}
	ev.Incumbents = []evidence.Incumbent{in}
	return ev
}

var decided = &policy.Verdict{Evaluation: 1}

// failing makes SPF, signature and DMARC fail.
func failing(change func(*evidence.Message)) func(*evidence.Message) {
	return func(ev *evidence.Message) {
		ev.SPF.MailFrom.Result, ev.DKIM[0].Result, ev.DMARC[0].Result = evidence.Fail, evidence.Fail, evidence.Fail
		change(ev)
	}
}

func TestEachDifferenceIsNamed(t *testing.T) {
	const dkimPass = "dkim=pass header.d=bank.example header.s=s"
	for _, c := range []struct {
		name   string
		change func(*evidence.Message)
		theirs []string
		text   string
		kind   string // of the last one
		right  Right
	}{
		{name: "both agree", theirs: []string{"spf=pass smtp.mailfrom=bank.example", dkimPass, "dmarc=pass header.from=bank.example", "arc=none"}},
		{name: "what the other does not do is no difference", theirs: []string{"dmarc=pass"}},
		{name: "an old word", change: failing(func(*evidence.Message) {}), theirs: []string{"spf=hardfail smtp.mailfrom=bank.example"}},
		{name: "the HELO result is of another identity", theirs: []string{"spf=none smtp.helo=x.example"}},
		{name: "an address in place of the domain", theirs: []string{"spf=pass smtp.mailfrom=ann@BANK.example"}},
		{name: "too many lookups", change: func(ev *evidence.Message) {
			ev.SPF.MailFrom.Result, ev.SPF.MailFrom.Reason = evidence.PermError, `"a" of bank.example would be the term number 11 that causes DNS questions, the limit is 10`
		}, theirs: []string{"spf=pass smtp.mailfrom=bank.example"}, text: "spf:pass/permerror", kind: "spf-lookups", right: Ours},
		{name: "void lookups", change: func(ev *evidence.Message) {
			ev.SPF.MailFrom.Result, ev.SPF.MailFrom.Reason = evidence.PermError, `more than 2 void lookups, the last one for "x"`
		}, theirs: []string{"spf=softfail"}, text: "spf:softfail/permerror", kind: "spf-voids", right: Either},
		{name: "DNS did not answer them", theirs: []string{"spf=temperror smtp.mailfrom=bank.example"}, text: "spf:temperror/pass", kind: "spf-temporary", right: Untold},
		{name: "they checked the relay", change: func(ev *evidence.Message) { ev.Client.Original = netip.MustParseAddr("192.0.2.1") },
			theirs: []string{"spf=fail smtp.mailfrom=bank.example"}, text: "spf:fail/pass", kind: "spf-behind-relay", right: Ours},
		{name: "another domain", theirs: []string{"spf=fail smtp.mailfrom=other.example"}, text: "spf:fail/pass", kind: "spf-other-domain", right: Untold},
		{name: "no cause in the evidence", theirs: []string{"spf=neutral smtp.mailfrom=bank.example"}, text: "spf:neutral/pass", kind: "unexplained", right: Untold},
		{name: "a key of 512 bits, and what follows", change: func(ev *evidence.Message) {
			ev.SPF.MailFrom.Result = evidence.Fail
			ev.DKIM[0] = evidence.Signature{Result: evidence.Policy, Domain: "bank.example", Selector: "s", FailedOn: evidence.FailedKey, Reason: "RSA key below 1024 bits", KeyBits: 512}
			ev.DMARC[0].Result = evidence.Fail
		}, theirs: []string{dkimPass, "dmarc=pass header.from=bank.example"}, text: "dkim:pass/policy,dmarc:pass/fail", kind: "follows-dkim-key-bits", right: Ours},
		{name: "a key that alignd did not find", change: func(ev *evidence.Message) {
			ev.DKIM[0].Result, ev.DKIM[0].FailedOn, ev.DKIM[0].Reason = evidence.PermError, evidence.FailedKey, "no key"
		}, theirs: []string{dkimPass}, text: "dkim:pass/permerror", kind: "dkim-no-key", right: Untold},
		{name: "a revoked key", change: func(ev *evidence.Message) {
			ev.DKIM[0].Result, ev.DKIM[0].FailedOn, ev.DKIM[0].Reason = evidence.PermError, evidence.FailedKey, "key is revoked"
		}, theirs: []string{dkimPass}, text: "dkim:pass/permerror", kind: "dkim-key", right: Ours},
		{name: "a record that only looks like SPF", change: func(ev *evidence.Message) {
			ev.SPF.MailFrom.Result, ev.SPF.MailFrom.Lookalikes = evidence.None, []string{"x"}
		}, theirs: []string{"spf=pass"}, text: "spf:pass/none", kind: "spf-lookalike", right: Ours},
		{name: "a fault of the record that decides nothing", change: failing(func(ev *evidence.Message) { ev.DMARC[0].Published.Errors = []string{"rua: x"} }),
			theirs: []string{"dmarc=pass header.from=bank.example"}, text: "dmarc:pass/fail", kind: "unexplained", right: Untold},
		{name: "rsa-sha1", change: func(ev *evidence.Message) {
			ev.DKIM[0].Result, ev.DKIM[0].Algorithm, ev.DKIM[0].FailedOn = evidence.PermError, "rsa-sha1", evidence.FailedSyntax
		}, theirs: []string{dkimPass}, text: "dkim:pass/permerror", kind: "dkim-sha1", right: Ours},
		{name: "ed25519", change: func(ev *evidence.Message) { ev.DKIM[0].Algorithm = "ed25519-sha256" },
			theirs: []string{"dkim=neutral header.d=bank.example header.s=s"}, text: "dkim:neutral/pass", kind: "dkim-ed25519", right: Ours},
		{name: "they tried none", theirs: []string{"dkim=none"}, text: "dkim:none/pass", kind: "dkim-untried", right: Either},
		{name: "changed in between", change: func(ev *evidence.Message) {
			ev.DKIM[0].Result, ev.DKIM[0].FailedOn, ev.DKIM[0].Reason = evidence.Fail, evidence.FailedHeader, "signature did not verify"
		}, theirs: []string{dkimPass}, text: "dkim:pass/fail", kind: "dkim-changed", right: Untold},
		{name: "it verifies here", theirs: []string{"dkim=fail header.d=bank.example header.b=AbCdEfGh"}, text: "dkim:fail/pass", kind: "dkim-verifies", right: Ours},
		{name: "a signature that alignd does not have", theirs: []string{"dkim=pass header.d=other.example header.s=x"}, text: "dkim:pass/absent", kind: "unexplained", right: Untold},
		{name: "which alignd may not have tried", change: func(ev *evidence.Message) { ev.DKIMSkipped = 1 }, theirs: []string{"dkim=pass header.d=other.example header.s=x"}},
		{name: "two signatures of a domain are told by b=", change: func(ev *evidence.Message) {
			ev.DKIM = append(ev.DKIM, evidence.Signature{Result: evidence.Fail, Domain: "bank.example", Selector: "s", B: "ZyXwVuTs"})
		}, theirs: []string{"dkim=fail header.d=bank.example header.s=s header.b=ZyXwVuTs", dkimPass}},
		{name: "without a domain it is about the only one", theirs: []string{"dkim=fail"}, text: "dkim:fail/pass", kind: "dkim-verifies", right: Ours},
		{name: "a signature that they do not want", theirs: []string{"dkim=policy header.d=bank.example"}, text: "dkim:policy/pass", kind: "dkim-their-policy", right: Either},
		{name: "another word for what does not verify", change: failing(func(*evidence.Message) {}), theirs: []string{"dkim=neutral header.d=bank.example"},
			text: "dkim:neutral/fail", kind: "dkim-word", right: Ours},
		{name: "another word for a key that is not there", change: func(ev *evidence.Message) {
			ev.DKIM[0].Result, ev.DKIM[0].FailedOn, ev.DKIM[0].Reason = evidence.PermError, evidence.FailedKey, "no key"
		}, theirs: []string{"dkim=fail header.d=bank.example"}, text: "dkim:fail/permerror", kind: "dkim-word", right: Ours},
		{name: "they found no SPF record", change: func(ev *evidence.Message) { ev.SPF.MailFrom.Record = "v=spf1 +all" }, theirs: []string{"spf=none"},
			text: "spf:none/pass", kind: "spf-record-found", right: Untold},
		{name: "a filter that looks at SPF alone", change: func(ev *evidence.Message) { ev.SPF.MailFrom.Result, ev.DMARC[0].DKIMAligned = evidence.Fail, true },
			theirs: []string{"spf=fail", "dmarc=fail header.from=bank.example"}, text: "dmarc:fail/pass", kind: "dmarc-unseen", right: Ours},
		{name: "the guard of suffixes", change: failing(func(ev *evidence.Message) { ev.DMARC[0].SiteDomain = "bank.example" }), theirs: []string{"dmarc=pass"},
			text: "dmarc:pass/fail", kind: "dmarc-psl-guard", right: Either},
		{name: "another author", theirs: []string{"dmarc=fail header.from=evil.example"}, text: "dmarc:fail/pass,header.from:evil.example/bank.example", kind: "from-read", right: Ours},
		{name: "the domain of the policy in the author's place", change: func(ev *evidence.Message) { ev.DMARC[0].AuthorDomain = "news.bank.example" },
			theirs: []string{"dmarc=pass header.from=bank.example"}, text: "header.from:bank.example/news.bank.example", kind: "from-of-policy", right: Ours},
		{name: "no p", change: func(ev *evidence.Message) { ev.DMARC[0].Published.Text = "v=DMARC1; rua=mailto:x@bank.example" },
			theirs: []string{"dmarc=permerror header.from=bank.example"}, text: "dmarc:permerror/pass", kind: "dmarc-no-p", right: Ours},
		{name: "several authors", change: func(ev *evidence.Message) { ev.From.Domains = append(ev.From.Domains, "b.example") },
			theirs: []string{"dmarc=none"}, text: "dmarc:none/pass", kind: "from-several", right: Ours},
		{name: "the list of suffixes", change: failing(func(ev *evidence.Message) {
			ev.DMARC[0].Divergence = &evidence.Divergence{Discovery: evidence.PSL, Result: evidence.None}
		}), theirs: []string{"dmarc=none header.from=bank.example"}, text: "dmarc:none/fail", kind: "dmarc-tree-walk", right: Ours},
		{name: "strict alignment", change: failing(func(ev *evidence.Message) { ev.DMARC[0].Published.StrictSPF = true }),
			theirs: []string{"dmarc=pass header.from=bank.example"}, text: "dmarc:pass/fail", kind: "dmarc-strict", right: Ours},
		{name: "a faulty record", change: failing(func(ev *evidence.Message) { ev.DMARC[0].Published.Errors = []string{"p: x"} }),
			theirs: []string{"dmarc=permerror"}, text: "dmarc:permerror/fail", kind: "dmarc-record", right: Ours},
		{name: "a pass out of nothing", change: failing(func(*evidence.Message) {}), theirs: []string{"spf=fail smtp.mailfrom=bank.example", "dmarc=pass"},
			text: "dmarc:pass/fail", kind: "dmarc-baseless", right: Ours},
		{name: "a chain word that is none", change: func(ev *evidence.Message) { ev.ARC.Result = evidence.Fail },
			theirs: []string{"arc=permerror"}, text: "arc:permerror/fail", kind: "arc-word", right: Ours},
		{name: "words from outside divide nothing", theirs: []string{"spf=a,b/c"}, text: "spf:a?b?c/pass", kind: "unexplained", right: Untold},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := Differences(message(c.change, c.theirs...), decided)
			if got := Text(list); got != c.text {
				t.Fatalf("got %q, want %q", got, c.text)
			}
			if len(list) == 0 {
				return
			}
			if last := list[len(list)-1]; last.Rule != c.kind || last.Right != c.right {
				t.Errorf("got %s, %s, want %s, %s", last.Rule, last.Right, c.kind, c.right)
			}
		})
	}
}

func TestFiltersOfSeveralIDsAreToldApart(t *testing.T) {
	ev := message(nil, "spf=fail smtp.mailfrom=bank.example")
	ev.Incumbents = append(ev.Incumbents, evidence.Incumbent{ServID: "b.example", Fields: 1, Results: []evidence.MethodResult{result("spf=none")}})
	if got, want := Text(Differences(ev, decided)), "spf:fail/pass@mx.example,spf:none/pass@b.example"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A message that was not checked, or a verdict without an evaluation, compares nothing.
func TestNothingIsComparedWithNothing(t *testing.T) {
	ev := &evidence.Message{Incumbents: []evidence.Incumbent{{ServID: "mx.example", Fields: 1, Results: []evidence.MethodResult{result("spf=pass"), result("dmarc=pass"), result("arc=pass"), result("iprev=pass")}}}}
	if list := Differences(ev, &policy.Verdict{NotJudged: true}); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// Who says that somebody is right says by what.
func TestRulesCite(t *testing.T) {
	for _, r := range rules {
		if (r.right == Ours || r.right == Theirs || r.right == Either) && !strings.HasPrefix(r.section, "RFC ") {
			t.Errorf("%s: %s by which RFC?", r.id, r.right)
		}
	}
}
