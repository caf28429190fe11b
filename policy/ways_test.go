package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
)

// different is a message and a spec after a change, told by the words of the admin's
// file rather than by what Ways tried.
func different(t *testing.T, c Change, ev *evidence.Message, s Spec) (*evidence.Message, Spec) {
	t.Helper()
	e := *ev
	s.Exceptions = slices.Clone(s.Exceptions)
	entry := slices.IndexFunc(s.Exceptions, func(x Exception) bool { return x.ID == c.Entry })
	switch {
	case c.From:
		e.From.Problem, e.From.Fields = evidence.FromOK, 1
	case c.Trusted != nil:
		s.Sealers = append(slices.Clone(s.Sealers), Sealer{ID: "another", Domains: c.Trusted, Require: c.Require, ServIDs: c.ServIDs})
	case c.Entry != "" && c.Unmet == "":
		s.Exceptions[entry].NeverExpires = true
		s.Exceptions[entry].Expires = Exception{}.Expires
	case c.Entry != "":
		x := &s.Exceptions[entry]
		switch c.Unmet {
		case "proof.clients":
			e.Client.Peer, e.Client.Original = x.Proof.Clients[0].Addr(), x.Proof.Clients[0].Addr()
		case "proof.ptr":
			e.IPRev = evidence.IPRev{Result: evidence.Pass, Names: []string{"a" + x.Proof.PTR[0]}}
		case "proof.dkim":
			e.DKIM = append(slices.Clone(e.DKIM), evidence.Signature{Result: evidence.Pass, Domain: x.Proof.DKIM[0]})
			e.Looked |= evidence.SectionDKIM
		case "proof.spf":
			e.MailFrom, e.MailFromDomain = "a@"+x.Proof.SPF[0], x.Proof.SPF[0]
			e.SPF.MailFrom = &evidence.SPFCheck{Result: evidence.Pass, Domain: x.Proof.SPF[0]}
		case "scope.author_domains":
			x.Scope.AuthorDomains = []string{"*"}
		case "scope.mail_from":
			x.Scope.MailFrom = []string{"*", "<>"}
		case "scope.recipients":
			x.Scope.Recipients = []string{"*"}
		case "scope.list_ids":
			e.Traces.ListID = "x.unrelated.example"
			e.Looked |= evidence.SectionTraces
		default:
			t.Fatalf("no change for %s", c.Unmet)
		}
	case c.Kind == KindException:
		s.Exceptions = slices.DeleteFunc(s.Exceptions, func(x Exception) bool { return x.ID == c.Without })
	case c.Kind == KindOwn:
		s.Own = nil
	case c.Without == "permerror":
		s.PermError = Accept
	case c.Without != "":
		s.NoRecord = NoRecord{}
	default:
		t.Fatalf("a change of nothing: %+v", c)
	}
	return &e, s
}

// TestEachWayToAMilderTreatmentIsTrue judges again with what a way says.
func TestEachWayToAMilderTreatmentIsTrue(t *testing.T) {
	kinds := map[string]int{}
	all := []named[Spec]{{name: "rescues", value: Spec{Exceptions: rescues()}}}
	for i, s := range consideredSpecs() {
		if i%5 == 0 {
			all = append(all, s)
		}
	}
	for i, s := range specs() { // without exceptions that decide, the others are seen
		if i%2 == 0 {
			all = append(all, s)
		}
	}
	messages := classes()
	for i, m := range classes() {
		if i%9 == 0 {
			m.name += ", untrusted chain"
			first := seal(1, "new.example", []string{vouches, "dkim=pass header.d=bank.example"}[i/9%2])
			if i%2 == 0 {
				first.AAR.ServID = "filter.elsewhere.example/1"
			}
			m.value = change(m.value, sealed("pass", first, seal(2, "fwd.example", "arc=pass")))
			messages = append(messages, m)
		}
	}
	for _, s := range all {
		rules := rulesOf(t, s.value)
		for _, m := range messages {
			before := Decide(m.value, rules)
			for _, w := range Ways(m.value, rules) {
				if w.Passes {
					continue
				}
				ev, spec := different(t, w.Change, m.value, s.value)
				after := Decide(ev, rulesOf(t, spec))
				if harshness(&after) >= harshness(&before) {
					t.Errorf("%s | %s: %s: it is\n%+v\nand was\n%+v", s.name, m.name, w.Text, after, before)
				}
				c := w.Change
				kinds[fmt.Sprintf("from=%t trusted=%d %d %s unmet=%s without=%s", c.From, len(c.Trusted), len(c.ServIDs), c.Require, c.Unmet, c.Kind)]++
			}
		}
	}
	if len(kinds) < 10 {
		t.Errorf("few kinds of ways were seen: %v", kinds)
	}
	t.Log(kinds)
}

// rescues are allow entries, each of which misses one thing.
func rescues() []Exception {
	client := Proof{Clients: nets("192.0.2.0/24")}
	list := []Exception{
		entry(Accept, Scope{AuthorDomains: []string{"elsewhere.example"}}, client),
		entry(Accept, Scope{Recipients: []string{"nobody@here.example"}}, client),
		entry(Accept, Scope{ListIDs: []string{".unrelated.example"}}, client),
		entry(Accept, Scope{MailFrom: []string{"nobody@elsewhere.example"}}, client),
		entry(Accept, Scope{}, Proof{SPF: []string{"unrelated.example"}}),
		entry(Tag, Scope{}, Proof{DKIM: []string{"unrelated.example"}}),
		entry(Accept, Scope{}, client),
	}
	for i := range list {
		list[i].ID = fmt.Sprintf("rescue%d", i)
	}
	last := &list[len(list)-1]
	last.NeverExpires, last.Expires = false, now.Add(-time.Hour)
	return list
}

// TestEachWayToAPassLetsTheMessageIn: where nothing but the result of one Author Domain
// is against a message.
func TestEachWayToAPassLetsTheMessageIn(t *testing.T) {
	rules := Defaults()
	n := 0
	for _, m := range classes() {
		if len(m.value.DMARC) != 1 || m.value.From.Problem != evidence.FromOK {
			continue
		}
		for _, w := range Ways(m.value, rules) {
			if !w.Passes {
				continue
			}
			n++
			ev := *m.value
			ev.DMARC = []evidence.DMARC{with(ev.DMARC[0], func(d *evidence.DMARC) {
				d.Result, d.PolicyTemporary, d.IdentifierTemporary = evidence.Pass, false, false
			})}
			if v := Decide(&ev, rules); v.Delivery != Deliver {
				t.Errorf("%s: %s: %+v", m.name, w.Text, v)
			}
		}
	}
	if n == 0 {
		t.Error("no ways")
	}
}
