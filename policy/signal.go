package policy

import (
	"slices"

	"alignd/evidence"
)

// corroborate returns the signals, out of wanted, that speak for a rejection
// beside the policy (RFC 9989 section 7.4).
func (d *decision) corroborate(r *ruling, dm *evidence.DMARC, wanted []Signal) []Signal {
	var fired []Signal
	for _, s := range wanted {
		if d.fires(r, dm, s) {
			fired = append(fired, s)
		}
	}
	if len(fired) > 0 && (r.Undecidable == FactIPRev || r.Undecidable == FactSPF) {
		r.Undecidable = NoFact
	}
	return fired
}

func (d *decision) fires(r *ruling, dm *evidence.DMARC, s Signal) bool {
	ev := d.ev
	switch s {
	case SignalDirect:
		t := &ev.Traces
		return !t.List && t.ListID == "" && !t.Resent && !t.Forwarded && !t.ARC
	case SignalNoSignature:
		return !slices.ContainsFunc(ev.DKIM, func(s evidence.Signature) bool {
			return (s.Result == evidence.Fail || s.FailedOn == evidence.FailedTransport) && family(s.Domain, dm)
		})
	case SignalSPFFail:
		if ev.SPF.MailFrom == nil && ev.MailFrom != "" {
			r.Undecidable = FactSPF
			return false
		}
		return ev.SPF.MailFrom != nil && ev.SPF.MailFrom.Result == evidence.Fail && family(ev.SPF.MailFrom.Domain, dm)
	case SignalNonExistent:
		return dm.Existence == evidence.NonExistent
	case SignalOwn:
		return d.ownDomain(dm) != nil
	case SignalNoReverse:
		if ev.IPRev.Result == evidence.NotChecked {
			r.Undecidable = FactIPRev
		}
		return ev.IPRev.Result == evidence.Fail || ev.IPRev.Result == evidence.PermError
	}
	return false
}
