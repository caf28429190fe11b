package dmarc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"alignd/evidence"
	"alignd/resolver"
)

// found is what DNS says at _dmarc.<name>.
type found struct {
	rec     *Record // nil: no record at this name
	several bool    // several records, which counts as none (RFC 9989 section 4.10)
	like    []string
	exists  bool // the name asked exists, and therefore its parent does
	ttl     time.Duration
	err     error // nil, or wrapping resolver.ErrTemporary or resolver.ErrBudget
}

// asker asks each name once for one evaluation. Safe for concurrent use.
type asker struct {
	lk resolver.Lookuper
	// first is lk for a first try, which ends where an answer is not known.
	first *resolver.Ready

	mu    sync.Mutex
	asked []*question
}

type question struct {
	name string
	busy sync.WaitGroup // until found is there
	found
}

// ask returns what is published for name. Who asks first sets the deadline.
func (a *asker) ask(ctx context.Context, name string) *found {
	q, first := a.question(name)
	if first {
		defer q.busy.Done()
		q.found = fetch(ctx, a.lk, name)
	} else {
		q.busy.Wait()
	}
	return &q.found
}

// question returns the question for name, and whether the caller has to ask it.
func (a *asker) question(name string) (q *question, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.asked { // at most 8 for each identifier
		if q.name == name {
			return q, false
		}
	}
	q = &question{name: name}
	q.busy.Add(1)
	a.asked = append(a.asked, q)
	return q, true
}

// peek returns what is known of name, nil where it was not asked.
func (a *asker) peek(name string) *found {
	a.mu.Lock()
	at := slices.IndexFunc(a.asked, func(q *question) bool { return q.name == name })
	if at < 0 {
		a.mu.Unlock()
		return nil
	}
	q := a.asked[at]
	a.mu.Unlock()
	q.busy.Wait()
	return &q.found
}

// ends reports whether nothing more is asked after an answer that failed with err.
func (a *asker) ends(err error) bool {
	return a.first != nil && !a.first.Complete() || errors.Is(err, resolver.ErrBudget)
}

// memoKey is the kind of the parsed records kept with an answer.
type memoKey struct{}

// kept is what one TXT answer holds of DMARC.
type kept struct {
	rec     *Record
	several bool
	like    []string // texts that look like a record and are none
}

func fetch(ctx context.Context, lk resolver.Lookuper, name string) found {
	ans, err := lk.Lookup(ctx, "_dmarc."+name, dns.TypeTXT)
	switch {
	case errors.Is(err, resolver.ErrName):
		return found{} // too long with the prefix: nothing can be published there
	case err != nil:
		return found{err: err}
	}
	k := resolver.Memo(ans, memoKey{}, keep)
	return found{rec: k.rec, several: k.several, like: k.like, exists: ans.NameExists, ttl: ans.TTL}
}

// keep drops what is no DMARC record; two or more that are count as none
// (RFC 9989 section 4.10 steps 2 and 6).
func keep(ans *resolver.Answer) kept {
	k := kept{like: lookalikes(ans.TXT)}
	for _, txt := range ans.TXT {
		if _, ok := cutVersion(txt); !ok {
			continue
		}
		if k.rec != nil {
			return kept{several: true, like: k.like}
		}
		rec, _ := ParseRecord(txt) // it starts with v=DMARC1
		k.rec = &rec
	}
	return k
}

// lookExistence asks whether name exists: only NXDOMAIN for the name itself says
// that it does not (RFC 9989 section 3.2.13).
func (a *asker) lookExistence(ctx context.Context, name string) evidence.Existence {
	ans, err := a.lk.Lookup(ctx, name, dns.TypeA)
	switch {
	case err != nil:
		return evidence.ExistenceUnknown
	case ans.NXDomain() && !ans.NameExists:
		return evidence.NonExistent
	default:
		return evidence.Exists
	}
}
