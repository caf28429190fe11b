package dmarc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alignd/evidence"
	"alignd/resolver"
)

func spf(r evidence.Result, name string) *evidence.SPFCheck {
	return &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: name, Result: r}
}

// sigs builds signatures from "result domain"; a "*" behind marks a public suffix.
func sigs(list ...string) (out []evidence.Signature) {
	for _, s := range list {
		result, name, _ := strings.Cut(s, " ")
		name, suffix := strings.CutSuffix(name, "*")
		out = append(out, evidence.Signature{Result: evidence.Result(result), Domain: name, PublicSuffix: suffix})
	}
	return out
}

// summary is the part of the evidence that the tables compare.
func summary(d evidence.DMARC) string {
	s := fmt.Sprintf("%s %s:%s at %s", d.Result, d.PolicyTag, d.Policy, d.PolicyDomain)
	if d.SPFAligned {
		s += " spf"
	}
	if d.DKIMAligned {
		s += fmt.Sprintf(" dkim%v", d.AlignedDKIM)
	}
	if d.PolicyTemporary {
		s += " policy?"
	}
	if d.IdentifierTemporary {
		s += " identifier?"
	}
	return s
}

type evalCase struct {
	name   string
	author string
	zone   []string
	opt    Options
	spf    *evidence.SPFCheck
	dkim   []evidence.Signature
	want   string
	asked  string // sorted when the case says so
	sorted bool
}

func (tt evalCase) run(t *testing.T) {
	t.Helper()
	dns := zone(tt.zone...)
	e := Start(t.Context(), dns, tt.author, tt.opt)
	got := e.Finish(t.Context(), Identifiers{SPF: tt.spf, DKIM: tt.dkim})
	if s := summary(got); s != tt.want {
		t.Errorf("got  %s (%s)\nwant %s", s, got.Reason, tt.want)
	}
	asked := dns.questions()
	if tt.sorted {
		slices.Sort(asked)
	}
	if s := strings.Join(asked, " "); tt.asked != "" && s != tt.asked {
		t.Errorf("asked %s\nwant  %s", s, tt.asked)
	}
}

