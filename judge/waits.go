package judge

import (
	"cmp"
	"container/list"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"alignd/evidence"
	"alignd/verify/spf"
)

// Waits remembers which messages were put off for a temporary error, so that
// temperror_for can end it. An entry belongs to one message for one recipient from
// one MAIL FROM domain. A message for several recipients has waited as long as the
// recipient who waited least: so a part of those who waited is served, and nobody
// else. The client does not count, as large senders retry from other networks.
//
// The reply may get lost. So an entry that let a message in does so for servedAgain
// more. After that the same message is new and waits anew.
//
// It is bounded in number: the oldest entry goes first, and its message begins anew.
// It lives in memory; a restart begins anew. Hosts that share a store know of each
// other's (Share). Safe for concurrent use.
type Waits struct {
	seed   maphash.Seed
	shared Shared // nil: none

	mu    sync.Mutex
	max   int
	tries uint64 // calls of deferred
	at    map[waitKey]*list.Element
	order *list.List // of *wait, by first
}

// waitKey is a message and, hashed, MAIL FROM domain and recipient.
type waitKey struct {
	message  messageKey
	envelope uint64
}

type wait struct {
	key           waitKey
	first, served time.Time // when first put off; when served for having waited
	times         int       // how often it was put off
	try           uint64    // the last of them: a recipient may be named twice in one
}

const (
	// servedAgain is how long an entry that served goes on serving.
	servedAgain = time.Hour
	// maxWaitAge is how long an entry is kept: senders give up after four to five
	// days (RFC 5321 section 4.5.4.1), and temperror_for is 120 hours at most.
	maxWaitAge = 6 * 24 * time.Hour
	// maxWaits is ours: 100,000 entries cost about 30 MB.
	maxWaits = 100_000
)

// NewWaits is empty.
func NewWaits() *Waits { return newWaits(maxWaits) }

func newWaits(max int) *Waits {
	return &Waits{seed: maphash.MakeSeed(), max: max, at: make(map[waitKey]*list.Element), order: list.New()}
}

// key is that of message k for one recipient; MAIL FROM without domain counts as
// what it is.
func (w *Waits) key(k messageKey, ev *evidence.Message, recipient string) waitKey {
	var h maphash.Hash
	h.SetSeed(w.seed)
	h.WriteString(cmp.Or(ev.MailFromDomain, strings.ToLower(spf.Domain(ev.MailFrom))))
	h.WriteByte(0) // in no domain
	h.WriteString(recipient)
	return waitKey{k, h.Sum64()}
}

// keys calls f for each recipient until it returns false.
func (w *Waits) keys(k messageKey, ev *evidence.Message, f func(waitKey) bool) {
	for i := range ev.Recipients {
		if !f(w.key(k, ev, ev.Recipients[i].Address)) {
			return
		}
	}
}

// of returns since when all recipients of the message have waited, and how often
// each was put off at least; zero where one of them has not.
func (w *Waits) of(k messageKey, ev *evidence.Message) (since time.Time, times int) {
	return w.with(k, ev, nil)
}

// with is of, with what others know of each recipient, if not nil.
func (w *Waits) with(k messageKey, ev *evidence.Message, known []SharedWait) (since time.Time, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(ev.Time)
	at := 0
	w.keys(k, ev, func(key waitKey) bool {
		var x wait
		if e := w.at[key]; e != nil {
			x = *e.Value.(*wait)
		}
		if known != nil {
			x = x.join(&known[at])
			at++
		}
		if x.times == 0 || x.over(ev.Time) {
			since, times = time.Time{}, 0
			return false
		}
		if times == 0 || x.times < times {
			times = x.times
		}
		if x.first.After(since) {
			since = x.first
		}
		return true
	})
	return since, times
}

// over reports whether the entry has served and does so no more.
func (x *wait) over(now time.Time) bool {
	return !x.served.IsZero() && now.Sub(x.served) > servedAgain
}

// forget drops what is too old.
func (w *Waits) forget(now time.Time) {
	for e := w.order.Front(); e != nil && now.Sub(e.Value.(*wait).first) > maxWaitAge; e = w.order.Front() {
		w.drop(e)
	}
}

func (w *Waits) drop(e *list.Element) { delete(w.at, w.order.Remove(e).(*wait).key) }

// deferred notes that the message was put off.
func (w *Waits) deferred(k messageKey, ev *evidence.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries++
	w.keys(k, ev, func(key waitKey) bool {
		e := w.at[key]
		if e != nil && e.Value.(*wait).over(ev.Time) {
			w.drop(e)
			e = nil
		}
		if e == nil {
			if len(w.at) >= w.max {
				w.drop(w.order.Front())
			}
			e = w.order.PushBack(&wait{key: key, first: ev.Time})
			w.at[key] = e
		}
		if x := e.Value.(*wait); x.try != w.tries {
			x.try = w.tries
			x.times++
		}
		return true
	})
}

// served notes that the message was let in for having waited.
func (w *Waits) served(k messageKey, ev *evidence.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys(k, ev, func(key waitKey) bool {
		if e := w.at[key]; e != nil && e.Value.(*wait).served.IsZero() {
			e.Value.(*wait).served = ev.Time
		}
		return true
	})
}
