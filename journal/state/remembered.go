package state

import (
	"sync"
	"time"
)

// Remembered has the reports of others in memory, for a process that asks again and again.
// Where they are too many, it has what they add up to for those who ask the same. The zero
// value is ready; it is safe for concurrent use.
type Remembered struct {
	book othersBook

	mu   sync.Mutex
	list []remembered // the oldest first
}

type remembered struct {
	question ElsewhereQuery
	answer   *Elsewhere
	at       time.Time
}

// The bounds of what is remembered are ours.
const (
	// rememberedFor is how long a new report may be missing from an answer.
	rememberedFor     = time.Minute
	rememberedAnswers = 8
	// rememberedSources is over all answers, so that they take no more room than the largest.
	rememberedSources = maxElsewhere
)

// Remember has Elsewhere answer from memory. Nobody is to change what it returns then.
func (s *State) Remember(in *Remembered) { s.remembered = in }

// same are equal where the statement asks the same.
func (q ElsewhereQuery) same() ElsewhereQuery {
	q.Since = time.Unix(q.Since.Unix(), 0).UTC()
	if !q.Until.IsZero() {
		q.Until = time.Unix(q.Until.Unix(), 0).UTC()
	}
	return q
}

func (r *Remembered) find(q ElsewhereQuery, now time.Time) *Elsewhere {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.list {
		if x := &r.list[i]; x.question == q.same() && now.Sub(x.at).Abs() < rememberedFor {
			return x.answer
		}
	}
	return nil
}

// keep puts an answer in, as of when it was asked for, and takes out what has no room.
func (r *Remembered) keep(q ElsewhereQuery, e *Elsewhere, asked time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, room := []remembered{{q.same(), e, asked}}, rememberedSources-len(e.Sources)
	for i := len(r.list) - 1; i >= 0 && len(list) < rememberedAnswers; i-- {
		x := r.list[i]
		room -= len(x.answer.Sources)
		if room < 0 {
			break
		}
		if x.question != q.same() && asked.Sub(x.at).Abs() < rememberedFor {
			list = append([]remembered{x}, list...)
		}
	}
	r.list = list
}
