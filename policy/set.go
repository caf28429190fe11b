package policy

import "iter"

// set is a condition with any of its patterns; the nil set is no condition.
type set map[pattern]struct{}

// hasAny reports whether one of keys is in the set.
func (s set) hasAny(keys iter.Seq[pattern]) bool {
	for p := range keys {
		if _, ok := s[p]; ok {
			return true
		}
	}
	return false
}
