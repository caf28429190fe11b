package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Default numbers of questions for one message. The numbers are ours.
//
// DefaultReserved is what finds one policy: at most eight names of the DNS Tree
// Walk (RFC 9989 section 4.10), or two of RFC 7489's method, and one question
// whether the Author Domain exists.
const (
	DefaultMaxQueries = 150
	DefaultReserved   = 9
	DefaultParallel   = 16
)

// BudgetOptions bounds what one message may ask.
type BudgetOptions struct {
	// MaxQueries is how many distinct questions may be asked in all, answered
	// from a cache or not; one more is refused with ErrBudget. Default
	// DefaultMaxQueries.
	MaxQueries int
	// Reserved is how many each Reserve has for itself, on top of MaxQueries
	// where what was held is too little. Default DefaultReserved; negative: none.
	Reserved int
	// Parallel is how many questions may be under way at a time, so that few
	// messages cannot take all slots of the Resolver; further ones wait, and one
	// that has waited until its context ended is a temporary failure. Each Lane
	// has slots of its own, each Reserve a quarter of Parallel. Default
	// DefaultParallel.
	Parallel int
	// Timed has the time of each question measured, for Question.Elapsed.
	Timed bool
}

// Budget is a Lookuper for one message. It asks each question once: the
// second asker gets the same answer or error, so that all checks of a message
// see one DNS, and only distinct questions count. It also keeps the list of
// questions for the explanation. It is safe for concurrent use.
type Budget struct {
	lookup Lookuper
	opts   BudgetOptions
	common share // of those who ask the Budget itself

	mu       sync.Mutex
	asked    []asked  // in order; bounded by the options, so short enough to search
	few      [8]asked // room for what a message usually asks
	refused  []key
	refusals int
	general  int           // of MaxQueries, free for all
	held     int           // of MaxQueries, kept for lanes that come later
	lent     chan struct{} // closed when the lane that lends ends; nil while none does
}

// asked is one question and, once done, what came of it.
type asked struct {
	key     key
	state   state
	waiting chan struct{} // closed when state leaves busy; made by the second asker
	answer  *Answer
	err     error
	elapsed time.Duration
}

type state uint8

const (
	idle state = iota // not asked, or its asker gave up
	busy
	done
)

// NewBudget returns a budget that asks lookup.
func NewBudget(lookup Lookuper, opts BudgetOptions) *Budget {
	if opts.MaxQueries <= 0 {
		opts.MaxQueries = DefaultMaxQueries
	}
	if opts.Reserved == 0 {
		opts.Reserved = DefaultReserved
	}
	if opts.Parallel <= 0 {
		opts.Parallel = DefaultParallel
	}
	b := &Budget{lookup: lookup, opts: opts, general: opts.MaxQueries}
	b.common = share{b: b, parallel: opts.Parallel}
	return b
}

// Lookup implements Lookuper.
func (b *Budget) Lookup(ctx context.Context, name string, qtype uint16) (*Answer, error) {
	return b.ask(ctx, name, qtype, &b.common)
}

// Known implements Knower. An answer that is found counts as asked.
func (b *Budget) Known(name string, qtype uint16) (*Answer, bool) {
	return b.known(name, qtype, &b.common)
}

func (b *Budget) known(name string, qtype uint16, from *share) (*Answer, bool) {
	lookup, ok := b.lookup.(Knower)
	name, why := canonical(name)
	if !ok || why != "" || b.opts.Timed {
		return nil, false
	}
	k := key{name, qtype}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.find(k)
	if i >= 0 && b.asked[i].state != idle {
		q := &b.asked[i]
		return q.answer, q.state == done && q.err == nil
	}
	a, ok := lookup.Known(name, qtype)
	if !ok || i < 0 && b.take(from) != granted {
		return nil, false
	}
	if i < 0 {
		i = b.enter(k)
	}
	b.asked[i].answer, b.asked[i].err, b.asked[i].state = a, nil, done
	return a, true
}

func (b *Budget) ask(ctx context.Context, name string, qtype uint16, from *share) (*Answer, error) {
	name, why := canonical(name)
	k := key{name, qtype}
	if why != "" {
		return nil, &Error{Name: name, Type: qtype, Err: ErrName, Why: why}
	}
	a := asker{from: from}
	for {
		a.ended = ctx.Err() != nil
		t := b.turn(k, a)
		a.held = false
		switch {
		case t.over:
			return t.answer, t.err
		case t.run:
			return b.run(ctx, t.i, k, from)
		case t.later != nil:
			a.waited = true
			select {
			case <-t.later:
			case <-ctx.Done():
			}
		case t.answered != nil:
			select {
			case <-t.answered:
			case <-ctx.Done():
				return nil, temporary(k, "gave up waiting: "+context.Cause(ctx).Error())
			}
		default:
			if a.held = from.wait(ctx); !a.held {
				return nil, b.gaveUp(ctx, t.i, "gave up waiting behind other questions of the message: ")
			}
		}
	}
}

// whenAnswered is closed when the question is no longer busy.
func (q *asked) whenAnswered() <-chan struct{} {
	if q.waiting == nil {
		q.waiting = make(chan struct{})
	}
	return q.waiting
}

