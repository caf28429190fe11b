package lint

import (
	"net/netip"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/verify/spf"
)

func TestSPFFaults(t *testing.T) {
	const at = "example.test TXT "
	for _, row := range []struct {
		name, zone string
		lookups    int
		want       []finding
	}{
		{name: "no record", zone: at + `"x"`, want: []finding{{Warning, "publishes no SPF record", "RFC 7208 section 4.5"}}},
		{name: "two records", zone: at + "\"v=spf1 -all\"\n" + at + `"v=spf1 ~all"`, want: []finding{{Fault, "several SPF records", "RFC 7208 section 4.5"}}},
		{name: "a text that looks like one", zone: at + `"v=spf1include:a.test"`, want: []finding{{Fault, "no space stands behind v=spf1", "RFC 7208 section 4.5"}}},
		{name: "Sender ID only", zone: at + `"spf2.0/pra -all"`, want: []finding{{Fault, "Sender ID", "RFC 7208 section 4.5"}}},
		{name: "a syntax error", zone: at + `"v=spf1 ip4:192.0.2.999 -all"`, want: []finding{{Fault, `term "ip4:192.0.2.999"`, "RFC 7208 section 4.6"}}},
		{name: "+all", zone: at + `"v=spf1 +all"`, want: []finding{{Fault, "lets everybody send", "RFC 7208 section 11.3"}}},
		{name: "all without qualifier", zone: at + `"v=spf1 all"`, want: []finding{{Fault, "lets everybody send", "RFC 7208 section 11.3"}}},
		{name: "+all of an include", zone: at + "\"v=spf1 include:a.test -all\"\na.test TXT \"v=spf1 +all\"", lookups: 1, want: []finding{{Fault, "lets everybody send", "RFC 7208 section 11.3"}}},
		{name: "the whole IPv4", zone: at + `"v=spf1 ip4:0.0.0.0/0 -all"`, want: []finding{{Fault, "lets about everybody send", "RFC 7208 section 11.3"}}},
		{name: "?all", zone: at + `"v=spf1 ?all"`, want: []finding{{Warning, "neutral", "RFC 7208 section 4.7"}}},
		{name: "no all", zone: at + `"v=spf1 ip4:192.0.2.1"`, want: []finding{{Warning, "neither all nor redirect", "RFC 7208 section 4.7"}}},
		{name: "nothing", zone: at + `"v=spf1"`, want: []finding{{Warning, "has no terms", "RFC 7208 section 4.7"}}},
		{name: "terms behind all", zone: at + `"v=spf1 -all a mx"`, want: []finding{{Warning, "2 terms stand behind all", "RFC 7208 section 5.1"}}},
		{name: "redirect beside all", zone: at + `"v=spf1 -all redirect=a.test"`, want: []finding{{Warning, `"redirect=a.test" is ignored`, "RFC 7208 section 5.1"}}},
		{name: "ptr", zone: at + `"v=spf1 ptr -all"`, lookups: 1, want: []finding{{Warning, `"ptr" is slow`, "RFC 7208 section 5.5"}}},
		{name: "%{p}", zone: at + `"v=spf1 exists:%{p}.a.test -all"`, lookups: 2, want: []finding{{Warning, "%{p}", "RFC 7208 section 7.2"}}},
		{name: "a term twice", zone: at + `"v=spf1 ip4:192.0.2.1/32 ip4:192.0.2.1 -all"`, want: []finding{{Warning, "stands twice", ""}}},
		{name: "an include of nothing", zone: at + `"v=spf1 include:a.test -all"`, lookups: 1, want: []finding{{Fault, "the name does not exist", "RFC 7208 section 5.2"}}},
		{name: "a redirect to nothing", zone: at + "\"v=spf1 redirect=a.test\"\na.test A 192.0.2.1", lookups: 1, want: []finding{{Fault, "no SPF record", "RFC 7208 section 6.1"}}},
		{name: "a broken include", zone: at + "\"v=spf1 include:a.test -all\"\na.test TXT \"v=spf1 ipv4:192.0.2.1\"", lookups: 1, want: []finding{{Fault, "unknown mechanism", "RFC 7208 section 4.6"}}},
		{name: "an include that does not answer", zone: at + "\"v=spf1 include:a.test -all\"\na.test SERVFAIL", lookups: 1, want: []finding{{Fault, "temperror", "RFC 7208 section 4.4"}}},
		{name: "a loop", zone: at + "\"v=spf1 include:a.test -all\"\na.test TXT \"v=spf1 include:example.test -all\"", lookups: 2, want: []finding{{Fault, "leads back to example.test", "RFC 7208 section 4.6.4"}}},
		{name: "itself", zone: at + `"v=spf1 include:example.test -all"`, lookups: 1, want: []finding{{Fault, "leads back to example.test", "RFC 7208 section 4.6.4"}}},
		{name: "eleven lookups", zone: at + `"v=spf1` + strings.Repeat(" exists:%{i}.a.test", 11) + ` -all"`, lookups: 11, want: []finding{{Fault, "leads to 11 terms", "RFC 7208 section 4.6.4"}}},
		{name: "void lookups", zone: at + `"v=spf1 a:a.test a:b.test mx:c.test -all"`, lookups: 3, want: []finding{{Fault, "3 of the questions have no answer", "RFC 7208 section 4.6.4"}}},
		{name: "void lookups of IPv6", zone: at + "\"v=spf1 a:a.test a:b.test a:c.test -all\"\na.test A 192.0.2.1\nb.test A 192.0.2.1\nc.test A 192.0.2.1", lookups: 3, want: []finding{{Warning, "for clients with IPv6 3", "RFC 7208 section 4.6.4"}}},
		{name: "many MX", zone: at + `"v=spf1 mx -all"` + mxs(11), lookups: 1, want: []finding{{Fault, "MX records, and 10 are allowed", "RFC 7208 section 4.6.4"}}},
		{name: "an explanation that is none", zone: at + `"v=spf1 -all exp=e.test"`, want: []finding{{Warning, "there is no explanation", "RFC 7208 section 6.2"}}},
		{name: "a long record", zone: at + `"v=spf1` + strings.Repeat(" ip4:192.0.2.1", 20) + `" "` + strings.Repeat(" ip4:198.51.100.7", 20) + ` -all"`, want: []finding{
			{Warning, "the record has", "RFC 7208 section 3.4"}, {Note, "several character-strings", "RFC 1035 section 3.3"}}},
		{name: "an include by macros", zone: at + `"v=spf1 include:%{d2}.a.test -all"`, lookups: 1, want: []finding{{Note, "depends on the message", "RFC 7208 section 7"}}},
		{name: "an alias", zone: "example.test CNAME a.test\na.test TXT \"v=spf1 -all\"", want: []finding{{Note, "alias (CNAME) of a.test", ""}}},
	} {
		out := CheckSPF(t.Context(), zone(t, row.zone), "example.test")
		if out.Lookups != row.lookups {
			t.Errorf("%s: got %d lookups, want %d", row.name, out.Lookups, row.lookups)
		}
		expect(t, row.name, out.Findings, row.want...)
	}
	if out := CheckSPF(t.Context(), zone(t, at+`"v=spf1 ip4:192.0.2.1 -all"`), "example.test"); len(out.Findings) != 0 {
		t.Errorf("a good record: %+v", out.Findings)
	}
	if out := CheckSPF(t.Context(), zone(t, "example.test SERVFAIL"), "example.test"); out.Known() {
		t.Errorf("a domain that does not answer: %+v", out)
	}
}

