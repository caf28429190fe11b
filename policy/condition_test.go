package policy

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"alignd/evidence"
)

// snake is a Go name as an option: AuthorDomains is author_domains, ListIDs list_ids.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := i > 0 && unicode.IsUpper(r) && unicode.IsLower(runes[i-1])
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func TestEachFieldOfScopeAndProofIsACondition(t *testing.T) {
	rows := map[string]*condition{}
	for i := range conditions {
		rows[conditions[i].key] = &conditions[i]
	}
	for section, typ := range map[string]reflect.Type{"scope": reflect.TypeFor[Scope](), "proof": reflect.TypeFor[Proof]()} {
		for _, f := range reflect.VisibleFields(typ) {
			key := section + "." + snake(f.Name)
			row := rows[key]
			if row == nil {
				t.Errorf("%s.%s: no row of conditions has the key %s", typ.Name(), f.Name, key)
				continue
			}
			delete(rows, key)
			if row.list == nil {
				continue // networks
			}
			var x Exception
			list := reflect.ValueOf(&x).Elem().FieldByName(typ.Name()).FieldByName(f.Name)
			list.Set(reflect.ValueOf([]string{"here"}))
			if got := row.list(&x); len(got) != 1 || got[0] != "here" {
				t.Errorf("the row of %s lists %q, not what stands in its field", key, got)
			}
		}
	}
	for key := range rows {
		t.Errorf("the row of %s has no field", key)
	}
}

func TestEachConditionHasAsManyValuesAsTheMessage(t *testing.T) {
	ev := message(failing("reject"))
	ev.Recipients = []evidence.Recipient{{Address: "a@here.example"}, {Address: "b@here.example"}}
	ev.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "a.example"}, {Result: evidence.Fail, Domain: "b.example"}}
	ev.IPRev = evidence.IPRev{Result: evidence.Pass, Names: []string{"a.example", "b.example"}}
	ev.SPF.MailFrom.Result = evidence.Pass
	sealed("pass", seal(1, "lists.example", "dmarc=pass"))(ev)
	d := decision{ev: ev, rules: rulesOf(t, Spec{Sealers: []Sealer{{ID: "lists", Domains: []string{"lists.example"}}}})}
	want := map[string]int{"scope.recipients": 2, "proof.dkim": 2, "proof.ptr": 2} // of others one
	for i := range conditions {
		row := &conditions[i]
		if row.value == nil {
			continue // networks
		}
		for _, kind := range []Kind{Allow, Block} {
			n := 0
			for n < 10 {
				if _, ok := row.value(d, kind, &ev.DMARC[0], n); !ok {
					break
				}
				n++
			}
			if n != max(1, want[row.key]) {
				t.Errorf("%s has %d values for a %s entry, want %d", row.key, n, kind, max(1, want[row.key]))
			}
		}
	}
}
