package spf

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/resolver"
)

// RFC 7208 section 4.5: what does not begin with the version section is discarded,
// without a word to who published it.
func TestLookalikesOfARecordAreTold(t *testing.T) {
	for _, row := range []struct{ name, txt, why string }{
		{name: "a record", txt: "v=spf1 -all"},
		{name: "a bare record", txt: "V=SPF1"},
		{name: "a DMARC record", txt: "v=DMARC1; p=none"},
		{name: "a text of another service", txt: "google-site-verification=abc"},
		{name: "a sentence", txt: "all mail is sent by somebody else"},
		{name: "no space", txt: "v=spf1include:_spf.example.net -all", why: "no space stands behind v=spf1"},
		{name: "no space before a qualifier", txt: "v=spf1-all", why: "no space stands behind v=spf1"},
		{name: "a semicolon", txt: "v=spf1; -all", why: `";" stands behind v=spf1 instead of a space`},
		{name: "a colon", txt: "v=spf1: -all", why: `":" stands behind`},
		{name: "a tabulator", txt: "v=spf1\t-all", why: `"\t" stands behind`},
		{name: "a non-breaking space", txt: "v=spf1\u00a0-all", why: `"\u00a0" stands behind`},
		{name: "another version", txt: "v=spf10 -all", why: "another version"},
		{name: "white space in front", txt: " v=spf1 -all", why: "white space stands in front"},
		{name: "quotation marks in the text", txt: `"v=spf1 -all"`, why: "a quotation mark is part of the text"},
		{name: "the name in front", txt: "example.com. IN TXT v=spf1 -all", why: "v=spf1 does not stand at the beginning"},
		{name: "Sender ID", txt: "spf2.0/pra ip4:192.0.2.1 -all", why: "Sender ID"},
		{name: "a version without number", txt: "v=spf -all", why: "it does not start with v=spf1"},
		{name: "an inner space", txt: "v = spf1 -all", why: "it does not start with v=spf1"},
		{name: "a version with a point", txt: "v=spf.1 -all", why: "it does not start with v=spf1"},
		{name: "without v=", txt: "spf1 ip4:192.0.2.1 -all", why: "it does not start with v=spf1"},
		{name: "only terms", txt: "include:_spf.example.net ~all", why: "the version section v=spf1 is missing"},
	} {
		if why := Lookalike(row.txt); why != row.why && (row.why == "" || !strings.Contains(why, row.why)) {
			t.Errorf("%s: %q: got %q, want %q", row.name, row.txt, why, row.why)
		}
		if isRecord(row.txt) && row.why != "" {
			t.Errorf("%s: %q is a record", row.name, row.txt)
		}
	}
}

// They are told of each name that was asked for a record and change no result.
func TestLookalikesAreEvidence(t *testing.T) {
	zone, err := resolver.ParseZone(strings.NewReader(`
none.test TXT "v=spf1include:a.test"
some.test TXT "v=spf1 include:broken.test -all"
broken.test TXT "v=spf1; ip4:192.0.2.1"
both.test TXT "v=spf1 -all"
both.test TXT "spf2.0/pra +all"
`), "zone")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, domain string
		result       evidence.Result
		want         string
	}{
		{name: "instead of a record", domain: "none.test", result: evidence.None, want: `none.test "v=spf1include:a.test": no space stands behind v=spf1`},
		{name: "behind an include", domain: "some.test", result: evidence.PermError, want: `broken.test "v=spf1; ip4:192.0.2.1": ";" stands behind v=spf1 instead of a space`},
		{name: "beside a record", domain: "both.test", result: evidence.Fail, want: `both.test "spf2.0/pra +all": it is a Sender ID record (RFC 4406), which is no SPF record`},
	} {
		got := MailFrom(context.Background(), zone, Check{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@" + row.domain})
		if got.Result != row.result || strings.Join(got.Lookalikes, "\n") != row.want {
			t.Errorf("%s: got %s %q, want %s %q", row.name, got.Result, got.Lookalikes, row.result, row.want)
		}
	}
}

// What is told is no record, and short.
func FuzzLookalike(f *testing.F) {
	for _, txt := range []string{"v=spf1;-all", " v=spf1", "include:a.test", "spf2.0/pra", "v=spf1\xff"} {
		f.Add(txt)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		if why := Lookalike(txt); why != "" && isRecord(txt) || len(why) > 200 {
			t.Fatalf("%q: %q", txt, why)
		}
	})
}
