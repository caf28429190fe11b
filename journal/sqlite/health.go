package sqlite

import (
	"sync"

	"alignd/journal"
)

// health is what Store tells of itself while it works.
type health struct {
	mu  sync.Mutex
	now journal.Health
}

// Health implements journal.Reporter.
func (s *Store) Health() journal.Health {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return s.health.now
}

func (h *health) set(f func(*journal.Health)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.now)
}

// measured notes what retention saw.
func (s *Store) measured(octets int64) {
	broken := len(s.unsealable)
	if list, err := asides(s.opt.Dir); err == nil {
		broken += len(list)
	}
	s.health.set(func(h *journal.Health) {
		h.Octets, h.Damaged, h.RetentionStopped = octets, broken, s.retention.Stopped()
	})
}
