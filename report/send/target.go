package send

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/dmarc"
)

// maxTargets is how many addresses of one domain get a report; ours. RFC 9989 section
// 4.6 wants each to get it, up to such a limit.
const maxTargets = 10

// maxAddress is the octets of an address (RFC 5321 section 4.5.3.1.3).
const maxAddress = 254

// maxURI is the octets of a URI with one, in which each may be written as three.
const maxURI = 3*maxAddress + len("mailto:")

// target is an address that a report may go to, or may not.
type target struct {
	address string
	refused string // why not; empty where it may
	// later: DNS does not say now.
	later bool
	// slow: DNS had no time to say it.
	slow bool
}

// targetsOf are the addresses of a report, each once. Those of another organization
// have to agree (RFC 9990 section 4), which is asked by the Policy Domain.
func (s *Sender) targetsOf(ctx context.Context, a *about) (list []target) {
	for _, uri := range a.RUA {
		address, host, ok := mailbox(uri)
		if !ok || len(list) >= maxTargets || slices.ContainsFunc(list, func(t target) bool { return t.address == address }) {
			continue
		}
		t := s.agreed(ctx, a.Scope.Domain, a.Scope.Discovery, address, host, ruaOf)
		if t.refused == "" {
			t.refused = s.optedOut(t.address, host)
		}
		list = append(list, t)
	}
	return list
}

// agreed is an address, where it is of the Policy Domain's organization or that one's host
// agrees (RFC 9990 section 4; RFC 9991 section 5).
func (s *Sender) agreed(ctx context.Context, policyDomain string, found evidence.Discovery, address, host string, instead func(*dmarc.Record) []string) target {
	ctx, cancel := context.WithTimeout(ctx, s.patience.ask)
	defer cancel()
	same, known := s.sameOrg(ctx, policyDomain, found, host)
	if same {
		return target{address: address}
	}
	t := s.external(ctx, policyDomain, address, host, instead)
	t.slow = ctx.Err() != nil
	if !known && t.refused != "" {
		t.later, t.refused = true, "DNS does not say whether "+host+" is of one organization with "+policyDomain
	}
	return t
}

// sameOrg compares Organizational Domains, as the policy was found (RFC 9990 section 4):
// what lies below a public suffix or below psd=n is of another organization, and what
// lies beside the Policy Domain may be of the same.
func (s *Sender) sameOrg(ctx context.Context, policyDomain string, found evidence.Discovery, host string) (same, known bool) {
	switch {
	case host == policyDomain:
		return true, true
	case found == evidence.PSL:
		return organization(host) == organization(policyDomain), true
	}
	ours, theirs := dmarc.Walk(ctx, s.DNS, policyDomain, s.PSLGuard).OrgDomain, dmarc.Walk(ctx, s.DNS, host, s.PSLGuard).OrgDomain
	return ours == theirs && ours != "", ours != "" && theirs != ""
}

// mailbox is the address of a mailto URI, in US-ASCII and without what needs quotes,
// and its domain.
func mailbox(uri string) (address, host string, ok bool) {
	address, host, ok = dmarc.Mailbox(uri)
	return address, host, ok && len(address) <= maxAddress && ascii(address) && !strings.ContainsAny(address, `,;:"\()[]`) && strings.Count(address, "@") == 1
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// ruaOf are the addresses for aggregate reports, rufOf those for failure reports.
func ruaOf(r *dmarc.Record) []string { return r.RUA }
func rufOf(r *dmarc.Record) []string { return r.RUF }

// external asks whether a host takes reports about a domain (RFC 9990 section 4, steps
// 2 to 7; RFC 9991 section 5). instead are the addresses that the host may name instead.
func (s *Sender) external(ctx context.Context, policyDomain, address, host string, instead func(*dmarc.Record) []string) target {
	t := target{address: address}
	answer, err := s.DNS.Lookup(ctx, policyDomain+"._report._dmarc."+host, dns.TypeTXT)
	if err != nil {
		if resolver.Temporary(err) {
			t.later, t.refused = true, "DNS does not say whether "+host+" takes reports about "+policyDomain
			return t
		}
		t.refused = host + " does not take reports about " + policyDomain
		return t
	}
	agrees := false
	for _, txt := range answer.TXT {
		rec, err := dmarc.ParseRecord(txt)
		if err != nil {
			continue
		}
		agrees = true
		uris := instead(&rec)
		if len(uris) == 0 {
			continue
		}
		for _, uri := range uris {
			if other, otherHost, ok := mailbox(uri); ok && otherHost == host {
				t.address = other
				return t
			}
		}
		t.refused = host + " names an address on another host, which RFC 9990 section 4 does not allow"
		return t
	}
	if !agrees {
		t.refused = host + " does not take reports about " + policyDomain
	}
	return t
}

// domainOptedOut: nobody gets reports about the domain.
func (s *Sender) domainOptedOut(domain string) bool {
	return slices.ContainsFunc(s.OptOut.Domains, func(x string) bool { return strings.EqualFold(x, domain) })
}

// optedOut says why an address gets nothing.
func (s *Sender) optedOut(address, host string) string { return s.OptOut.why(address, host) }

func (o *OptOut) why(address, host string) string {
	same := func(list []string, what string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, what) })
	}
	switch {
	case same(o.Addresses, address):
		return "the address is in opt_out.addresses"
	case same(o.Hosts, host):
		return "its domain is in opt_out.mail_domains"
	}
	return ""
}
