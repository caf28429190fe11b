package policy

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

// consideredSpecs are specs with exceptions of all kinds, some of which match.
func consideredSpecs() []named[Spec] {
	var out []named[Spec]
	all := additions()
	for i, s := range specs() {
		entries := unrelated()
		for k := i; k < len(all); k += 7 {
			x := all[k].value
			x.ID = fmt.Sprintf("added%d", k)
			if k%5 == 0 {
				x.NeverExpires, x.Expires = false, now.Add(-time.Hour)
			}
			entries = append(entries, x)
		}
		s.value.Exceptions = entries
		s.value.NotJudged.Networks = []Network{{ID: "office", Prefix: netip.MustParsePrefix("203.0.113.0/24")}}
		out = append(out, s)
	}
	return out
}

// without are the exceptions of a spec but one.
func without(s Spec, id string) Spec {
	s.Exceptions = slices.DeleteFunc(slices.Clone(s.Exceptions), func(x Exception) bool { return x.ID == id })
	return s
}

func TestConsideringAgreesWithDecide(t *testing.T) {
	fates := map[Fate]int{}
	for i, s := range consideredSpecs() {
		if i%3 != 0 {
			continue
		}
		rules := rulesOf(t, s.value)
		fewer := map[string]*Rules{}
		for _, x := range s.value.Exceptions {
			fewer[x.ID] = rulesOf(t, without(s.value, x.ID))
		}
		for _, m := range classes() {
			v := Decide(m.value, rules)
			list := Consider(m.value, rules)
			fail := func(format string, args ...any) {
				t.Errorf("%s | %s: %s\n%+v\n%+v", s.name, m.name, fmt.Sprintf(format, args...), v, list)
			}
			decided := map[string]bool{}
			held := map[string]bool{}
			for _, x := range list {
				fates[x.Fate]++
				if x.Fate == Decided {
					decided[x.ID] = true
				}
				if x.Kind == KindException && (x.Fate == Held || x.Fate == Decided) {
					held[x.ID] = true
				}
				if x.Fate == "" || x.Why == "" && len(x.Unmet) == 0 || (x.ID == "") != (x.Count > 0) {
					fail("it says nothing: %+v", x)
				}
				for _, u := range x.Unmet {
					if len(u.Wanted) == 0 || len(u.Had) == 0 && u.None == "" {
						fail("a condition says nothing: %+v", u)
					}
				}
			}
			switch v.Step {
			case StepNotJudged, StepException, StepSealer:
				if len(decided) != 1 || !decided[v.Rule] {
					fail("decided by %v, not by %q", decided, v.Rule)
				}
			default:
				for id := range decided {
					if id != v.Rule {
						fail("decided by %q", id)
					}
				}
			}
			for _, x := range list {
				if x.Kind != KindException || x.Fate != Unmatched || x.ID == "" || held[x.ID] {
					continue
				}
				w := Decide(m.value, fewer[x.ID])
				w.Undecidable = v.Undecidable
				if !reflect.DeepEqual(v, w) {
					fail("%s does not match, and without it: %+v", x.ID, w)
				}
			}
		}
	}
	for _, f := range []Fate{Decided, Held, Unmatched, Unknown, Unasked} {
		if fates[f] == 0 {
			t.Errorf("nothing was %q", f)
		}
	}
	t.Log(fates)
}

// TestTheOneUnmetConditionIsWhatKeepsAnEntryFromMatching: an entry of which one condition
// is told matches once it is taken out.
func TestTheOneUnmetConditionIsWhatKeepsAnEntryFromMatching(t *testing.T) {
	n := 0
	for _, s := range consideredSpecs()[:4] {
		for i, x := range s.value.Exceptions {
			only := s.value
			only.Exceptions = []Exception{x}
			rules := rulesOf(t, only)
			for _, m := range classes() {
				for _, told := range Consider(m.value, rules) {
					if told.ID != x.ID || told.Fate != Unmatched || len(told.Unmet) != 1 || told.Why != "" {
						continue
					}
					y := &rulesOf(t, only).entries[0]
					list := &rules.allow
					if len(rules.block.list) > 0 {
						list = &rules.block
					}
					z := list.list[0]
					z.Exception, z.sets = y, slices.Clone(z.sets)
					k := slices.IndexFunc(conditions, func(c condition) bool { return c.key == told.Unmet[0].Key })
					if z.sets[k] = nil; conditions[k].list == nil {
						z.clients = nil
					}
					var dm *evidence.DMARC
					for i := range m.value.DMARC {
						if m.value.DMARC[i].AuthorDomain == told.Author {
							dm = &m.value.DMARC[i]
						}
					}
					d := decision{ev: m.value, rules: rules}
					if ok, missing := d.matches(&z, dm); !ok && missing == noFacts {
						t.Errorf("%s %d | %s: without %s it does not match either", s.name, i, m.name, told.Unmet[0].Key)
					}
					n++
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d entries missed one condition", n)
	}
}

func TestNearMissesOfManyEntries(t *testing.T) {
	spec := Spec{}
	for i := range 10_000 {
		x := entry(Accept, Scope{AuthorDomains: []string{fmt.Sprintf("d%d.example", i)}}, Proof{DKIM: []string{"vendor.example"}})
		switch i {
		case 4711:
			x.Scope.AuthorDomains = []string{"bank.example"}
		case 9000:
			x = entry(Accept, Scope{}, Proof{Clients: nets("198.51.100.0/24")})
		case 9500:
			x.Scope.AuthorDomains, x.NeverExpires, x.Expires = []string{"bank.example"}, false, now.Add(-time.Hour)
		}
		x.ID = fmt.Sprintf("entry%d", i)
		spec.Exceptions = append(spec.Exceptions, x)
	}
	list := Consider(message(failing("reject")), rulesOf(t, spec))
	var told []string
	counted := 0
	for _, x := range list {
		if counted += x.Count; x.ID != "" {
			told = append(told, x.ID)
		}
	}
	if want := "entry4711 entry9000 entry9500"; strings.Join(told[:3], " ") != want || len(told) != NearMisses || counted != 10_000-NearMisses {
		t.Errorf("got %v and %d others, want first %s", told, counted, want)
	}
	if u := list[0].Unmet; len(u) != 1 || u[0].Key != "proof.dkim" || u[0].Wanted[0] != "vendor.example" {
		t.Errorf("got %+v", list[0])
	}
}