// RFC 9989 section 4.4 (Identifier Alignment) and the questions it needs.
func TestAlignment(t *testing.T) {
	const ex = "example.com v=DMARC1; p=reject"
	for _, tt := range []evalCase{
		{name: "an equal SDID passes with one question", author: "example.com", zone: []string{ex},
			dkim: sigs("pass example.com"), want: "pass p:reject at example.com dkim[0]", asked: "example.com"},
		{name: "an equal MAIL FROM passes with one question", author: "example.com", zone: []string{ex},
			spf: spf("pass", "example.com"), want: "pass p:reject at example.com spf", asked: "example.com"},
		{name: "all aligned signatures are listed", author: "example.com", zone: []string{ex},
			dkim: sigs("fail example.com", "pass example.com", "pass other.net", "pass example.com"),
			want: "pass p:reject at example.com dkim[1 3]", asked: "example.com"},
		{name: "nothing authenticated fails with one question", author: "example.com", zone: []string{ex},
			spf: spf("fail", "example.com"), dkim: sigs("fail example.com", "neutral a.example.com", "policy example.com", "permerror example.com"),
			want: "fail p:reject at example.com", asked: "example.com"},
		{name: "softfail and neutral never align", author: "example.com", zone: []string{ex},
			spf: spf("softfail", "example.com"), want: "fail p:reject at example.com"},
		{name: "an unrelated identifier costs no question", author: "example.com", zone: []string{ex},
			spf: spf("pass", "bounce.example.net"), dkim: sigs("pass other.org"), want: "fail p:reject at example.com", asked: "example.com"},
		{name: "a name that only ends alike is unrelated", author: "example.com", zone: []string{ex},
			dkim: sigs("pass badexample.com"), want: "fail p:reject at example.com", asked: "example.com com"},
		{name: "a child aligns with its parent", author: "example.com", zone: []string{ex},
			dkim: sigs("pass mail.example.com"), want: "pass p:reject at example.com dkim[0]",
			asked: "example.com mail.example.com"},
		{name: "a parent aligns with its child", author: "news.example.com", zone: []string{ex},
			dkim: sigs("pass example.com"), want: "pass p:reject at example.com dkim[0]", asked: "news.example.com example.com com"},
		{name: "siblings align", author: "news.example.com", zone: []string{ex},
			spf: spf("pass", "bounce.example.com"), want: "pass p:reject at example.com spf", asked: "news.example.com example.com com bounce.example.com"},
		{name: "a child with psd=n is another organization", author: "example.com", zone: []string{ex, "sub.example.com v=DMARC1; psd=n"},
			dkim: sigs("pass sub.example.com"), want: "fail p:reject at example.com"},
		{name: "and so is what is below it", author: "example.com", zone: []string{ex, "sub.example.com v=DMARC1; psd=n"},
			dkim: sigs("pass a.sub.example.com"), want: "fail p:reject at example.com"},
		{name: "a child below a psd=y in between is another organization", author: "example.com", zone: []string{ex, "sub.example.com v=DMARC1; psd=y"},
			dkim: sigs("pass a.sub.example.com"), want: "fail p:reject at example.com"},
		{name: "a child with an own record of no psd is the same organization", author: "example.com", zone: []string{ex, "sub.example.com v=DMARC1; p=none"},
			dkim: sigs("pass sub.example.com"), want: "pass p:reject at example.com dkim[0]"},
		{name: "an author with a record below a silent parent does not align with the parent", author: "sub.example.com",
			zone: []string{"sub.example.com v=DMARC1; p=reject"}, dkim: sigs("pass example.com"), want: "fail p:reject at sub.example.com"},
		{name: "an author with psd=n aligns below but not above", author: "sub.example.com",
			zone: []string{ex, "sub.example.com v=DMARC1; p=reject; psd=n"}, dkim: sigs("pass example.com", "pass x.sub.example.com"),
			want: "pass p:reject at sub.example.com dkim[1]", asked: "sub.example.com x.sub.example.com"},
		{name: "strict DKIM needs equality and no question", author: "example.com", zone: []string{ex + "; adkim=s"},
			dkim: sigs("pass mail.example.com"), want: "fail p:reject at example.com", asked: "example.com"},
		{name: "strict SPF does not make DKIM strict", author: "example.com", zone: []string{ex + "; aspf=s"},
			spf: spf("pass", "mail.example.com"), dkim: sigs("pass mail.example.com"), want: "pass p:reject at example.com dkim[0]"},
		{name: "the mode comes from the policy record of the organization", author: "news.example.com", zone: []string{ex + "; adkim=s"},
			dkim: sigs("pass example.com", "pass news.example.com"), want: "pass p:reject at example.com dkim[1]"},
		{name: "mail from a PSD aligns by equality only", author: "bank.example", zone: []string{"bank.example v=DMARC1; p=reject; psd=y"},
			dkim: sigs("pass giant.bank.example"), want: "fail p:reject at bank.example", asked: "bank.example"},
		{name: "registrants of a PSD do not align with each other", author: "giant.bank.example", zone: []string{"bank.example v=DMARC1; p=reject; psd=y"},
			dkim: sigs("pass mega.bank.example", "pass bank.example"), want: "fail p:reject at bank.example", asked: "giant.bank.example bank.example"},
		{name: "to the letter a careless top level domain aligns all", author: "a.com", zone: []string{"com v=DMARC1; p=reject"},
			dkim: sigs("pass b.com"), want: "pass p:reject at com dkim[0]"},
		{name: "the guard prevents that", author: "a.com", zone: []string{"com v=DMARC1; p=reject"}, opt: Options{PSLGuard: true},
			dkim: sigs("pass b.com", "pass com"), want: "fail p:reject at com", asked: "a.com com"},
		{name: "a signature of a public suffix aligns by equality only", author: "foo.github.io", zone: []string{"github.io v=DMARC1; p=reject"},
			dkim: sigs("pass github.io*"), want: "fail p:reject at github.io"},
		{name: "case and trailing dot do not count", author: "example.com", zone: []string{ex},
			dkim: sigs("pass EXAMPLE.com."), want: "pass p:reject at example.com dkim[0]", asked: "example.com"},
		{name: "several identifiers are walked side by side and each name once", author: "example.com", zone: []string{ex},
			spf: spf("pass", "b.example.com"), dkim: sigs("pass a.example.com", "pass b.example.com", "pass c.example.com"),
			want: "pass p:reject at example.com spf dkim[0 1 2]", asked: "a.example.com b.example.com c.example.com example.com", sorted: true},
		{name: "by suffix list a child aligns without a question", author: "example.com", zone: []string{ex}, opt: Options{Discovery: evidence.PSL},
			dkim: sigs("pass a.b.example.com"), want: "pass p:reject at example.com dkim[0]", asked: "example.com"},
		{name: "by suffix list registrants do not align", author: "a.co.uk", zone: []string{"a.co.uk v=DMARC1; p=reject"}, opt: Options{Discovery: evidence.PSL},
			dkim: sigs("pass b.co.uk", "pass co.uk"), want: "fail p:reject at a.co.uk"},
	} {
		t.Run(tt.name, tt.run)
	}
}

