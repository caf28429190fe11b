package policy

import "alignd/evidence"

// corroborate returns the signals, out of wanted, that speak for a rejection
// beside the policy (RFC 9989 section 7.4). What is not known matters only where
// none does.
func (d decision) corroborate(dm *evidence.DMARC, wanted []Signal) (fired []Signal, missing facts) {
	for _, s := range wanted {
		yes, unknown := d.fires(dm, s)
		if yes && unknown == noFacts {
			fired = append(fired, s)
		}
		missing |= unknown
	}
	if len(fired) > 0 {
		missing = noFacts
	}
	return fired, missing
}

// fires reports whether a signal is there. What says that something is not there
// has to have been looked for.
func (d decision) fires(dm *evidence.DMARC, s Signal) (yes bool, missing facts) {
	ev := d.ev
	switch s {
	case SignalDirect:
		if !ev.Has(evidence.SectionTraces) {
			return false, noTraces
		}
		t := &ev.Traces
		return !t.List && t.ListID == "" && !t.Resent && !t.Forwarded && !t.ARC, noFacts
	case SignalNoSignature:
		return d.noBrokenSignature(dm)
	case SignalSPFFail:
		c := ev.SPF.MailFrom
		if c == nil && ev.MailFrom != "" {
			return false, noSPF
		}
		if c == nil || c.Result != evidence.Fail {
			return false, noFacts
		}
		return related(c.Domain, dm)
	case SignalNonExistent:
		return dm.Existence == evidence.NonExistent, existenceUnknown(dm)
	case SignalOwn:
		return d.ownDomain(dm) != nil, noFacts
	case SignalNoReverse:
		if ev.IPRev.Result == evidence.NotChecked {
			return false, noIPRev
		}
		return ev.IPRev.Result == evidence.Fail || ev.IPRev.Result == evidence.PermError, noFacts
	}
	return false, noFacts
}

// noBrokenSignature reports whether no signature of the Author Domain's family was
// broken on the way, or may have been.
func (d decision) noBrokenSignature(dm *evidence.DMARC) (yes bool, missing facts) {
	if !d.ev.Has(evidence.SectionDKIM) {
		return false, noDKIM
	}
	for i := range d.ev.DKIM {
		s := &d.ev.DKIM[i]
		if s.Result != evidence.Fail && s.FailedOn != evidence.FailedTransport {
			continue
		}
		same, unknown := related(s.Domain, dm)
		if same {
			return false, noFacts
		}
		missing |= unknown
	}
	return missing == noFacts, missing
}
