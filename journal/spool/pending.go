package spool

import "time"

// pending knows since when records wait for a store, to about a second.
type pending struct {
	marks []waiting // oldest first
	last  Number    // record that was added
	kept  Number    // the last frame that was written
}

// waiting is the first record of about a second.
type waiting struct {
	number Number
	at     time.Time
}

// maxWaiting bounds the marks: beyond it they get coarser. The number is ours.
const maxWaiting = 4096

// add notes a record.
func (p *pending) add(n Number, at time.Time) {
	p.last = n
	if m := len(p.marks); m > 0 && at.Sub(p.marks[m-1].at).Abs() < time.Second {
		return
	}
	if len(p.marks) >= maxWaiting {
		kept := p.marks[:0]
		for i, w := range p.marks {
			if i%2 == 0 {
				kept = append(kept, w)
			}
		}
		p.marks = kept
	}
	p.marks = append(p.marks, waiting{n, at})
}

// written says that frames up to n are on their way to a store.
func (p *pending) written(n Number) { p.kept = n }

// dropped says that those after the last that was written are not kept.
func (p *pending) dropped(taken Number) {
	p.last = min(p.last, p.kept)
	p.taken(taken)
}

// taken forgets what is up to and with n.
func (p *pending) taken(n Number) {
	if n >= p.last {
		p.marks = p.marks[:0]
		return
	}
	for len(p.marks) > 1 && p.marks[1].number <= n+1 {
		p.marks = p.marks[1:]
	}
}

// oldest is when the oldest record was written that waits; zero for none.
func (p *pending) oldest() time.Time {
	if len(p.marks) == 0 {
		return time.Time{}
	}
	return p.marks[0].at
}
