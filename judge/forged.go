package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// defaultMaxForged is how many fields of one message are deleted at most. Ours: no
// honest message has any, and Postfix takes seconds to delete thousands.
const defaultMaxForged = 100

// maxFieldName is how long the name of a field may be that is deleted. Ours: Sendmail
// reads no frame without end, and no honest name is near it.
const maxFieldName = 500

// limitForged refuses a message with too many fields to delete, or with one that no MTA
// can be told to delete: it would be put off for ever.
func (s *Settings) limitForged(j *Judgement) {
	limit := cmp.Or(s.MaxForged, defaultMaxForged)
	switch {
	case j.Deleted() > limit:
		s.OverLimit(j, fmt.Sprintf("more than %d forged result fields", limit))
	case j.marks != nil && j.marks.carriers.any() && slices.ContainsFunc(j.Deletions(), notDeletable):
		s.OverLimit(j, "a field that hides a forged result has no proper name")
	}
}

// notDeletable reports whether a field has a name that is none (RFC 5322 section 3.6.8), as
// some MTAs pass it on, or an endless one.
func notDeletable(f Field) bool {
	return f.Name == "" || len(f.Name) > maxFieldName ||
		strings.ContainsFunc(f.Name, func(r rune) bool { return r <= ' ' || r > '~' })
}
