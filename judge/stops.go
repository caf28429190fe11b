package judge

import "sync/atomic"

// Stops are the stages of rollouts that are stopped at present. They change while
// messages are judged; each message has those of its end in its evidence. It is safe for
// concurrent use, and a nil one stops nothing.
type Stops struct{ ids atomic.Pointer[[]string] }

// Set says which stages are stopped, by the ids of policy.Watch. ids is not changed
// afterwards.
func (s *Stops) Set(ids []string) { s.ids.Store(&ids) }

// IDs are those that Set said last.
func (s *Stops) IDs() []string {
	if s == nil {
		return nil
	}
	if ids := s.ids.Load(); ids != nil {
		return *ids
	}
	return nil
}
