package policy

import (
	"strconv"

	"alignd/evidence"
)

// request is what the Domain Owner asks for a message that fails.
type request struct {
	what    Requested
	stepped OverrideReason // why it is less than what is published
	missing facts
}

// published is step 5: the effective policy, after t (already in Policy) and pct.
func (d decision) published(dm *evidence.DMARC, mode PctMode) request {
	rec := &dm.Published
	req := Requested(dm.Policy)
	if req != RequestedReject && req != RequestedQuarantine {
		req = RequestedNone
	}
	if rec.Testing && publishedPolicy(dm) != evidence.PolicyNone {
		return request{what: req, stepped: OverrideReason{Type: OverrideTestMode}}
	}
	if rec.HasTesting || rec.Pct >= 100 || rec.Pct < 0 || req == RequestedNone {
		return request{what: req}
	}
	switch mode {
	case PctIgnore:
		return request{what: req}
	case PctZeroAsTest:
		if rec.Pct > 0 {
			return request{what: req}
		}
	default:
		if d.ev.Sample < 0 && rec.Pct > 0 {
			return request{what: req, missing: noSample}
		}
		if d.ev.Sample >= 0 && d.ev.Sample < rec.Pct {
			return request{what: req}
		}
	}
	// RFC 7489 section 6.6.4; RFC 9990 has no type for it.
	out := request{what: RequestedNone, stepped: OverrideReason{OverrideOther, "sampled_out pct=" + strconv.Itoa(rec.Pct)}}
	if req == RequestedReject {
		out.what = RequestedQuarantine
	}
	return out
}

// publishedPolicy is the policy of the tag that applies, before t.
func publishedPolicy(dm *evidence.DMARC) evidence.DMARCPolicy {
	p := dm.Published.P
	switch dm.PolicyTag {
	case "sp":
		p = dm.Published.SP
	case "np":
		p = dm.Published.NP
	}
	if p == evidence.PolicyAbsent {
		p = evidence.PolicyNone
	}
	return p
}
