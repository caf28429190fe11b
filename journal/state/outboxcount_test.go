package state

import (
	"context"
	"strings"
	"testing"
)

// The outbox keeps reports that are over, so what is asked of it all the time is found by
// its indexes.
func TestOutboxIsReadByIndex(t *testing.T) {
	s := opened(t, func() *State {
		s, err := OpenFile(context.Background(), t.TempDir()+"/state.db", Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, len(steps))
	var a, b, c int
	var plan string
	err := s.db.QueryRow("EXPLAIN QUERY PLAN SELECT state, count(*) FROM state_outbox GROUP BY state").Scan(&a, &b, &c, &plan)
	if err != nil || !strings.Contains(plan, "COVERING INDEX state_outbox_state") {
		t.Errorf("%q, %v", plan, err)
	}
}