func mxs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("\nexample.test MX 1 m" + string(rune('a'+i)) + ".test")
	}
	return b.String()
}

// The tree counts each branch, whoever the client is, and follows nothing behind
// all.
func TestSPFTree(t *testing.T) {
	out := CheckSPF(t.Context(), zone(t, `
example.test TXT "v=spf1 a include:one.test include:two.test ~all include:dead.test"
example.test A 192.0.2.1
one.test TXT "v=spf1 include:leaf.test exists:%{i}.x.test -all"
leaf.test TXT "v=spf1 mx:mail.test -all"
mail.test MX 10 mx.mail.test
mx.mail.test A 192.0.2.2
two.test TXT "v=spf1 redirect=leaf.test"
`), "example.test")
	const want = `SPF of example.test
  lookups        8 of 10
  void lookups   0 of 2 for IPv4 clients, 1 for IPv6 clients
  example.test: v=spf1 a include:one.test include:two.test ~all include:dead.test
     1  a
          A example.test: NOERROR 192.0.2.1
          AAAA example.test: NODATA
     4  include:one.test
        one.test: v=spf1 include:leaf.test exists:%{i}.x.test -all
           2  include:leaf.test
              leaf.test: v=spf1 mx:mail.test -all
                 1  mx:mail.test
                      MX mail.test: NOERROR 10 mx.mail.test.
                      A mx.mail.test: NOERROR 192.0.2.2
                      AAAA mx.mail.test: NODATA
           1  exists:%{i}.x.test  (depends on the message (macros), so it was not followed)
     3  include:two.test
        two.test: v=spf1 redirect=leaf.test
           2  redirect=leaf.test
              leaf.test: v=spf1 mx:mail.test -all
                 1  mx:mail.test
                      MX mail.test: NOERROR 10 mx.mail.test.
                      A mx.mail.test: NOERROR 192.0.2.2
                      AAAA mx.mail.test: NODATA
     0  include:dead.test  (never reached: ~all matches everybody)
`
	if got := text(t, out); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What the tree counts is what a check counts that gets to the end.
func TestTheTreeCountsAsACheckDoes(t *testing.T) {
	z := zone(t, `
example.test TXT "v=spf1 a mx include:one.test exists:none.test include:two.test redirect=three.test"
example.test A 192.0.2.1
example.test MX 10 example.test
one.test TXT "v=spf1 a:void.test include:two.test"
two.test TXT "v=spf1 ip4:192.0.2.9 ?a:void2.test"
three.test TXT "v=spf1 ip4:192.0.2.10 -all"
`)
	check := spf.MailFrom(t.Context(), z, spf.Check{IP: netip.MustParseAddr("203.0.113.1"), MailFrom: "a@example.test", Limits: spf.Limits{Voids: 100}})
	tree := CheckSPF(t.Context(), z, "example.test")
	if check.Result != evidence.Fail || check.Lookups != tree.Lookups || check.Voids != tree.Voids4 {
		t.Errorf("a check: %s, %d lookups, %d void; the tree: %d, %d", check.Result, check.Lookups, check.Voids, tree.Lookups, tree.Voids4)
	}
}
