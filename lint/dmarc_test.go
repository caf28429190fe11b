package lint

import (
	"strings"
	"testing"
)

func TestDMARCFaults(t *testing.T) {
	const at, above = "_dmarc.example.test TXT ", "RFC 9989 section 4.10.1"
	for _, row := range []struct {
		name, zone string
		use        string
		want       []finding
	}{
		{name: "no record", zone: "example.test A 192.0.2.1", want: []finding{{level: Warning, text: "no DMARC record was found", section: above}}},
		{name: "no semicolon behind p", zone: at + `"v=DMARC1; p=reject rua=mailto:a@example.test"`, use: "not processed", want: []finding{
			{level: Fault, text: "no semicolon stands behind the value of p", section: above}, {level: Fault, text: "DMARC is not applied", section: above}}},
		{name: "a comma behind p", zone: at + `"v=DMARC1; p=none, rua=mailto:a@example.test"`, use: "not processed", want: []finding{{level: Fault,
			text: "no semicolon stands behind the value of p", section: above}}},
		{name: "a colon behind the version", zone: at + `"v=DMARC1: p=reject"`, want: []finding{{level: Fault,
			text: "instead of a semicolon", section: "RFC 9989 section 4.10"}}},
		{name: "two records", zone: at + "\"v=DMARC1; p=reject\"\n" + at + `"v=DMARC1; p=none"`, want: []finding{{level: Fault,
			text: "2 DMARC records stand here", section: "RFC 9989 section 4.10"}}},
		{name: "a record at the domain itself", zone: `example.test TXT "v=DMARC1; p=reject"`, want: []finding{{level: Fault,
			text: "its place is _dmarc.example.test", section: "RFC 9989 section 4.5"}}},
		{name: "no policy", zone: at + `"v=DMARC1; rua=mailto:a@example.test"`, use: "as p=none", want: []finding{{level: Warning,
			text: "there is no p tag", section: above}}},
		{name: "no policy and no address", zone: at + `"v=DMARC1"`, use: "not processed", want: []finding{{level: Fault,
			text: "DMARC is not applied", section: above}}},
		{name: "a policy that is none", zone: at + `"v=DMARC1; p=rejekt; rua=mailto:a@example.test"`, use: "as p=none", want: []finding{{level: Fault,
			text: `invalid value "rejekt" of tag p`, section: above}}},
		{name: "a policy of subdomains that is none", zone: at + `"v=DMARC1; p=reject; sp=all; rua=mailto:a@example.test"`, use: "as p=none", want: []finding{{level: Fault,
			text: "all of it acts as p=none", section: above}}},
		{name: "p twice", zone: at + `"v=DMARC1; p=reject; p=none"`, use: "not processed", want: []finding{{level: Fault,
			text: "duplicate tag p", section: above}}},
		{name: "an alignment mode that is none", zone: at + `"v=DMARC1; p=reject; adkim=strict"`, use: "applies", want: []finding{{level: Fault,
			text: `invalid value "strict" of tag adkim`, section: "RFC 9989 section 4.8"}}},
		{name: "an address without scheme", zone: at + `"v=DMARC1; p=reject; rua=a@example.test"`, use: "applies", want: []finding{{level: Fault,
			text: "invalid URI", section: "RFC 9989 section 4.8"}}},
		{name: "reports by HTTPS", zone: at + `"v=DMARC1; p=reject; rua=https://example.test/r"`, use: "applies", want: []finding{{level: Warning,
			text: "only mailto", section: "RFC 9989 section 4.7"}}},
		{name: "pct", zone: at + `"v=DMARC1; p=reject; pct=50"`, use: "applies", want: []finding{{level: Warning,
			text: "pct=50 is historic", section: "RFC 9989 appendix A.6"}}},
		{name: "ri and rf", zone: at + `"v=DMARC1; p=reject; ri=3600; rf=afrf"`, use: "applies", want: []finding{{level: Note,
			text: "ri=3600 is historic", section: "RFC 9989 appendix A.6"}, {level: Note,
			text: "rf=afrf is historic", section: "RFC 9989 appendix A.6"}}},
		{name: "a size", zone: at + `"v=DMARC1; p=reject; rua=mailto:a@example.test!10m"`, use: "applies", want: []finding{{level: Note,
			text: "a size limit in rua", section: "RFC 9989 section 4.8"}}},
		{name: "an unknown tag", zone: at + `"v=DMARC1; p=reject; foo=bar"`, use: "applies", want: []finding{{level: Note,
			text: "an unknown tag: foo=bar", section: "RFC 9989 section 4.7"}}},
		{name: "p=none", zone: at + `"v=DMARC1; p=none"`, use: "applies", want: []finding{{level: Warning,
			text: "p=none asks for nothing", section: "RFC 9989 section 4.7"}, {level: Note,
			text: "no rua", section: "RFC 9989 section 4.7"}}},
		{name: "weaker for subdomains", zone: at + `"v=DMARC1; p=reject; sp=none; np=quarantine"`, use: "applies", want: []finding{{level: Warning,
			text: "sp=none is weaker", section: "RFC 9989 section 4.7"}, {level: Warning,
			text: "np=quarantine is weaker", section: "RFC 9989 section 4.7"}}},
		{name: "tests", zone: at + `"v=DMARC1; p=reject; t=y"`, use: "applies", want: []finding{{level: Warning, text: "t=y",
			section: "RFC 9989 section 4.7"}}},
		{name: "a public suffix", zone: at + `"v=DMARC1; p=reject; psd=y; ruf=mailto:a@example.test"`, use: "applies", want: []finding{{level: Warning,
			text: "psd=y", section: "RFC 9989 section 4.7"}, {level: Warning,
			text: "ruf of a record with psd=y", section: "RFC 9991 section 2"}}},
		{name: "fo without ruf", zone: at + `"v=DMARC1; p=reject; fo=1"`, use: "applies", want: []finding{{level: Note,
			text: "no effect without ruf", section: "RFC 9989 section 4.7"}}},
		{name: "two records in one", zone: at + `"v=DMARC1; p=reject; v=DMARC1; p=reject"`, use: "applies", want: []finding{{level: Warning,
			text: "v stands twice", section: "RFC 9989 section 4.7"}}},
		{name: "a name that does not answer", zone: "_dmarc.example.test SERVFAIL", want: []finding{{level: Fault, text: "temperror", section: above}}},
	} {
		out := CheckDMARC(t.Context(), zone(t, row.zone), "example.test", true)
		if out.Use != row.use {
			t.Errorf("%s: got use %q, want %q", row.name, out.Use, row.use)
		}
		expect(t, row.name, out.Findings, row.want...)
	}
	if out := CheckDMARC(t.Context(), zone(t, at+`"v=DMARC1; p=reject; rua=mailto:a@example.test"`), "example.test", true); len(out.Findings) != 0 {
		t.Errorf("a good record: %+v", out.Findings)
	}
	if out := CheckDMARC(t.Context(), zone(t, "_dmarc.example.test SERVFAIL"), "example.test", true); out.Known() {
		t.Errorf("a domain that does not answer: %+v", out)
	}
}

