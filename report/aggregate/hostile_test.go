package aggregate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"alignd/evidence"
	"alignd/policy"
)

// hostileTexts are texts as an attacker would have them in a domain, selector, record or reason.
var hostileTexts = []string{
	"</header_from><x/>", "]]>", "<!DOCTYPE a [<!ENTITY b \"c\">]>&b;", "&#0;&#x1F;&amp;", "\x00\x01\x08\x0b\x1f\x7f", "\xff\xfe\xc0\xaf", "\ud7ff\ufffe\uffff\ufffd",
	"a\r\nSubject: b\r\n\r\n", "\u2028\u202e\u0085", strings.Repeat("x", 100_000), strings.Repeat("\u20ac", 300), strings.Repeat("&<>\"'", 100), "", " ",
	"xn--mnchen-3ya.example", "m\u00fcnchen.example", "\U0001f600.example",
}

func hostileReport(s string) *Report {
	return &Report{
		Organization: s, Email: s, Contact: s, Generator: s, ID: "id", Dropped: 7,
		Scope: Scope{Day: day, Domain: s, Discovery: evidence.TreeWalk, Policy: Policy{P: evidence.PolicyReject, FO: s, Pct: 100, Errors: s}},
		Rows: []Counted{{Count: 1, Row: Row{
			Source: netip.MustParseAddr("2001:db8::1"), Disposition: Reject, HeaderFrom: s, EnvelopeFrom: s, EnvelopeTo: s,
			Reasons:    []policy.OverrideReason{{Type: policy.OverrideLocalPolicy, Comment: s}, {Type: policy.OverrideOther, Comment: s}},
			Signatures: []Signature{{Domain: s, Selector: s, Result: evidence.Fail, Human: s}},
			Checked:    &SPF{Domain: s, MailFrom: true, Result: evidence.Fail, Human: s},
		}}},
	}
}

// Whatever stands in a text, the report is one of the schema's form with one error, and
// no text of it is long.
func TestHostileTextsStayTexts(t *testing.T) {
	dir := t.TempDir()
	files := map[Schema][]string{}
	for i, s := range hostileTexts {
		for _, schema := range []Schema{RFC9990, RFC7489} {
			var b bytes.Buffer
			if err := Encode(&b, hostileReport(s), schema); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			if !utf8.Valid(b.Bytes()) {
				t.Errorf("%s of %.40q is no UTF-8", schema, s)
			}
			counts := elements(t, b.Bytes())
			for name, want := range map[string]int{"feedback": 1, "record": 1, "error": 1, "reason": 2, "header_from": 1, "x": 0} {
				if counts[name] != want {
					t.Errorf("%s of %.40q: %d elements %s, want %d", schema, s, counts[name], name, want)
				}
			}
			if b.Len() > 25_000 { // each octet may take five to be written
				t.Errorf("%s of %.40q has %d octets", schema, s, b.Len())
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d.xml", schema, i))
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			files[schema] = append(files[schema], file)
		}
	}
	for schema, list := range files {
		bySchema(t, schema, list)
	}
}

// elements counts them, and looks at the length of texts.
func elements(t *testing.T, doc []byte) map[string]int {
	t.Helper()
	counts := map[string]int{}
	most := 0
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		switch x := token.(type) {
		case xml.StartElement:
			counts[x.Name.Local]++
			if most = maxErrors; x.Name.Local == "comment" {
				most = maxComment
			}
		case xml.CharData:
			if len(x) > max(most, maxErrors) {
				t.Errorf("a text has %d octets", len(x))
			}
		}
	}
}

// What drops messages is said in the one error even where the record's faults fill it.
func TestWhatIsDroppedIsSaidBesideLongFaults(t *testing.T) {
	r := hostileReport(strings.Repeat("x", 10_000))
	if got := problems(r); !strings.Contains(got, "7 messages are not in this report") || len(got) > maxErrors {
		t.Errorf("%d octets, %q", len(got), got)
	}
}
