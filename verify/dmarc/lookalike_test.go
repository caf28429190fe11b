package dmarc

import (
	"context"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/resolver"
)

// RFC 9989 section 4.10: what does not start with v=DMARC1 is discarded, without a
// word to who published it.
func TestLookalikesOfARecordAreTold(t *testing.T) {
	for _, row := range []struct{ name, txt, why string }{
		{name: "a record", txt: "v=DMARC1; p=reject"},
		{name: "a record without semicolon", txt: "v=DMARC1"},
		{name: "white space around =", txt: "V = DMARC1 ;p=none"},
		{name: "an SPF record, as a wildcard gives it", txt: "v=spf1 -all"},
		{name: "a text of another service", txt: "google-site-verification=abc"},
		{name: "a colon for the semicolon", txt: "v=DMARC1: p=reject", why: `":" stands behind v=DMARC1 instead of a semicolon`},
		{name: "a comma", txt: "v=DMARC1, p=reject", why: `"," stands behind`},
		{name: "no semicolon", txt: "v=DMARC1 p=reject", why: "no semicolon stands behind v=DMARC1"},
		{name: "an escaped semicolon", txt: `v=DMARC1\; p=reject`, why: "no semicolon stands behind v=DMARC1"},
		{name: "a non-breaking space", txt: "v=DMARC1\u00a0; p=reject", why: `"\u00a0" stands behind`},
		{name: "octets that are no text", txt: "v=DMARC1\xff", why: `"\xff" stands behind`},
		{name: "white space in front", txt: " v=DMARC1; p=reject", why: "white space stands in front"},
		{name: "white space in front of another fault", txt: " v=DMARC1: p=reject", why: `":" stands behind`},
		{name: "quotation marks in the text", txt: `"v=DMARC1; p=reject"`, why: "a quotation mark is part of the text"},
		{name: "typographic quotation marks", txt: "“v=DMARC1; p=reject”", why: "a quotation mark is part of the text"},
		{name: "a byte order mark in front", txt: "\ufeffv=DMARC1; p=reject", why: "v=DMARC1 is not the first tag"},
		{name: "not the first tag", txt: "p=reject; v=DMARC1", why: "v=DMARC1 is not the first tag"},
		{name: "the name in front", txt: "_dmarc.example.com TXT v=DMARC1; p=reject", why: "v=DMARC1 is not the first tag"},
		{name: "lower case", txt: "v=dmarc1; p=reject", why: "not DMARC1 in capital letters"},
		{name: "another version", txt: "v=DMARC10; p=reject", why: "another version"},
		{name: "no version", txt: "v=DMARC; p=reject", why: `the value of v is "DMARC" and not DMARC1`},
		{name: "a space inside", txt: "v=DMARC 1; p=reject", why: `the value of v is "DMARC 1" and not DMARC1`},
		{name: "without v", txt: "DMARC1; p=reject", why: "it does not start with v=DMARC1"},
		{name: "only a policy", txt: "p=reject; rua=mailto:a@example.com", why: "it does not start with v=DMARC1"},
	} {
		if why := Lookalike(row.txt); why != row.why && (row.why == "" || !strings.Contains(why, row.why)) {
			t.Errorf("%s: %q: got %q, want %q", row.name, row.txt, why, row.why)
		}
		if _, err := ParseRecord(row.txt); (err == nil) && row.why != "" {
			t.Errorf("%s: %q is a record", row.name, row.txt)
		}
	}
}

// They are told of each name that was asked for a policy and change nothing.
func TestLookalikesAreEvidence(t *testing.T) {
	zone, err := resolver.ParseZone(strings.NewReader(`
_dmarc.a.example.com TXT "v=DMARC1: p=reject"
_dmarc.example.com TXT "v=DMARC1; p=quarantine"
_dmarc.example.com TXT "v=dmarc1; p=reject"
_dmarc.none.test TXT "p=reject"
`), "zone")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, author string
		method       evidence.Discovery
		result       evidence.Result
		want         []string
	}{
		{name: "on the way up and beside a record", author: "a.example.com", result: evidence.Fail, want: []string{
			`_dmarc.a.example.com "v=DMARC1: p=reject": ":" stands behind v=DMARC1 instead of a semicolon`,
			`_dmarc.example.com "v=dmarc1; p=reject": the value of v is not DMARC1 in capital letters`}},
		{name: "the same by the list", author: "a.example.com", method: evidence.PSL, result: evidence.Fail, want: []string{
			`_dmarc.a.example.com "v=DMARC1: p=reject": ":" stands behind v=DMARC1 instead of a semicolon`,
			`_dmarc.example.com "v=dmarc1; p=reject": the value of v is not DMARC1 in capital letters`}},
		{name: "with the own record the walk ends", author: "example.com", result: evidence.Fail, want: []string{
			`_dmarc.example.com "v=dmarc1; p=reject": the value of v is not DMARC1 in capital letters`}},
		{name: "where there is no policy", author: "none.test", result: evidence.None, want: []string{
			`_dmarc.none.test "p=reject": it does not start with v=DMARC1`}},
		{name: "nothing to tell", author: "other.test", result: evidence.None},
	} {
		got := Start(context.Background(), zone, row.author, Options{Discovery: row.method}).Finish(context.Background(), Identifiers{})
		if got.Result != row.result || strings.Join(got.Lookalikes, "\n") != strings.Join(row.want, "\n") {
			t.Errorf("%s: got %s %q, want %s %q", row.name, got.Result, got.Lookalikes, row.result, row.want)
		}
	}
}

// What is told is no record, and short.
func FuzzLookalike(f *testing.F) {
	for _, txt := range []string{"v=DMARC1: p=reject", " v=DMARC1", "p=none", "v=dmarc1\xff"} {
		f.Add(txt)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		why := Lookalike(txt)
		if _, err := ParseRecord(txt); why != "" && err == nil || len(why) > 400 {
			t.Fatalf("%q: %q", txt, why)
		}
	})
}
