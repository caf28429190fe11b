package judge

import (
	"cmp"
	"fmt"
)

// defaultMaxForged is how many fields of one message are deleted at most. Ours: no
// honest message has any, and Postfix takes seconds to delete thousands.
const defaultMaxForged = 100

// limitForged refuses a message with too many fields to delete.
func (s *Settings) limitForged(j *Judgement) {
	if limit := cmp.Or(s.MaxForged, defaultMaxForged); j.Deleted() > limit {
		s.OverLimit(j, fmt.Sprintf("more than %d forged result fields", limit))
	}
}
