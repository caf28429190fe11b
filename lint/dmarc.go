package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/dmarc"
)

// DMARC is what holds for mail from a domain.
type DMARC struct {
	Domain   string `json:"domain"`
	Answered bool   `json:"answered"` // DNS said which policy holds
	// Walk are the names of the DNS Tree Walk, in the order asked.
	Walk         []DMARCStep `json:"walk"`
	PolicyDomain string      `json:"policy_domain"` // whose record holds; empty: none
	OrgDomain    string      `json:"org_domain"`    // empty where DNS leaves it open
	Record       string      `json:"record"`
	// Use is what a receiver makes of the record: "applies", "as p=none", "not
	// processed"; empty without one.
	Use string `json:"use"`
	// Policy and Tag are what holds for mail from the domain itself, after test mode;
	// Subdomains for existing names below it, NonExistent for others.
	Policy      string     `json:"policy"`
	Tag         string     `json:"policy_tag"`
	Subdomains  string     `json:"policy_of_subdomains"`
	NonExistent string     `json:"policy_of_nonexistent"`
	Tags        []DMARCTag `json:"tags"`
	// Reports are the addresses of rua and ruf, and whether they take the reports.
	Reports []DMARCReport `json:"reports"`
	findings
}

// DMARCStep is one name of the walk.
type DMARCStep struct {
	Question
	Records int    `json:"records"` // DMARC records there; more than one count as none
	Record  string `json:"record"`
	PSD     string `json:"psd"` // "y" and "n" end the walk
}

// DMARCTag is a tag as published.
type DMARCTag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DMARCReport is one address that reports go to.
type DMARCReport struct {
	Tag  string `json:"tag"` // "rua" or "ruf"
	URI  string `json:"uri"`
	Host string `json:"host"`
	// External: the host belongs to another Organizational Domain, which has to agree
	// (RFC 9990 section 4). Asked is the name where it says so.
	External bool   `json:"external"`
	Asked    string `json:"asked,omitempty"`
	// Allowed is "yes", "no", or "unknown" where DNS did not say.
	Allowed string `json:"allowed"`
}

// CheckDMARC looks at the policy of a normalized domain. guard is the option
// psl_guard.
func CheckDMARC(ctx context.Context, lk resolver.Lookuper, domain string, guard bool) *DMARC {
	out := &DMARC{Domain: domain, Walk: []DMARCStep{}, Tags: []DMARCTag{}, Reports: []DMARCReport{}, findings: findings{Findings: []Finding{}}}
	d := dmarcCheck{asker: newAsker(lk), out: out, guard: guard}
	tree := dmarc.Walk(ctx, d.asker, domain, guard)
	for _, s := range tree.Steps {
		d.step(ctx, &s)
	}
	out.OrgDomain = tree.OrgDomain
	d.misplaced(ctx, domain)
	if tree.Policy == nil {
		d.without(&tree)
		return out
	}
	out.Answered = true
	for _, s := range tree.Steps {
		if s.Err != nil && tree.PolicyDomain != domain {
			out.Answered = false
		}
	}
	out.PolicyDomain, out.Record = tree.PolicyDomain, shown(tree.Policy.Text)
	d.policy(tree.Policy)
	d.record(ctx, tree.Policy)
	return out
}

type dmarcCheck struct {
	*asker
	out   *DMARC
	guard bool
}

// step shows one name of the walk.
func (d *dmarcCheck) step(ctx context.Context, s *dmarc.Step) {
	name := "_dmarc." + s.Name
	answer, q := d.ask(ctx, name, dns.TypeTXT)
	row := DMARCStep{Question: q, PSD: s.PSD}
	if s.Record != nil {
		row.Records, row.Record = 1, shown(s.Record.Text)
	}
	if answer != nil && s.Several {
		row.Records = countRecords(answer.TXT)
		d.out.add(Fault, name, severalDMARC, "%d DMARC records stand here, and so none: the walk goes on above", row.Records)
	}
	if s.Err != nil {
		d.out.add(Fault, name, rule{"RFC 9989 section 4.10.1", ""}, "TXT: %s: mail from the domain is temperror unless a policy is found without this name", q.Outcome)
	}
	for _, text := range s.Lookalikes {
		d.out.add(Fault, name, notDMARC, "looks like a DMARC record and is none: %s", text)
	}
	if s.Record != nil && s.PSD == "y" && s.Record.PSD != "y" {
		d.out.add(Note, name, rule{"RFC 9989 section 11.8", ""}, "%s is a public suffix: its record is read as psd=y, as psl_guard says", s.Name)
	}
	if answer != nil && s.Record != nil {
		d.out.size(name, answer.TXT, s.Record.Text)
	}
	d.out.Walk = append(d.out.Walk, row)
}

func countRecords(texts []string) int {
	n := 0
	for _, txt := range texts {
		if _, err := dmarc.ParseRecord(txt); err == nil {
			n++
		}
	}
	return n
}