// RFC 9989 sections 4.7 and 4.10.1: policy, existence, test mode, bad records.
func TestPolicyAndResult(t *testing.T) {
	for _, tt := range []evalCase{
		{name: "no record", author: "example.com", dkim: sigs("pass example.com"), want: "none : at "},
		{name: "no record for a single label", author: "localhost", want: "none : at ", asked: "localhost"},
		{name: "the own record uses p, not sp", author: "example.com", zone: []string{"example.com v=DMARC1; p=none; sp=reject"}, want: "fail p:none at example.com"},
		{name: "a subdomain uses sp", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=reject; sp=none"}, want: "fail sp:none at example.com"},
		{name: "the Organizational Domain below a PSD uses the PSD's sp", author: "giant.bank.example",
			zone: []string{"bank.example v=DMARC1; p=none; sp=reject; psd=y"}, want: "fail sp:reject at bank.example"},
		{name: "a non-existent subdomain uses np", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=none; sp=none; np=reject"},
			want: "fail np:reject at example.com", asked: "a.example.com example.com com a.example.com A"},
		{name: "an existing subdomain uses sp", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=none; np=reject", "a.example.com A NODATA"},
			want: "fail p:none at example.com"},
		{name: "a CNAME makes it exist, wherever it leads", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=none; np=reject", "a.example.com A CNAME"},
			want: "fail p:none at example.com"},
		{name: "a name below it makes it exist without a question", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=none; np=reject", "a.example.com NODATA"},
			want: "fail p:none at example.com", asked: "a.example.com example.com com"},
		{name: "existence is not asked where it makes no difference", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=none; sp=reject; np=reject"},
			want: "fail sp:reject at example.com", asked: "a.example.com example.com com"},
		{name: "unknown existence uses sp and is no temporary error", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=none; np=reject", "a.example.com A SERVFAIL"},
			want: "fail p:none at example.com"},
		{name: "np counts by suffix list too", author: "a.example.com", opt: Options{Discovery: evidence.PSL}, zone: []string{"example.com v=DMARC1; p=none; np=reject"},
			want: "fail np:reject at example.com", asked: "a.example.com example.com a.example.com A"},
		{name: "test mode steps reject down", author: "example.com", zone: []string{"example.com v=DMARC1; p=reject; t=y"}, want: "fail p:quarantine at example.com"},
		{name: "test mode steps quarantine down", author: "a.example.com", zone: []string{"example.com v=DMARC1; p=reject; sp=quarantine; t=y"}, want: "fail sp:none at example.com"},
		{name: "test mode leaves none and the result", author: "example.com", zone: []string{"example.com v=DMARC1; p=none; t=y"}, dkim: sigs("pass example.com"),
			want: "pass p:none at example.com dkim[0]"},
		{name: "pct is left to the policy", author: "example.com", zone: []string{"example.com v=DMARC1; p=reject; pct=0"}, want: "fail p:reject at example.com"},
		{name: "an invalid sp makes the whole record none", author: "example.com", zone: []string{"example.com v=DMARC1; p=reject; sp=x; rua=mailto:a@x.example"},
			want: "fail p:none at example.com"},
		{name: "an invalid sp without reporting address ends processing", author: "example.com", zone: []string{"example.com v=DMARC1; p=reject; sp=x"},
			dkim: sigs("pass example.com"), want: "permerror : at example.com"},
		{name: "a bad p does not send discovery to the parent", author: "a.example.com", zone: []string{"a.example.com v=DMARC1; p=x", "example.com v=DMARC1; p=reject"},
			want: "permerror : at a.example.com", asked: "a.example.com"},
		{name: "no p and no reporting address is no DMARC", author: "example.com", zone: []string{"example.com v=DMARC1"}, dkim: sigs("pass example.com"),
			want: "none : at example.com"},
		{name: "no p with a reporting address is none", author: "example.com", zone: []string{"example.com v=DMARC1; rua=mailto:a@x.example"}, want: "fail p:none at example.com"},
		{name: "several records", author: "example.com", zone: []string{"example.com v=DMARC1; p=none", "example.com v=DMARC1; p=reject"}, want: "none : at "},
		{name: "a name that leaves no room for the prefix publishes nothing", author: strings.Repeat("a.", 121) + "example.com", zone: []string{"example.com v=DMARC1; p=reject"},
			want: "fail p:reject at example.com"},
	} {
		t.Run(tt.name, tt.run)
	}
}

// RFC 9989 sections 5.3.6 and 9.2: temporary errors where they could matter.
func TestTemporaryErrors(t *testing.T) {
	const ex = "example.com v=DMARC1; p=reject"
	for _, tt := range []evalCase{
		{name: "unknown policy", author: "example.com", zone: []string{"example.com SERVFAIL"}, dkim: sigs("pass example.com"),
			want: "temperror : at  policy?", asked: "example.com com"},
		{name: "unknown Organizational Domain of an author without record", author: "a.example.com", zone: []string{ex, "com SERVFAIL"},
			spf: spf("pass", "example.com"), want: "temperror p:reject at example.com policy?"},
		{name: "an error above the own record does not matter to a pass by equality", author: "example.com", zone: []string{ex, "com SERVFAIL"},
			dkim: sigs("pass example.com"), want: "pass p:reject at example.com dkim[0]", asked: "example.com"},
		{name: "nor to a child, whose walk shares that name", author: "example.com", zone: []string{ex, "com SERVFAIL"},
			dkim: sigs("pass a.example.com"), want: "pass p:reject at example.com dkim[0]", asked: "example.com a.example.com"},
		{name: "it matters to siblings without a record between", author: "a.example.com", zone: []string{"a.example.com v=DMARC1; p=reject", "com SERVFAIL"},
			dkim: sigs("pass b.example.com"), want: "temperror p:reject at a.example.com identifier?"},
		{name: "but not beside another identifier that is aligned", author: "a.example.com", zone: []string{"a.example.com v=DMARC1; p=reject", "com SERVFAIL"},
			spf: spf("pass", "a.example.com"), dkim: sigs("pass b.example.com"), want: "pass p:reject at a.example.com spf"},
		{name: "nor to an unrelated one", author: "example.com", zone: []string{ex, "com SERVFAIL"}, dkim: sigs("pass other.net"), want: "fail p:reject at example.com"},
		{name: "nor to one that shares the registry's name only, under the guard", author: "example.com", zone: []string{ex, "com SERVFAIL"}, opt: Options{PSLGuard: true},
			dkim: sigs("pass other.com"), want: "fail p:reject at example.com"},
		{name: "nor to such a one whose signature is unresolved", author: "example.com", zone: []string{ex, "com SERVFAIL"}, opt: Options{PSLGuard: true},
			dkim: sigs("temperror other.com"), want: "fail p:reject at example.com"},
		{name: "nor to one of many labels", author: "example.com", zone: []string{ex, "com SERVFAIL", "other.com SERVFAIL"}, opt: Options{PSLGuard: true},
			dkim: sigs("temperror a.b.c.d.e.f.g.h.i.other.com"), want: "fail p:reject at example.com"},
		{name: "nor below a suffix of two labels", author: "example.co.uk", zone: []string{"example.co.uk v=DMARC1; p=reject", "co.uk SERVFAIL"}, opt: Options{PSLGuard: true},
			dkim: sigs("temperror other.co.uk"), want: "fail p:reject at example.co.uk"},
		{name: "without the guard the registry may have the last word", author: "example.com", zone: []string{ex, "com SERVFAIL"},
			dkim: sigs("temperror other.com"), want: "temperror p:reject at example.com identifier?"},
		{name: "nor to one that is shown to be another organization", author: "b.example.com", zone: []string{"b.example.com v=DMARC1; p=reject", "com SERVFAIL", "a.example.com v=DMARC1; psd=n"},
			dkim: sigs("pass a.example.com"), want: "fail p:reject at b.example.com"},
		{name: "nor below a name that is another organization", author: "example.com", zone: []string{ex, "b.a.example.com SERVFAIL", "a.example.com v=DMARC1; psd=n"},
			dkim: sigs("pass c.b.a.example.com"), want: "fail p:reject at example.com"},
		{name: "nor between the names' common suffix and a record above", author: "a.c.b.example.com",
			zone: []string{"a.c.b.example.com v=DMARC1; p=reject", "b.example.com SERVFAIL", "example.com v=DMARC1; p=none"},
			dkim: sigs("pass d.c.b.example.com"), want: "pass p:reject at a.c.b.example.com dkim[0]"},
		{name: "at their common suffix it does", author: "a.c.b.example.com",
			zone: []string{"a.c.b.example.com v=DMARC1; p=reject", "c.b.example.com SERVFAIL", "example.com v=DMARC1; p=none"},
			dkim: sigs("pass d.c.b.example.com"), want: "temperror p:reject at a.c.b.example.com identifier?"},
		{name: "an author's own name that fails does not hide another organization", author: "a.c.example.com",
			zone: []string{"a.c.example.com v=DMARC1; p=reject", "c.example.com SERVFAIL", "example.com v=DMARC1; psd=y"},
			dkim: sigs("pass d.example.com"), want: "fail p:reject at a.c.example.com"},
		{name: "an identifier whose own name fails is aligned by what is above it", author: "example.com", zone: []string{ex, "a.example.com SERVFAIL"},
			dkim: sigs("pass a.example.com"), want: "pass p:reject at example.com dkim[0]"},
		{name: "also where it could not be authenticated", author: "example.com", zone: []string{ex, "a.example.com SERVFAIL"},
			spf: spf("temperror", "a.example.com"), want: "temperror p:reject at example.com identifier?"},
		{name: "but not by what is above a name in between that fails", author: "example.com", zone: []string{ex, "a.example.com SERVFAIL"},
			dkim: sigs("pass b.a.example.com"), want: "temperror p:reject at example.com identifier?"},
		{name: "nor above one in between that makes it another organization", author: "example.com", zone: []string{ex, "b.a.example.com SERVFAIL", "a.example.com v=DMARC1; psd=y"},
			dkim: sigs("pass b.a.example.com"), want: "fail p:reject at example.com"},
		{name: "the walk of an identifier above the Organizational Domain does not matter", author: "b.a.example.com",
			zone: []string{"b.a.example.com v=DMARC1; p=reject; psd=n", "a.example.com SERVFAIL"}, dkim: sigs("pass a.example.com"),
			want: "fail p:reject at b.a.example.com", asked: "b.a.example.com"},
		{name: "a signature that could not be verified would be aligned", author: "example.com", zone: []string{ex}, dkim: sigs("temperror example.com"),
			want: "temperror p:reject at example.com identifier?"},
		{name: "SPF that could not be checked would be aligned", author: "example.com", zone: []string{ex}, spf: spf("temperror", "a.example.com"),
			want: "temperror p:reject at example.com identifier?"},
		{name: "SPF in strict mode would not be", author: "example.com", zone: []string{ex + "; aspf=s"}, spf: spf("temperror", "a.example.com"),
			want: "fail p:reject at example.com"},
		{name: "unrelated temporary errors do not matter", author: "example.com", zone: []string{ex}, spf: spf("temperror", "x.net"), dkim: sigs("temperror x.org"),
			want: "fail p:reject at example.com", asked: "example.com"},
		{name: "a pass makes temporary errors not matter", author: "example.com", zone: []string{ex}, spf: spf("temperror", "example.com"), dkim: sigs("pass example.com"),
			want: "pass p:reject at example.com dkim[0]"},
		{name: "a spent budget leaves an identifier unaligned", author: "example.com", zone: []string{ex, "a.example.com BUDGET"},
			dkim: sigs("pass a.example.com"), want: "fail p:reject at example.com"},
		{name: "a spent budget for the policy is permanent", author: "example.com", zone: []string{"example.com BUDGET"}, want: "permerror : at "},
		{name: "by suffix list too", author: "a.example.com", zone: []string{"example.com SERVFAIL"}, opt: Options{Discovery: evidence.PSL}, want: "temperror : at  policy?"},
	} {
		t.Run(tt.name, tt.run)
	}
}

func TestEvidenceIsComplete(t *testing.T) {
	dns := zone("example.com v=DMARC1; p=none; np=reject; t=y; rua=mailto:a@x.example; adkim=q",
		"a.b.example.com v=DMARC1; p=none\nv=DMARC1; p=reject")
	e := Start(t.Context(), dns, "a.b.example.com", Options{PSLGuard: true})
	got := e.Finish(t.Context(), Identifiers{})
	if got.AuthorDomain != "a.b.example.com" || got.Discovery != evidence.TreeWalk || got.OrgDomain != "example.com" ||
		got.Existence != evidence.Exists || got.Published.NP != evidence.PolicyReject || !got.Published.Testing ||
		len(got.Published.RUA) != 1 || got.Reason == "" || got.Policy != evidence.PolicyNone {
		t.Errorf("got %+v", got)
	}
	if len(got.Published.Errors) != 2 || !strings.Contains(got.Published.Errors[1], "several DMARC records at a.b.example.com") {
		t.Errorf("problems %q", got.Published.Errors)
	}
	again := Start(t.Context(), dns, "a.b.example.com", Options{}).Finish(t.Context(), Identifiers{})
	if len(again.Published.Errors) != 2 {
		t.Errorf("a shared record was changed: problems %q", again.Published.Errors)
	}
}

func TestOrgDomainOnRequest(t *testing.T) {
	for _, want := range []string{"", "example.com"} {
		dns := zone("a.example.com v=DMARC1; p=none", "example.com v=DMARC1; p=none")
		e := Start(t.Context(), dns, "a.example.com", Options{Needs: evidence.Needs{OrgDomain: want != ""}})
		if got := e.Finish(t.Context(), Identifiers{DKIM: sigs("pass b.example.com")}).OrgDomain; got != want {
			t.Errorf("Organizational Domain %q, want %q; asked %q", got, want, dns.questions())
		}
	}
}

func TestDivergence(t *testing.T) {
	tests := []struct {
		name, author, sdid string
		zone               []string
		opt                Options
		want               *evidence.Divergence
	}{
		{name: "equal outcomes are not told", author: "a.example.com", sdid: "example.com", zone: []string{"example.com v=DMARC1; p=reject"}},
		{name: "no record in both is not told", author: "a.example.com", sdid: "example.com"},
		{name: "a subdomain with a record below a silent parent", author: "a.example.com", sdid: "example.com", zone: []string{"a.example.com v=DMARC1; p=reject"},
			want: &evidence.Divergence{Discovery: evidence.PSL, Result: "pass", PolicyDomain: "a.example.com", OrgDomain: "example.com", Policy: "reject"}},
		{name: "the same seen from the other side", author: "a.example.com", sdid: "example.com", zone: []string{"a.example.com v=DMARC1; p=reject"},
			opt:  Options{Discovery: evidence.PSL},
			want: &evidence.Divergence{Discovery: evidence.TreeWalk, Result: "fail", PolicyDomain: "a.example.com", OrgDomain: "a.example.com", Policy: "reject"}},
		{name: "a record of a top level domain", author: "a.example.com", sdid: "x.net", zone: []string{"com v=DMARC1; p=reject; psd=y"},
			want: &evidence.Divergence{Discovery: evidence.PSL, Result: "none", OrgDomain: "example.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Compare = true
			got := Start(t.Context(), zone(tt.zone...), tt.author, tt.opt).Finish(t.Context(), Identifiers{DKIM: sigs("pass " + tt.sdid)})
			if d := got.Divergence; (d == nil) != (tt.want == nil) || d != nil && *d != *tt.want {
				t.Errorf("got %+v, want %+v", d, tt.want)
			}
		})
	}
}

// The longest chain of dependent questions decides how long it takes: the rest
// of the author's walk and the walks of the identifiers run side by side.
func TestQuestionsRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rtt = 20 * time.Millisecond
		dns := zone("a.b.example.com v=DMARC1; p=reject", "example.com v=DMARC1; p=reject")
		dns.delay = rtt
		start := time.Now()
		e := Start(t.Context(), dns, "a.b.example.com", Options{})
		got := e.Finish(t.Context(), Identifiers{DKIM: sigs("pass x.b.example.com", "pass y.b.example.com", "pass z.b.example.com")})
		// The own record; then x.b, y.b and z.b beside b and example.com.
		if elapsed := time.Since(start); elapsed != 3*rtt || got.Result != evidence.Pass || len(got.AlignedDKIM) != 3 {
			t.Errorf("took %v for %d questions, %s", elapsed, len(dns.questions()), summary(got))
		}
	})
}

