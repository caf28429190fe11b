package dmarc

import "alignd/evidence"

// usability is what rule 4.10.1 of RFC 9989 makes of a record's policies.
type usability int

const (
	usable    usability = iota
	asNone              // act as if the record said p=none
	absent              // no p, nobody to report to: no DMARC processing
	malformed           // a policy with an invalid value, nobody to report to: no DMARC processing
)

// usability applies RFC 9989 section 4.10.1: a record without valid p, or with
// an invalid sp or np, is p=none when it has a reporting address, else unused.
func (r *Record) usability() usability {
	bad := r.P == invalidPolicy || r.SP == invalidPolicy || r.NP == invalidPolicy
	switch {
	case !bad && r.P != evidence.PolicyAbsent:
		return usable
	case len(r.RUA)+len(r.OtherRUA) > 0:
		return asNone
	case bad:
		return malformed
	default:
		return absent
	}
}

// policyFor returns the policy of a usable record for its own domain or for a
// subdomain, and the tag it came from (section 4.7: np defaults to sp, sp to
// p), before test mode.
func (r *Record) policyFor(sub bool, ex evidence.Existence) (evidence.DMARCPolicy, string) {
	switch {
	case r.usability() == asNone:
		return evidence.PolicyNone, "p"
	case sub && ex == evidence.NonExistent && r.NP != evidence.PolicyAbsent:
		return r.NP, "np"
	case sub && r.SP != evidence.PolicyAbsent:
		return r.SP, "sp"
	default:
		return r.P, "p"
	}
}

// existenceMatters reports whether a non-existent subdomain gets another
// policy than an existing one.
func (r *Record) existenceMatters() bool {
	if r.usability() != usable {
		return false
	}
	np, _ := r.policyFor(true, evidence.NonExistent)
	sp, _ := r.policyFor(true, evidence.Exists)
	return np != sp
}

// stepDown is what test mode makes of a policy (RFC 9989 section 4.7, tag t).
func stepDown(p evidence.DMARCPolicy) evidence.DMARCPolicy {
	if p == evidence.PolicyReject {
		return evidence.PolicyQuarantine
	}
	return evidence.PolicyNone
}
