// Package iprev checks the reverse DNS of the client: its address has a name,
// and that name has the address (RFC 8601 section 3, "iprev"). Exceptions by
// client name rest on it; it is only made when one is configured.
//
// Results are those of RFC 8601 section 2.7.3. A look-up that our own query
// budget refused is no temporary error: its name is then not confirmed.
package iprev

import (
	"context"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"alignd/domain"
	"alignd/evidence"
	"alignd/internal/owned"
	"alignd/resolver"
)

// maxNames is how many PTR names of one address are looked up; the others are
// ignored. RFC 8601 section 3 leaves the number open; 10 is that of RFC 7208
// section 4.6.4 for the same walk.
const maxNames = 10

// Reasons that Check gives.
const (
	reasonNoPTR     = "no PTR record"
	reasonTemporary = "temporary DNS failure"
	reasonBudget    = "query budget spent"
	reasonMismatch  = "no name of the address points back to it"
	reasonUnusable  = "no PTR record holds a host name"
)

// Check looks up the names of ip and confirms them. Names of the result are the
// confirmed ones, in order and each once. An invalid ip is not checked: the result is zero.
func Check(ctx context.Context, lk resolver.Lookuper, ip netip.Addr) evidence.IPRev {
	ip = ip.Unmap().WithZone("")
	reverse, err := dns.ReverseAddr(ip.String())
	if err != nil {
		return evidence.IPRev{}
	}
	ptr, err := lk.Lookup(ctx, reverse, dns.TypePTR)
	switch {
	case resolver.Temporary(err):
		return evidence.IPRev{Result: evidence.TempError, Reason: reasonTemporary}
	case err != nil:
		return evidence.IPRev{Result: evidence.PermError, Reason: reasonBudget}
	case len(ptr.PTR) == 0:
		return evidence.IPRev{Result: evidence.PermError, Reason: reasonNoPTR}
	}
	names := hostNames(ptr.PTR)
	if len(names) == 0 {
		return evidence.IPRev{Result: evidence.Fail, Reason: reasonUnusable}
	}
	return summary(names, confirm(ctx, lk, ip, names))
}

// hostNames normalizes the first maxNames names and leaves out what is none.
func hostNames(ptr []string) []string {
	var names []string
	for _, p := range ptr[:min(len(ptr), maxNames)] {
		if name, err := domain.Normalize(p); err == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

type outcome int

const (
	differs outcome = iota
	confirmed
	unresolved
)

// confirm looks up all names side by side.
func confirm(ctx context.Context, lk resolver.Lookuper, ip netip.Addr, names []string) []outcome {
	out := make([]outcome, len(names))
	if len(names) == 1 {
		out[0] = confirmOne(ctx, lk, ip, names[0])
		return out
	}
	var aside owned.Group
	for i, name := range names {
		aside.Go(func() { out[i] = confirmOne(ctx, lk, ip, name) })
	}
	aside.Wait()
	return out
}

func confirmOne(ctx context.Context, lk resolver.Lookuper, ip netip.Addr, name string) outcome {
	qtype := dns.TypeAAAA
	if ip.Is4() {
		qtype = dns.TypeA
	}
	a, err := lk.Lookup(ctx, name, qtype)
	switch {
	case resolver.Temporary(err):
		return unresolved
	case err == nil && slices.Contains(a.Addrs, ip):
		return confirmed
	}
	return differs
}

func summary(names []string, out []outcome) evidence.IPRev {
	var res evidence.IPRev
	for i, name := range names {
		if out[i] == confirmed {
			res.Names = append(res.Names, name)
		} else {
			res.Unconfirmed = append(res.Unconfirmed, name)
		}
	}
	switch {
	case len(res.Names) > 0:
		res.Result = evidence.Pass
	case slices.Contains(out, unresolved):
		res.Result, res.Reason = evidence.TempError, reasonTemporary
	default:
		res.Result, res.Reason = evidence.Fail, reasonMismatch
	}
	return res
}
