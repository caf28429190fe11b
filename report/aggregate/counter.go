package aggregate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Counter adds up observations. It is not safe for concurrent use.
type Counter struct{ scopes map[Key]*counting }

// counting is one report in the making.
type counting struct {
	scope   Scope
	rua     []string
	passed  int64
	at      map[Key]int // of rows
	rows    []Counted
	dropped int64
}

// Add counts o n times.
func (c *Counter) Add(o *Observation, n int64) {
	if c.scopes == nil {
		c.scopes = map[Key]*counting{}
	}
	k := o.Scope.Key()
	s := c.scopes[k]
	if s == nil {
		s = &counting{scope: o.Scope, at: map[Key]int{}}
		c.scopes[k] = s
	}
	s.rua = o.RUA // the last one that was seen holds
	if o.Passed {
		s.passed += n
	}
	row := o.Row.Key()
	i, known := s.at[row]
	switch {
	case known:
		s.rows[i].Count += n
	case len(s.rows) >= MaxRows*MaxParts: // they would not be sent
		s.dropped += n
	default:
		s.at[row] = len(s.rows)
		s.rows = append(s.rows, Counted{Row: o.Row, Count: n})
	}
}

// Draft is what is known of a report before it is cut.
type Draft struct {
	Scope   Scope
	Rows    []Counted
	RUA     []string // mailto URIs
	Passed  int64    // messages that passed DMARC
	Dropped int64    // messages without a row, as there were too many rows
}

// Drafts are all reports, by day, domain and policy.
func (c *Counter) Drafts() (list []Draft) {
	for _, s := range c.scopes {
		list = append(list, Draft{Scope: s.scope, Rows: s.rows, RUA: s.rua, Passed: s.passed, Dropped: s.dropped})
	}
	slices.SortFunc(list, func(a, b Draft) int {
		ka, kb := a.Scope.Key(), b.Scope.Key()
		return cmp.Or(a.Scope.Day.Compare(b.Scope.Day), strings.Compare(a.Scope.Domain, b.Scope.Domain), bytes.Compare(ka[:], kb[:]))
	})
	return list
}

// ID is the id of part number part of a report: letters and digits, the same each time
// it is made. cut counts further reports on the same day, for messages that came late.
func ID(submitter string, s *Scope, cut, part int) string {
	k := s.Key()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %x %d %d", submitter, k, cut, part))
	return hex.EncodeToString(sum[:16])
}
