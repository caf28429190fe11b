package policy

import "alignd/evidence"

// NotJudged reports whether step 1 of Decide will let the message through on
// the facts of the envelope alone, so that it need not be checked. Behind a
// trusted relay that depends on the header; do not ask before it is there.
func (r *Rules) NotJudged(ev *evidence.Message) bool {
	d := decision{ev: ev, rules: r}
	return d.notJudged().outcome != open
}

// notJudged is step 1: it lets through clients that are not judged, and wants nothing
// for others. It is about who is connected. A trusted relay is never exempt; what it
// brings is judged, but for mail that began in an own network behind it.
func (d decision) notJudged() proposal {
	r, c := d.rules, &d.ev.Client
	if d.ev.Authenticated() && !r.notJudged.JudgeAuthenticated {
		return exempt("authenticated", Source{})
	}
	client := c.Peer
	switch {
	case c.Relay != "":
		client = c.Began // never loopback: that is a hop inside a host of the relay's
		if len(r.notJudged.Networks) > 0 && !client.IsValid() {
			return proposal{missing: d.beginningUnknown()}
		}
	case !client.IsValid() && (len(r.notJudged.Networks) > 0 || !r.notJudged.JudgeLoopback):
		return proposal{missing: noClient}
	case client.IsValid() && client.Unmap().IsLoopback() && !r.notJudged.JudgeLoopback:
		return exempt("loopback", Source{})
	}
	if i := r.networks.first(client); i >= 0 {
		n := &r.notJudged.Networks[i]
		return exempt(n.ID, n.Source)
	}
	return proposal{}
}

// exempt is the proposal by the entry that exempts the client.
func exempt(id string, at Source) proposal {
	return proposal{bound: instead, outcome: delivered, requested: RequestedNone, step: StepNotJudged, rule: id, at: at}
}

// letThrough accepts a message of a client that is not judged. What the Domain
// Owner asked for stays in the verdict.
func (d decision) letThrough(p proposal, to []audience) Verdict {
	p.reason = "The client is not judged (" + p.rule + ")."
	p.evaluation = d.worstEvaluation()
	if p.evaluation > 0 {
		var s standing
		d.strictest(&d.ev.DMARC[p.evaluation-1], to, &s)
		p.requested, p.missing = s.requested, s.missing&noSample // no more is looked at
	}
	v := d.carriedOut(&p)
	v.NotJudged = true
	if v.Requested != RequestedNone {
		v.Override, v.OverrideComment = OverrideLocalPolicy, "client not judged"
	}
	return v
}
