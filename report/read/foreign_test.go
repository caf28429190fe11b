package read

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Elements of an extension have names that mean something else (RFC 9990 section 3.1.1):
// they change nothing, and are told.
func TestExtensionsChangeNothing(t *testing.T) {
	const more = `<x:more xmlns:x="urn:example:x"><x:count>99</x:count><x:source_ip>203.0.113.9</x:source_ip><x:dkim><x:result>fail</x:result></x:dkim></x:more>`
	plain := report9990("r1")
	for _, test := range []struct {
		name     string
		from, to string // replaced once
		want     string // problem; empty: none
	}{
		{name: "at the end of a record", from: "</record>", to: more + "</record>", want: `element "more" of an extension is left out`},
		{name: "at the begin of a record", from: "<record>", to: "<record>" + more, want: `element "more"`},
		{name: "in a row", from: "<row>", to: "<row>" + more, want: `element "more"`},
		{name: "in extension", from: "</policy_published>", to: "</policy_published><extension>" + more + "</extension>", want: `element "more"`},
		{name: "in extension, without a namespace", from: "</policy_published>",
			to: "</policy_published><extension><policy_published><domain>other.example</domain><p>none</p></policy_published></extension>", want: `element "policy_published"`},
		{name: "an empty extension", from: "</policy_published>", to: "</policy_published><extension/>"},
		{name: "with a default namespace", from: "</record>", to: `<more xmlns="urn:example:x"><count>99</count></more></record>`, want: `element "more"`},
		{name: "a result", from: "</auth_results>", to: `<x:dkim xmlns:x="urn:example:x"><x:domain>x.example</x:domain></x:dkim></auth_results>`, want: `element "dkim"`},
		{name: "a policy", from: "<p>reject", to: `<x:p xmlns:x="urn:example:x">none</x:p><p>reject`, want: `element "p"`},
		{name: "a report in it", from: "</record>", to: `<x:more xmlns:x="urn:example:x"><feedback><record/></feedback></x:more></record>`, want: `element "more"`},
		{name: "one that is not closed", from: "</record>", to: `<x:more xmlns:x="urn:example:x"><x:count>99</record>`, want: `<more> is not closed`},
		{name: "the tag of a schema that is not closed", from: "<version>", to: `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="x"><version>`, want: "<schema> is not closed"},
		{name: "the tag of a schema around it", from: "<feedback", to: `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="x"><feedback`, want: "ends early"},
		{name: "the namespace is declared at the root", from: "<feedback ", to: `<feedback xmlns:x="urn:example:x" `},
		{name: "one part in another namespace of reports", from: "<row>", to: `<row xmlns="http://dmarc.org/dmarc-xml/0.1">`},
		{name: "one part in a namespace of its own, whole", from: "<row>", to: `<row xmlns="urn:example:x">`},
		{name: "one part without", from: "<row>", to: `<row xmlns="">`},
	} {
		k, n := readAll(t, Limits{}, strings.Replace(plain, test.from, test.to, 1))
		if n[0] != 1 {
			t.Errorf("%s: got %d reports", test.name, n[0])
		}
		whole, _ := readAll(t, Limits{}, plain)
		got, _ := json.Marshal([]any{k.heads, k.records})
		if want, _ := json.Marshal([]any{whole.heads, whole.records}); string(got) != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, want)
		}
		if test.want == "" && len(k.problems) > 0 || test.want != "" && !slices.ContainsFunc(k.problems, func(p string) bool { return strings.Contains(p, test.want) }) {
			t.Errorf("%s: problems %q, want %q", test.name, k.problems, test.want)
		}
	}
}