func TestDeadlineIsATemporaryError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := zone("example.com v=DMARC1; p=reject")
		dns.delay = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := Start(t.Context(), dns, "example.com", Options{}).Finish(ctx, Identifiers{})
		if s := summary(got); s != "temperror : at  policy?" {
			t.Error(s)
		}
	})
}

func TestAbandonWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &lingering{}
		e := Start(t.Context(), dns, "example.com", Options{})
		synctest.Wait()
		e.Abandon()
		if asked, ended := dns.asked.Load(), dns.ended.Load(); asked == 0 || ended != asked {
			t.Errorf("%d questions, %d of them ended", asked, ended)
		}
	})
}

// lingering takes a while to notice that nobody wants its answer.
type lingering struct{ asked, ended atomic.Int32 }

func (l *lingering) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	l.asked.Add(1)
	<-ctx.Done()
	time.Sleep(time.Second)
	l.ended.Add(1)
	return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "timeout"}
}

func TestPanicReachesTheOwner(t *testing.T) {
	e := Start(t.Context(), zone("example.com PANIC"), "example.com", Options{})
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "a fault in the resolver") {
			t.Errorf("recovered %q", p)
		}
	}()
	e.Finish(t.Context(), Identifiers{})
}

func TestNumberOfIdentifiersIsBounded(t *testing.T) {
	dns := zone("example.com v=DMARC1; p=reject")
	var list []string
	for i := range 100 {
		list = append(list, fmt.Sprintf("pass x%d.example.com", i))
	}
	got := Start(t.Context(), dns, "example.com", Options{}).Finish(t.Context(), Identifiers{DKIM: sigs(append(list, "pass example.com")...)})
	if n := len(dns.questions()); n != maxIdentifiers+1 || len(got.AlignedDKIM) != maxIdentifiers+1 {
		t.Errorf("%d questions, %d aligned", n, len(got.AlignedDKIM))
	}
}

