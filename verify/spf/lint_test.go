package spf

import (
	"reflect"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	for _, tt := range []struct {
		name, txt string
		want      []string
	}{
		{"a usual record has nothing to note", "v=spf1 include:_spf.example.net mx -all exp=why.%{d}", nil},
		{"what stands behind all is never reached", "v=spf1 -all mx x=y", []string{`"mx": never reached behind -all`}},
		{"redirect beside all has no effect", "v=spf1 redirect=example.net ~all", []string{`"redirect=example.net": has no effect in a record with all (RFC 7208 section 6.1)`}},
		{"+all authorizes every host", "v=spf1 all", []string{`"all": authorizes every host`}},
		{"ptr is discouraged", "v=spf1 ptr -all", []string{`"ptr": should not be published (RFC 7208 section 5.5)`}},
		{"= in place of : makes a modifier", "v=spf1 ip4=192.0.2.1 -all", []string{`"ip4=192.0.2.1": is an unknown modifier and ignored; a mechanism takes a colon`}},
		{"eleven terms are one too many", "v=spf1" + strings.Repeat(" a", 11) + " -all", []string{"11 terms that cause DNS questions, the limit is 10 (RFC 7208 section 4.6.4)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec, err := ParseRecord(tt.txt)
			if err != nil {
				t.Fatal(err)
			}
			if got := rec.Lint(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q: got %q, want %q", tt.txt, got, tt.want)
			}
		})
	}
}
