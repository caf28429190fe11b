package readers

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Each parser must show what it is known to show, or the comparisons with it
// compare nothing.
func TestReadersShow(t *testing.T) {
	const value = `"Ann B." <ann@a.example>, G: bob@b.example;`
	all := []string{"a.example", "b.example"}
	knows := map[string][]string{"Camel": {"a.example", ";"}} // which takes the last address of a group for a name
	answers := Answer{}
	for _, p := range From() {
		s, err := p.Start()
		if errors.Is(err, ErrMissing) {
			t.Logf("left out: %v", err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		got, err := s.Ask([]string{value, "\xff\x00\r\n <"})
		if err != nil {
			t.Fatal(err)
		}
		for name, shown := range got[0] {
			answers[name] = shown
		}
		if err := s.Stop(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	if got, err := Dovecot([]string{"a@b\nc", value}); errors.Is(err, ErrMissing) {
		t.Logf("left out: %v", err)
	} else if err != nil {
		t.Fatal(err)
	} else {
		if got[0] != nil {
			t.Errorf("two fields are answered as one: %q", got[0])
		}
		answers[DovecotName] = got[1][DovecotName]
	}
	for name, shown := range answers {
		var domains []string
		for _, a := range shown {
			if d := a[strings.LastIndexByte(a, '@')+1:]; !slices.Contains(domains, d) {
				domains = append(domains, d)
			}
		}
		want := all
		if known, ok := knows[name]; ok {
			want = known
		}
		if !slices.Equal(domains, want) {
			t.Errorf("%s shows %q, want the domains %q", name, shown, want)
		}
	}
}