// The names are those of RFC 9989 section 4.10, in order: at most eight of them.
func TestDMARCWalkIsShownInOrder(t *testing.T) {
	z := zone(t, `_dmarc.example.test TXT "v=DMARC1; p=reject; sp=quarantine; np=none; rua=mailto:a@example.test"`)
	for _, row := range []struct{ name, domain, asked, policy string }{
		{name: "the domain itself", domain: "example.test", asked: "example test", policy: "reject p"},
		{name: "a subdomain", domain: "a.mail.example.test", asked: "a.mail.example mail.example example test", policy: "quarantine sp"},
		{name: "more than eight labels", domain: "a.b.c.d.e.f.g.h.i.example.test", policy: "quarantine sp",
			asked: "a.b.c.d.e.f.g.h.i.example e.f.g.h.i.example f.g.h.i.example g.h.i.example h.i.example i.example example test"},
	} {
		out := CheckDMARC(t.Context(), z, row.domain, true)
		var asked []string
		for _, s := range out.Walk {
			asked = append(asked, strings.TrimSuffix(strings.TrimPrefix(s.Name, "_dmarc."), ".test"))
		}
		if got := strings.Join(asked, " "); got != row.asked || out.Policy+" "+out.Tag != row.policy || out.PolicyDomain != "example.test" || out.OrgDomain != "example.test" {
			t.Errorf("%s: asked %q, policy %s %s of %s; want %q, %s", row.name, got, out.Policy, out.Tag, out.PolicyDomain, row.asked, row.policy)
		}
	}
	const want = `DMARC of a.example.test
  asked          _dmarc.a.example.test: NXDOMAIN
  asked          _dmarc.example.test: v=DMARC1; p=reject; sp=quarantine; np=none; rua=mailto:a@example.test
  asked          _dmarc.test: NXDOMAIN
  Org Domain     example.test
  record of      example.test, applies
  policy         quarantine (tag sp) for a.example.test; quarantine for subdomains; none for those that do not exist
  rua            mailto:a@example.test: takes reports
`
	if got := text(t, CheckDMARC(t.Context(), z, "a.example.test", true)); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// RFC 9990 section 4: another Organizational Domain has to agree to get reports.
func TestExternalAddressesHaveToAgree(t *testing.T) {
	for _, row := range []struct{ name, zone, uri, allowed, asked string }{
		{name: "the same domain", uri: "a@example.test", allowed: "yes"},
		{name: "a subdomain", uri: "a@sub.example.test", allowed: "yes"},
		{name: "another domain", uri: "a@other.test", allowed: "no", asked: "example.test._report._dmarc.other.test"},
		{name: "one that agrees", uri: "a@other.test", zone: `example.test._report._dmarc.other.test TXT "v=DMARC1"`, allowed: "yes", asked: "example.test._report._dmarc.other.test"},
		{name: "one that agrees for all", uri: "a@other.test", zone: `*._report._dmarc.other.test TXT "v=DMARC1;"`, allowed: "yes", asked: "example.test._report._dmarc.other.test"},
		{name: "one with another text", uri: "a@other.test", zone: `example.test._report._dmarc.other.test TXT "v=spf1 -all"`, allowed: "no", asked: "example.test._report._dmarc.other.test"},
		{name: "one that names another address of its own", uri: "a@other.test", zone: `example.test._report._dmarc.other.test TXT "v=DMARC1; rua=mailto:b@other.test; ruf=mailto:b@other.test"`, allowed: "yes", asked: "example.test._report._dmarc.other.test"},
		{name: "one that names another host", uri: "a@other.test", zone: `example.test._report._dmarc.other.test TXT "v=DMARC1; rua=mailto:b@third.test; ruf=mailto:b@third.test"`, allowed: "no", asked: "example.test._report._dmarc.other.test"},
		{name: "one that does not answer", uri: "a@other.test", zone: "example.test._report._dmarc.other.test SERVFAIL", allowed: "unknown", asked: "example.test._report._dmarc.other.test"},
		{name: "a subdomain that is its own organization", uri: "a@sub.example.test", zone: `_dmarc.sub.example.test TXT "v=DMARC1; p=none; psd=n"`, allowed: "no", asked: "example.test._report._dmarc.sub.example.test"},
	} {
		for tag, section := range map[string]string{"rua": "RFC 9990 section 4", "ruf": "RFC 9991 section 5"} {
			out := CheckDMARC(t.Context(), zone(t, "_dmarc.example.test TXT \"v=DMARC1; p=reject; "+tag+"=mailto:"+row.uri+"\"\n"+row.zone), "example.test", true)
			if r := out.Reports[0]; r.Allowed != row.allowed || r.Asked != row.asked || r.Tag != tag {
				t.Errorf("%s: got %+v", row.name, r)
			}
			if row.allowed == "no" {
				expect(t, row.name, out.Findings, finding{level: Fault, text: "nothing is sent there", section: section})
			}
		}
	}
}
