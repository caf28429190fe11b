package filter

import (
	"cmp"
	"fmt"

	"alignd/header"
)

// DefaultMaxForged is how many fields of one message are deleted at most. Ours: no
// honest message has any, and Postfix takes seconds to delete thousands.
const DefaultMaxForged = 100

// deletes is how many fields of a judged message would go.
func (m *marks) deletes(j *Judgement) int {
	n := len(m.tag.delete)
	if !keepsResults(j) {
		n += len(m.ar.delete) + len(m.spf.delete)
	}
	return n
}

// limitForged refuses a message with too many fields to delete.
func (s *Settings) limitForged(j *Judgement, m *marks) {
	if limit := cmp.Or(s.MaxForged, DefaultMaxForged); m.deletes(j) > limit {
		s.OverLimit(j, fmt.Sprintf("more than %d forged result fields", limit))
	}
}

// LimitForged does to a judgement what the daemon would for the fields that it
// deletes.
func (s *Settings) LimitForged(j *Judgement, fields *header.Fields) {
	m := marks{own: s.own(j.Evidence.MTA)}
	for i := range fields.Len() {
		f := fields.At(i)
		m.note(f.Name(), f.Value(), s)
	}
	s.limitForged(j, &m)
}

// OverLimit turns a judgement into the refusal of a message that exceeds a limit;
// over says which.
func (s *Settings) OverLimit(j *Judgement, over string) {
	j.Verdict = s.Rules.OverLimit(j.Evidence, "The message exceeds a limit of this server: "+over+".")
	j.Results = Results(s.ServID(j.Evidence.MTA), j.Evidence, &j.Verdict)
}
