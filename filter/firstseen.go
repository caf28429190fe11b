package filter

import (
	"container/list"
	"sync"
	"time"
)

// firstSeen remembers when a message was first deferred for a temporary
// error, so that temperror_for can end the deferring. It is bounded in number:
// the oldest entry goes first, and its message is then deferred anew. It lives
// in memory; a restart begins again. Safe for concurrent use.
type firstSeen struct {
	mu    sync.Mutex
	max   int
	at    map[messageKey]*list.Element
	order *list.List // of seen, oldest first
}

type seen struct {
	key messageKey
	at  time.Time
}

// maxSeenAge is how long an entry is good for: senders give up after four to
// five days (RFC 5321 section 4.5.4.1), so a later message is another one.
const maxSeenAge = 5 * 24 * time.Hour

// maxFirstSeen is ours: 100,000 deferred messages cost about 20 MB.
const maxFirstSeen = 100_000

func newFirstSeen(max int) *firstSeen {
	return &firstSeen{max: max, at: make(map[messageKey]*list.Element), order: list.New()}
}

// Of returns when key was first deferred; zero if it was not in the last
// maxSeenAge before now.
func (f *firstSeen) Of(key messageKey, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(now)
	if e := f.at[key]; e != nil {
		return e.Value.(seen).at
	}
	return time.Time{}
}

// forget drops what is too old; the order is that of first sight.
func (f *firstSeen) forget(now time.Time) {
	for e := f.order.Front(); e != nil && now.Sub(e.Value.(seen).at) > maxSeenAge; e = f.order.Front() {
		delete(f.at, f.order.Remove(e).(seen).key)
	}
}

// Deferred notes that key was deferred at t, unless that is known.
func (f *firstSeen) Deferred(key messageKey, t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at[key] != nil {
		return
	}
	if len(f.at) >= f.max {
		oldest := f.order.Front()
		delete(f.at, f.order.Remove(oldest).(seen).key)
	}
	f.at[key] = f.order.PushBack(seen{key, t})
}
