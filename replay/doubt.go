package replay

import (
	"slices"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// CauseKind says why something is not known.
type CauseKind string

// The kinds of causes.
const (
	// NotLookedUp: the rules of that time did not need it, and no DNS is asked now.
	NotLookedUp CauseKind = "not looked up"
	// WasCut: the record was too long, so it was not kept.
	WasCut CauseKind = "cut from the record"
	// NotKept: the journal does not keep local parts as they were (journal.addresses).
	NotKept CauseKind = "not kept"
	// OtherOption: the option shaped what was observed, and is another one now.
	OtherOption CauseKind = "option"
	// OtherClient: other trusted relays find another client, which was not checked.
	OtherClient CauseKind = "client"
)

// Cause is why it cannot be told what would become of a message: the fact of package
// policy, or the option.
type Cause struct {
	Kind CauseKind `json:"kind"`
	What string    `json:"what"`
}

// missing are the facts that a verdict misses and that the daemon would have had under
// the new rules. What it looked for and did not find it would miss again.
func missing(v *policy.Verdict, r *record.Record) (list []Cause) {
	for _, f := range v.Undecidable {
		cut := r.Cut&sectionOf[f] != 0
		switch {
		case cut:
			list = append(list, Cause{WasCut, string(f)})
		case f == policy.FactLocalParts:
			list = append(list, Cause{NotKept, string(f)})
		case f == policy.FactOrgUnanswered, f == policy.FactExistenceUnanswered, f == policy.FactClient:
		case !r.Verdict.NotJudged && slices.Contains(r.Verdict.Undecidable, f):
		default:
			list = append(list, Cause{NotLookedUp, string(f)})
		}
	}
	return list
}

// sectionOf is where evidence has a fact.
var sectionOf = map[policy.Fact]evidence.Sections{
	policy.FactFrom: evidence.SectionFrom, policy.FactTraces: evidence.SectionTraces, policy.FactReceived: evidence.SectionReceived,
	policy.FactDKIM: evidence.SectionDKIM, policy.FactARC: evidence.SectionARC, policy.FactSPF: evidence.SectionSPF,
	policy.FactIPRev: evidence.SectionIPRev, policy.FactClient: evidence.SectionClient, policy.FactRecipients: evidence.SectionRecipients,
	policy.FactSample: evidence.SectionSample, policy.FactDMARC: evidence.SectionDMARC,
	policy.FactOrg: evidence.SectionOrg, policy.FactExistence: evidence.SectionExistence,
	policy.FactOrgUnanswered: evidence.SectionOrg, policy.FactExistenceUnanswered: evidence.SectionExistence,
}

// doubt is a part of the evidence that would have been another one, maybe.
type doubt struct {
	cause Cause
	// of are the sections that it is about. SectionDMARC says that policy, family and
	// result are not known; SectionSPF and SectionDKIM say so of what authenticates.
	of evidence.Sections
}

// doubts says what of the evidence the new configuration would have shaped otherwise.
// It finds the client anew.
func (o *Options) doubts(ev *evidence.Message, r *record.Record) (list []doubt) {
	if r.Cut.Has(evidence.SectionEnvelope) { // no rule hears of it otherwise
		return []doubt{{Cause{WasCut, "envelope"}, evidence.AllSections}}
	}
	if o.Relays != nil && o.findClient(ev) {
		list = append(list, doubt{Cause{OtherClient, "trusted_relays"}, evidence.SectionSPF | evidence.SectionIPRev})
	}
	had := &r.Basis.Options
	want := &o.Shape
	if *want == (record.Options{}) || *want == *had {
		return list
	}
	return append(list, otherOptions(ev, had, want)...)
}

// findClient finds the client behind the new trusted relays. It reports whether the
// checks would have used another one. A chain that was not kept leaves Received
// unknown, which Decide tells where it matters.
func (o *Options) findClient(ev *evidence.Message) (other bool) {
	was := ev.Client
	c := evidence.Client{Peer: was.Peer, PeerName: was.PeerName, Port: was.Port, HELO: was.HELO}
	if found := o.Relays.Find(c, ev.Received); ev.Has(evidence.SectionReceived) {
		c = found
	} else {
		c.Relay = found.Relay // and nothing of the way behind it
	}
	ev.Client = c
	return c.IP() != was.IP() || c.HELOName() != was.HELOName()
}

// differs reports whether the outcome could be another one than to, were the sections
// in doubt otherwise. It is asked of the decision itself: without them, and with each
// result that what authenticates could have given.
func (o *Options) differs(ev *evidence.Message, doubts []doubt, to policy.Delivery, r *record.Record) bool {
	var of evidence.Sections
	for _, d := range doubts {
		of |= d.of
	}
	for _, result := range []evidence.Result{evidence.Pass, evidence.Fail, evidence.TempError} {
		without := forget(ev, of, result)
		v := policy.Decide(without, o.Rules)
		if o.delivery(&v) != to || len(missing(&v, r)) > 0 {
			return true
		}
	}
	return false
}

// forget is ev without sections. Evaluations of DMARC that rest on them have result.
func forget(ev *evidence.Message, of evidence.Sections, result evidence.Result) *evidence.Message {
	m := *ev
	m.Looked &^= of
	if of.Has(evidence.SectionFrom) {
		m.From = evidence.From{}
	}
	if of.Has(evidence.SectionSPF) {
		m.SPF = evidence.SPF{}
	}
	if of.Has(evidence.SectionDKIM) {
		m.DKIM = nil
	}
	if of.Has(evidence.SectionARC) {
		m.ARC = evidence.ARC{}
	}
	if of.Has(evidence.SectionIPRev) {
		m.IPRev = evidence.IPRev{}
	}
	if of.Has(evidence.SectionDMARC) {
		m.DMARC = nil
		return &m
	}
	m.DMARC = slices.Clone(m.DMARC)
	for i := range m.DMARC {
		unauthenticate(&m.DMARC[i], of, result)
	}
	return &m
}

// unauthenticate takes from an evaluation what the sections authenticated.
func unauthenticate(dm *evidence.DMARC, of evidence.Sections, result evidence.Result) {
	if of&(evidence.SectionSPF|evidence.SectionDKIM) == 0 {
		return
	}
	if of.Has(evidence.SectionSPF) {
		dm.SPFAligned = false
	}
	if of.Has(evidence.SectionDKIM) {
		dm.DKIMAligned, dm.AlignedDKIM = false, nil
	}
	compared := dm.Result == evidence.Pass || dm.Result == evidence.Fail || dm.IdentifierTemporary
	if !compared || dm.SPFAligned || dm.DKIMAligned {
		return
	}
	dm.Result, dm.IdentifierTemporary = result, result == evidence.TempError
}

// causesOf are the causes of doubts, each once.
func causesOf(doubts []doubt) (list []Cause) {
	for _, d := range doubts {
		if !slices.Contains(list, d.cause) {
			list = append(list, d.cause)
		}
	}
	return list
}
