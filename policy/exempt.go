package policy

import "alignd/evidence"

// NotJudged reports whether step 1 of Decide will let the message through on
// the facts of the envelope alone, so that it need not be checked. Behind a
// trusted relay that depends on the header; do not ask before it is there.
func (r *Rules) NotJudged(ev *evidence.Message) bool {
	d := decision{ev: ev, rules: r}
	id, _, _ := d.notJudged()
	return id != ""
}

// notJudged is step 1: it names the entry by which the client is not judged; id is
// empty where it is judged. It is about who is connected. A trusted relay is never
// exempt; what it brings is judged, but for mail that began in an own network
// behind it.
func (d *decision) notJudged() (id string, at Source, missing facts) {
	r, c := d.rules, &d.ev.Client
	if d.ev.Authenticated() && !r.notJudged.JudgeAuthenticated {
		return "authenticated", Source{}, noFacts
	}
	client := c.Peer
	switch {
	case c.Relay != "":
		client = c.Began // never loopback: that is a hop inside a host of the relay's
		if len(r.notJudged.Networks) > 0 && !client.IsValid() {
			return "", Source{}, d.beginningUnknown()
		}
	case !client.IsValid() && (len(r.notJudged.Networks) > 0 || !r.notJudged.JudgeLoopback):
		return "", Source{}, noClient
	case client.IsValid() && client.Unmap().IsLoopback() && !r.notJudged.JudgeLoopback:
		return "loopback", Source{}, noFacts
	}
	if i := r.networks.first(client); i >= 0 {
		n := &r.notJudged.Networks[i]
		return n.ID, n.Source, noFacts
	}
	return "", Source{}, noFacts
}

// letThrough accepts a message of a client that is not judged. What the Domain
// Owner asked for stays in the verdict.
func (d *decision) letThrough(id string, at Source) Verdict {
	v := Verdict{Disposition: DispositionAccept, Delivery: Deliver, Requested: RequestedNone, NotJudged: true}
	v.by(StepNotJudged, id, at)
	v.Reason = "The client is not judged (" + id + ")."
	v.Evaluation = d.worstEvaluation()
	if v.Evaluation > 0 {
		v.Requested = d.handled(&d.ev.DMARC[v.Evaluation-1]).Requested
		v.Undecidable = (d.missing & noSample).list() // no more is looked at
	}
	if v.Requested != RequestedNone {
		v.Override, v.OverrideComment = OverrideLocalPolicy, "client not judged"
	}
	return v
}