// gaveUp notes that question i was not asked in time. The next one who wants
// its answer may ask.
func (b *Budget) gaveUp(ctx context.Context, i int, why string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := &b.asked[i]
	err := temporary(q.key, why+context.Cause(ctx).Error())
	if q.state == idle {
		q.err = err
	}
	return err
}

// entry is the place of k in asked. A question that is new gets a place; i is -1
// when it is refused. While another lane may still leave questions, the asker is
// given later: he waits until it is closed and calls again. If his time ends first,
// he is refused. Both lanes often end at the same moment, and the answer must not
// depend on which one is seen first.
func (b *Budget) entry(k key, a asker) (i int, later <-chan struct{}) {
	if i = b.find(k); i >= 0 {
		return i, nil
	}
	if !a.waited || !a.ended {
		switch b.take(a.from) {
		case granted:
			return b.enter(k), nil
		case postponed:
			if !a.ended {
				return -1, b.lent
			}
		}
	}
	b.refuse(k)
	return -1, nil
}

func (b *Budget) enter(k key) int {
	if b.asked == nil {
		b.asked = b.few[:0]
	}
	b.asked = append(b.asked, asked{key: k})
	return len(b.asked) - 1
}

func (b *Budget) find(k key) int {
	for i := range b.asked {
		if q := &b.asked[i]; q.key == k {
			return i
		}
	}
	return -1
}

// maxRefusedKept bounds the list of refused questions; all are counted.
const maxRefusedKept = 20

// refuse notes that a question is refused.
func (b *Budget) refuse(k key) {
	b.refusals++
	if len(b.refused) < maxRefusedKept {
		b.refused = append(b.refused, k)
	}
}

// grant is whether a share may ask one question more.
type grant uint8

const (
	denied grant = iota
	granted
	postponed // until the lane that lends has ended
)

// take draws on what is from's own, then on what is for all. b.mu is held.
func (b *Budget) take(from *share) grant {
	switch {
	case from.most > 0 && from.used >= from.most:
		return denied
	case from.used < from.own:
	case b.general > 0:
		b.general--
	case b.lent != nil && !from.lends:
		return postponed
	default:
		return denied
	}
	from.used++
	return granted
}

// run asks question i, outside the lock and with a slot of from's. A failure
// that came because this asker's own time was up is not handed to others: the
// next one asks again.
func (b *Budget) run(ctx context.Context, i int, k key, from *share) (a *Answer, err error) {
	var start time.Time
	if b.opts.Timed {
		start = time.Now()
	}
	defer func() {
		if a == nil && err == nil { // a panic on its way up
			err = temporary(k, internalError)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		q := &b.asked[i]
		q.answer, q.err, q.state = a, err, done
		if err != nil && ctx.Err() != nil {
			q.state = idle
		}
		if b.opts.Timed {
			q.elapsed += time.Since(start)
		}
		if q.waiting != nil {
			close(q.waiting)
			q.waiting = nil
		}
	}()
	defer func() { <-from.slots }()
	return b.lookup.Lookup(ctx, k.name, k.qtype)
}

// Refused is how many times a question was refused for want of budget.
func (b *Budget) Refused() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusals
}

// Question is one question of a message and its outcome, for people.
type Question struct {
	Name    string // canonical; may hold any octet
	Type    string // "TXT"
	Outcome string // "NOERROR", "NODATA", "NXDOMAIN", "refused by budget", "pending", or an error's reason
	Answers []string
	CNAMEs  []string      // names that aliases led to, in order; the last one holds the answers
	Elapsed time.Duration // zero unless BudgetOptions.Timed
}

// Questions lists what was asked, in order, then what was refused (the first
// 20 of them). Answers are text, TXT as raw octets.
func (b *Budget) Questions() []Question {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Question, 0, len(b.asked)+len(b.refused))
	for i := range b.asked {
		q := &b.asked[i]
		list = append(list, Question{
			Name: q.key.name, Type: dns.TypeToString[q.key.qtype],
			Outcome: q.outcome(), Answers: q.answer.strings(), CNAMEs: q.answer.aliases(), Elapsed: q.elapsed,
		})
	}
	for _, k := range b.refused {
		list = append(list, Question{Name: k.name, Type: dns.TypeToString[k.qtype], Outcome: "refused by budget"})
	}
	return list
}

func (q *asked) outcome() string {
	var e *Error
	switch {
	case errors.As(q.err, &e) && e.Why != "":
		return e.Why
	case q.err != nil:
		return q.err.Error()
	case q.answer == nil:
		return "pending"
	case q.answer.NXDomain():
		return "NXDOMAIN"
	case q.answer.Void():
		return "NODATA"
	}
	return "NOERROR"
}

func (a *Answer) aliases() []string {
	if a == nil {
		return nil
	}
	return slices.Clone(a.CNAMEs)
}

// strings gives the records as text.
func (a *Answer) strings() []string {
	if a == nil {
		return nil
	}
	list := slices.Clone(a.TXT)
	for _, ip := range a.Addrs {
		list = append(list, ip.String())
	}
	for _, mx := range a.MX {
		list = append(list, fmt.Sprintf("%d %s.", mx.Preference, mx.Host))
	}
	for _, host := range a.PTR {
		list = append(list, host+".")
	}
	return list
}
