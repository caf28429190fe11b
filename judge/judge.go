package judge

import (
	"crypto/sha256"

	"alignd/authres"
	"alignd/evidence"
	"alignd/header"
	"alignd/policy"
)

// Judgement is the outcome for one message.
type Judgement struct {
	Evidence *evidence.Message
	Verdict  policy.Verdict
	Results  authres.Header // the Authentication-Results field
	// marks are the fields that go when the message is delivered.
	marks *Marks
}

// Content is what a message's key is made from, beside its evidence. A
// *verify.Message is one.
type Content interface {
	Fields() *header.Fields
	BodyHash() [sha256.Size]byte
	// Checked is false for a message that is not judged: it has no key.
	Checked() bool
}

// Judge completes the evidence with what needs the site's secret, and decides. m
// are the marks of the message's header. w is what is known of earlier tries, nil for
// none; the outcome is noted in it.
func (s *Settings) Judge(ev *evidence.Message, c Content, m *Marks, w *Waits) Judgement {
	if c.Checked() {
		ev.Key = s.keyOf(ev, c.Fields(), c.BodyHash(), &m.scratch.keys)
		ev.Sample = messageKey(ev.Key).sample()
		if w != nil {
			ev.FirstSeen, ev.Deferrals = w.of(ev.Key, ev)
		}
		ev.Incumbents = m.front.evidence()
	}
	m.carriers = m.carriersIn(c.Fields())
	ev.Stopped = s.Stops.IDs()
	v := policy.Decide(ev, s.Rules)
	if w != nil && c.Checked() && w.ask(ev, &v) {
		v = policy.Decide(ev, s.Rules)
	}
	j := Judgement{Evidence: ev, Verdict: v, Results: results(s.servID(ev.MTA), ev, &v), marks: m}
	s.limitForged(&j)
	switch {
	case w == nil || !c.Checked():
	case j.Verdict.Disposition == policy.DispositionTempfail:
		w.deferred(ev.Key, ev)
	case j.Verdict.Waited:
		w.served(ev.Key, ev)
		w.tellServed(ev)
	}
	return j
}

// OverLimit turns a judgement into the refusal of a message that exceeds a limit;
// over says which.
func (s *Settings) OverLimit(j *Judgement, over string) {
	j.Verdict = s.Rules.OverLimit(j.Evidence, "The message exceeds a limit of this server: "+over+".")
	j.Results = results(s.servID(j.Evidence.MTA), j.Evidence, &j.Verdict)
}

// keepsResults: mail of listed networks keeps its Authentication-Results; a hop
// of the same site has written it. An authenticated client is no such hop, and
// what a trusted relay brings may hold anybody's fields.
func (j *Judgement) keepsResults() bool {
	return !j.WritesResults() && j.Evidence.Client.Relay == ""
}

// WritesResults: mail that is not judged gets no Authentication-Results, but for
// auth=pass.
func (j *Judgement) WritesResults() bool {
	return !j.Verdict.NotJudged || j.Evidence.Authenticated()
}