func BenchmarkEvaluate(b *testing.B) {
	dns := zone("example.com v=DMARC1; p=reject; rua=mailto:a@x.example")
	for _, bb := range []struct {
		name, author string
		ids          Identifiers
	}{
		{name: "equal", author: "example.com", ids: Identifiers{SPF: spf("pass", "example.com"), DKIM: sigs("pass example.com")}},
		{name: "child", author: "news.example.com", ids: Identifiers{SPF: spf("pass", "bounce.example.com"), DKIM: sigs("pass example.com")}},
		{name: "unrelated", author: "example.com", ids: Identifiers{SPF: spf("pass", "x.net"), DKIM: sigs("pass y.org")}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dns.asked = dns.asked[:0]
				Start(b.Context(), dns, bb.author, Options{PSLGuard: true}).Finish(b.Context(), bb.ids)
			}
		})
	}
}

// RFC 9989 section 3.2.13, asked for because a rule wants to know.
func TestExistenceIsAskedWhereARuleWantsIt(t *testing.T) {
	const ex = "example.com v=DMARC1; p=reject"
	for _, tt := range []struct {
		name, author string
		zone         []string
		dkim         []evidence.Signature
		without      bool
		want         evidence.Existence
		asked        string
	}{
		{name: "a name that does not exist", author: "gone.example.com", zone: []string{ex}, want: evidence.NonExistent, asked: "gone.example.com example.com com gone.example.com A"},
		{name: "one that does", author: "here.example.com", zone: []string{ex, "here.example.com A NODATA"}, want: evidence.Exists, asked: "here.example.com example.com com here.example.com A"},
		{name: "one that fails for now", author: "lame.example.com", zone: []string{ex, "lame.example.com A SERVFAIL"}, want: evidence.ExistenceUnknown},
		{name: "a name with a record exists", author: "example.com", zone: []string{ex}, want: evidence.Exists, asked: "example.com"},
		{name: "mail that passes costs no question", author: "gone.example.com", zone: []string{ex}, dkim: sigs("pass gone.example.com"), asked: "gone.example.com example.com com"},
		{name: "nor does a policy that is not reject", author: "gone.example.com", zone: []string{ex + "; sp=quarantine"}, asked: "gone.example.com example.com com"},
		{name: "nor does what no rule wants to know", author: "gone.example.com", zone: []string{ex}, without: true, asked: "gone.example.com example.com com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dns := zone(tt.zone...)
			got := Start(t.Context(), dns, tt.author, Options{Needs: evidence.Needs{Existence: !tt.without}}).Finish(t.Context(), Identifiers{DKIM: tt.dkim})
			if got.Existence != tt.want {
				t.Errorf("got %q, want %q", got.Existence, tt.want)
			}
			if asked := strings.Join(dns.questions(), " "); tt.asked != "" && asked != tt.asked {
				t.Errorf("asked %s\nwant  %s", asked, tt.asked)
			}
		})
	}
}
