package dmarc

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
)

func TestEvidenceTellsWhatWasLookedUp(t *testing.T) {
	const org, existence = evidence.SectionOrg, evidence.SectionExistence
	both := evidence.Needs{OrgDomain: true, Existence: true}
	record := "example.com v=DMARC1; p=reject"
	for _, row := range []struct {
		name   string
		author string
		zone   []string
		opt    Options
		spf    *evidence.SPFCheck
		dkim   []evidence.Signature
		looked evidence.Sections
		org    string
	}{
		{name: "nothing beyond what alignment needs", author: "example.com", zone: []string{record}, looked: existence},
		{name: "the walk to a parent's record finds both domains", author: "a.example.com", zone: []string{record}, looked: org, org: "example.com"},
		{name: "what is asked for", author: "a.example.com", zone: []string{record}, opt: Options{Needs: both}, looked: org | existence, org: "example.com"},
		{name: "of a message that passes its existence does not matter", author: "a.example.com", zone: []string{record}, opt: Options{Needs: both},
			spf: spf("pass", "a.example.com"), looked: org, org: "example.com"},
		{name: "a signature that the MTA spoiled may be of the family", author: "a.example.com", zone: []string{"a." + record, record},
			dkim: []evidence.Signature{{Result: evidence.Neutral, FailedOn: evidence.FailedTransport, Domain: "b.example.com"}}, looked: org | existence, org: "example.com"},
		{name: "a broken one is not", author: "a.example.com", zone: []string{"a." + record, record}, dkim: sigs("fail b.example.com"), looked: existence},
		{name: "asked for and not answered", author: "a.example.com", zone: []string{"a." + record, "example.com SERVFAIL"}, opt: Options{Needs: both},
			looked: org | existence},
		{name: "a record that cannot be used has an Organizational Domain too", author: "a.example.com",
			zone: []string{"a.example.com v=DMARC1; p=bad", record}, opt: Options{Needs: both}, looked: org | existence, org: "example.com"},
		{name: "and one without policy", author: "a.example.com", zone: []string{"a.example.com v=DMARC1;", record}, opt: Options{Needs: both},
			looked: org | existence, org: "example.com"},
		{name: "by the list of suffixes it is always known", author: "a.example.com", zone: []string{"a." + record}, opt: Options{Discovery: evidence.PSL},
			looked: org | existence, org: "example.com"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := Start(t.Context(), zone(row.zone...), row.author, row.opt).Finish(t.Context(), Identifiers{SPF: row.spf, DKIM: row.dkim})
			if got.Looked != row.looked || got.OrgDomain != row.org {
				t.Errorf("looked up: %v, %q; want %v, %q", got.Looked.Names(), got.OrgDomain, row.looked.Names(), row.org)
			}
		})
	}
}

func TestEvidenceTellsWhatWasCompared(t *testing.T) {
	lines := []string{"example.com v=DMARC1; p=reject", "other.example v=DMARC1; p=none", "com NODATA"}
	got := Start(t.Context(), zone(lines...), "a.example.com", Options{}).Finish(t.Context(),
		Identifiers{SPF: spf("pass", "b.example.com"), DKIM: sigs("pass x.other.example", "fail c.example.com", "pass a.example.com")})
	want := []evidence.Organization{{Domain: "x.other.example"}, {Domain: "b.example.com", OrgDomain: "example.com"}}
	if got.Result != evidence.Pass || !reflect.DeepEqual(got.Compared, want) {
		t.Errorf("%s after comparing %+v, want %+v", got.Result, got.Compared, want)
	}
	got = Start(t.Context(), zone(lines...), "a.example.com", Options{Discovery: evidence.PSL}).Finish(t.Context(),
		Identifiers{SPF: spf("pass", "b.example.com"), DKIM: sigs("pass x.other.example")})
	if want[0].OrgDomain = "other.example"; !reflect.DeepEqual(got.Compared, want) {
		t.Errorf("by the list of suffixes: compared %+v, want %+v", got.Compared, want)
	}
}

func TestEvidenceTellsHowLongARecordMayBeKept(t *testing.T) {
	for _, author := range []string{"example.com", "a.example.com"} {
		got := Start(t.Context(), zone("example.com v=DMARC1; p=reject"), author, Options{}).Finish(t.Context(), Identifiers{})
		if got.TTL != time.Hour {
			t.Errorf("%s: %v, want an hour", author, got.TTL)
		}
	}
}

// RFC 9990 section 4: reports go to others only if these agree.
func TestReportAddressesOfOthers(t *testing.T) {
	const record = " v=DMARC1; p=reject; rua=mailto:a@example.com,mailto:b@In.Example.com?x=y,mailto:c@rep.example.net,mailto:d@mail.example.com,mailto:e@notexample.com"
	whole := Start(t.Context(), zone("example.com"+record), "a.example.com", Options{}).Finish(t.Context(), Identifiers{})
	if want := []string{"mailto:c@rep.example.net", "mailto:e@notexample.com"}; !slices.Equal(whole.Published.OtherRUA, want) {
		t.Errorf("at the Organizational Domain: got %q, want %q", whole.Published.OtherRUA, want)
	}
	own := Start(t.Context(), zone("mail.example.com"+record, "example.com v=DMARC1; p=none"), "mail.example.com",
		Options{Needs: evidence.Needs{OrgDomain: true}}).Finish(t.Context(), Identifiers{})
	want := []string{"mailto:b@In.Example.com?x=y", "mailto:c@rep.example.net", "mailto:e@notexample.com"}
	if own.PolicyDomain != "mail.example.com" || !slices.Equal(own.Published.OtherRUA, want) {
		t.Errorf("below the Organizational Domain: got %q at %s, want %q", own.Published.OtherRUA, own.PolicyDomain, want)
	}
}
