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
		{name: "no record", zone: at + `"x"`, want: []finding{{level: Warning, text: "publishes no SPF record", section: "RFC 7208 section 4.5"}}},
		{name: "two records", zone: at + "\"v=spf1 -all\"\n" + at + `"v=spf1 ~all"`, want: []finding{{level: Fault,
			text: "several SPF records", section: "RFC 7208 section 4.5"}}},
		{name: "a text that looks like one", zone: at + `"v=spf1include:a.test"`, want: []finding{{level: Fault,
			text: "no space stands behind v=spf1", section: "RFC 7208 section 4.5"}}},
		{name: "Sender ID only", zone: at + `"spf2.0/pra -all"`, want: []finding{{level: Fault, text: "Sender ID", section: "RFC 7208 section 4.5"}}},
		{name: "a syntax error", zone: at + `"v=spf1 ip4:192.0.2.999 -all"`, want: []finding{{level: Fault,
			text: `term "ip4:192.0.2.999"`, section: "RFC 7208 section 4.6"}}},
		{name: "+all", zone: at + `"v=spf1 +all"`, want: []finding{{level: Fault, text: "lets everybody send", section: "RFC 7208 section 11.3"}}},
		{name: "all without qualifier", zone: at + `"v=spf1 all"`, want: []finding{{level: Fault, text: "lets everybody send",
			section: "RFC 7208 section 11.3"}}},
		{name: "+all of an include", zone: at + "\"v=spf1 include:a.test -all\"\na.test TXT \"v=spf1 +all\"", lookups: 1, want: []finding{{level: Fault,
			text: "lets everybody send", section: "RFC 7208 section 11.3"}}},
		{name: "the whole IPv4", zone: at + `"v=spf1 ip4:0.0.0.0/0 -all"`, want: []finding{{level: Fault,
			text: "lets about everybody send", section: "RFC 7208 section 11.3"}}},
		{name: "?all", zone: at + `"v=spf1 ?all"`, want: []finding{{level: Warning, text: "neutral", section: "RFC 7208 section 4.7"}}},
		{name: "no all", zone: at + `"v=spf1 ip4:192.0.2.1"`, want: []finding{{level: Warning, text: "neither all nor redirect",
			section: "RFC 7208 section 4.7"}}},
		{name: "nothing", zone: at + `"v=spf1"`, want: []finding{{level: Warning, text: "has no terms", section: "RFC 7208 section 4.7"}}},
		{name: "terms behind all", zone: at + `"v=spf1 -all a mx"`, want: []finding{{level: Warning, text: "2 terms stand behind all",
			section: "RFC 7208 section 5.1"}}},
		{name: "redirect beside all", zone: at + `"v=spf1 -all redirect=a.test"`, want: []finding{{level: Warning,
			text: `"redirect=a.test" is ignored`, section: "RFC 7208 section 5.1"}}},
		{name: "ptr", zone: at + `"v=spf1 ptr -all"`, lookups: 1, want: []finding{{level: Warning, text: `"ptr" is slow`,
			section: "RFC 7208 section 5.5"}}},
		{name: "%{p}", zone: at + `"v=spf1 exists:%{p}.a.test -all"`, lookups: 2, want: []finding{{level: Warning, text: "%{p}",
			section: "RFC 7208 section 7.2"}}},
		{name: "a term twice", zone: at + `"v=spf1 ip4:192.0.2.1/32 ip4:192.0.2.1 -all"`, want: []finding{{level: Warning,
			text: "stands twice"}}},
		{name: "an include of nothing", zone: at + `"v=spf1 include:a.test -all"`, lookups: 1, want: []finding{{level: Fault,
			text: "the name does not exist", section: "RFC 7208 section 5.2"}}},
		{name: "a redirect to nothing", zone: at + "\"v=spf1 redirect=a.test\"\na.test A 192.0.2.1", lookups: 1, want: []finding{{level: Fault,
			text: "no SPF record", section: "RFC 7208 section 6.1"}}},
		{name: "a broken include", zone: at + "\"v=spf1 include:a.test -all\"\na.test TXT \"v=spf1 ipv4:192.0.2.1\"", lookups: 1, want: []finding{{level: Fault,
			text: "unknown mechanism", section: "RFC 7208 section 4.6"}}},
		{name: "an include that does not answer", zone: at + "\"v=spf1 include:a.test -all\"\na.test SERVFAIL", lookups: 1, want: []finding{{level: Fault,
			text: "temperror", section: "RFC 7208 section 4.4"}}},
		{name: "a loop", zone: at + "\"v=spf1 include:a.test -all\"\na.test TXT \"v=spf1 include:example.test -all\"", lookups: 2, want: []finding{{level: Fault,
			text: "leads back to example.test", section: "RFC 7208 section 4.6.4"}}},
		{name: "itself", zone: at + `"v=spf1 include:example.test -all"`, lookups: 1, want: []finding{{level: Fault,
			text: "leads back to example.test", section: "RFC 7208 section 4.6.4"}}},
		{name: "eleven lookups", zone: at + `"v=spf1` + strings.Repeat(" exists:%{i}.a.test", 11) + ` -all"`, lookups: 11, want: []finding{{level: Fault,
			text: "leads to 11 terms", section: "RFC 7208 section 4.6.4"}}},
		{name: "void lookups", zone: at + `"v=spf1 a:a.test a:b.test mx:c.test -all"`, lookups: 3, want: []finding{{level: Fault,
			text: "3 of the questions have no answer", section: "RFC 7208 section 4.6.4"}}},
		{name: "void lookups of IPv6", zone: at + "\"v=spf1 a:a.test a:b.test a:c.test -all\"\na.test A 192.0.2.1\nb.test A 192.0.2.1\nc.test A 192.0.2.1", lookups: 3, want: []finding{{level: Warning,
			text: "for clients with IPv6 3", section: "RFC 7208 section 4.6.4"}}},
		{name: "many MX", zone: at + `"v=spf1 mx -all"` + mxs(11), lookups: 1, want: []finding{{level: Fault,
			text: "MX records, and 10 are allowed", section: "RFC 7208 section 4.6.4"}}},
		{name: "an explanation that is none", zone: at + `"v=spf1 -all exp=e.test"`, want: []finding{{level: Warning,
			text: "there is no explanation", section: "RFC 7208 section 6.2"}}},
		{name: "a long record", zone: at + `"v=spf1` + strings.Repeat(" ip4:192.0.2.1", 20) + `" "` + strings.Repeat(" ip4:198.51.100.7", 20) + ` -all"`, want: []finding{
			{level: Warning, text: "the record has", section: "RFC 7208 section 3.4"}, {level: Note, text: "several character-strings", section: "RFC 1035 section 3.3"}}},
		{name: "an include by macros", zone: at + `"v=spf1 include:%{d2}.a.test -all"`, lookups: 1, want: []finding{{level: Note,
			text: "depends on the message", section: "RFC 7208 section 7"}}},
		{name: "an alias", zone: "example.test CNAME a.test\na.test TXT \"v=spf1 -all\"", want: []finding{{level: Note,
			text: "alias (CNAME) of a.test"}}},
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
	for _, text := range []string{"include:a.test", "redirect=a.test", "a:a.test", "mx:a.test", "exists:a.test"} {
		if out := CheckSPF(t.Context(), zone(t, at+`"v=spf1 `+text+"\"\na.test SERVFAIL"), "example.test"); out.Known() || out.Tree == nil {
			t.Errorf("%s that does not answer: %+v", text, out)
		}
	}
	if out := CheckSPF(t.Context(), zone(t, at+`"v=spf1 a:a.test -all"`), "example.test"); !out.Known() {
		t.Errorf("a name that does not exist is an answer: %+v", out)
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