// misplaced finds a record at the domain itself, where nobody looks.
func (d *dmarcCheck) misplaced(ctx context.Context, domain string) {
	answer, _ := d.ask(ctx, domain, dns.TypeTXT)
	if answer == nil {
		return
	}
	if countRecords(answer.TXT) > 0 {
		d.out.add(Fault, domain, placeDMARC, "a DMARC record stands at %s, where nobody looks for it: its place is _dmarc.%s", domain, domain)
	}
}

// without tells that there is no policy, or that it is not known.
func (d *dmarcCheck) without(tree *dmarc.Tree) {
	for _, s := range tree.Steps {
		if s.Err != nil {
			return // the step has told
		}
	}
	if tree.Err != nil {
		d.out.add(Warning, d.out.Domain, rule{}, "not all was looked at: %v", tree.Err)
		return
	}
	d.out.Answered = true
	d.out.add(Warning, d.out.Domain, rule{"RFC 9989 section 4.10.1", ""}, "no DMARC record was found on the way up: the result is none, and anybody may use the domain in From")
}

// policy is what a receiver makes of the record.
func (d *dmarcCheck) policy(rec *dmarc.Record) {
	out, sub := d.out, d.out.PolicyDomain != d.out.Domain
	out.Use = string(rec.Use())
	policy, tag := rec.PolicyFor(sub, evidence.Exists)
	below, _ := rec.PolicyFor(true, evidence.Exists)
	none, _ := rec.PolicyFor(true, evidence.NonExistent)
	out.Policy, out.Tag, out.Subdomains, out.NonExistent = string(policy), tag, string(below), string(none)
	for _, t := range dmarc.Tags(rec.Text) {
		out.Tags = append(out.Tags, DMARCTag{shown(t.Name), shown(t.Value)})
	}
}

// record says what is wrong with the record that holds, and asks whether its
// addresses take the reports.
func (d *dmarcCheck) record(ctx context.Context, rec *dmarc.Record) {
	l := recordFaults{out: d.out, rec: rec, at: "_dmarc." + d.out.PolicyDomain}
	l.run()
	d.reports(ctx, "rua", rec.RUA, externalRUA)
	d.reports(ctx, "ruf", rec.RUF, externalRUF)
}

// reports checks the addresses of rua or ruf (RFC 9990 section 4, RFC 9991 section
// 5).
func (d *dmarcCheck) reports(ctx context.Context, tag string, uris []string, r rule) {
	hosts := dmarc.MailHosts(uris)
	for i, uri := range uris {
		row := DMARCReport{Tag: tag, URI: shown(uri), Host: hosts[i], Allowed: "yes"}
		d.external(ctx, &row)
		at := "_dmarc." + d.out.PolicyDomain
		switch row.Allowed {
		case "no":
			d.out.add(Fault, at, r, "%s=%s: %s belongs to another Organizational Domain and does not say that it takes reports about %s: there is no record at %s, so nothing is sent there", tag, uri, hosts[i], d.out.PolicyDomain, row.Asked)
		case "unknown":
			d.out.add(Warning, at, r, "%s=%s: whether %s takes reports about %s is not known: DNS does not answer", tag, uri, hosts[i], d.out.PolicyDomain)
		}
		d.out.Reports = append(d.out.Reports, row)
	}
}

// external asks whether a host of another Organizational Domain agrees.
func (d *dmarcCheck) external(ctx context.Context, row *DMARCReport) {
	policy := d.out.PolicyDomain
	own, other := dmarc.Walk(ctx, d.asker, policy, d.guard), dmarc.Walk(ctx, d.asker, row.Host, d.guard)
	if row.Host == policy || own.OrgDomain != "" && own.OrgDomain == other.OrgDomain {
		return
	}
	if own.OrgDomain == "" || other.OrgDomain == "" {
		row.Allowed = "unknown"
		return
	}
	row.External, row.Asked = true, policy+"._report._dmarc."+row.Host
	answer, err := d.Lookup(ctx, row.Asked, dns.TypeTXT)
	switch {
	case err != nil && resolver.Temporary(err), d.spent:
		row.Allowed = "unknown"
	case err != nil || countRecords(answer.TXT) == 0: // also a name too long for DNS
		row.Allowed = "no"
	default:
		d.override(row, answer.TXT)
	}
}

// override follows the address that the host names instead; it has to be on the
// same host.
func (d *dmarcCheck) override(row *DMARCReport, texts []string) {
	for _, txt := range texts {
		rec, err := dmarc.ParseRecord(txt)
		if err != nil {
			continue
		}
		uris := rec.RUA
		if row.Tag == "ruf" {
			uris = rec.RUF
		}
		hosts := dmarc.MailHosts(uris)
		if len(uris) == 0 {
			return
		}
		if slices.Contains(hosts, row.Host) {
			d.out.add(Note, row.Asked, rule{"RFC 9990 section 4", ""}, "the host names another address: %s", strings.Join(uris, ", "))
			return
		}
		row.Allowed = "no"
	}
}

// asWritten is a tag as it stands in the record.
func asWritten(t dmarc.Tag) string { return fmt.Sprintf("%s=%s", t.Name, t.Value) }

// Known reports whether DNS said what there is.
func (d *DMARC) Known() bool { return d.Answered }
