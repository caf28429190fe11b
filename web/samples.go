package web

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/replay/sources"
)

// Bounds of what is read for samples of a pair; ours. Its Author Domain may have a million
// messages from elsewhere, so they are looked for in hours in which it is counted.
const (
	mostSamples  = 20
	sampleDays   = 4                      // with mail of it, that are looked at
	sampleLooks  = 2000                   // messages of its Author Domain
	samplesSoon  = 100 * time.Millisecond // for then some are enough
	leastSamples = 3
)

// sampling looks for messages of a pair.
type sampling struct {
	*asked
	author, source string
	reader         journal.Reader
	begun          time.Time
	list           []*journal.Entry
	looked         int
	hours          map[time.Time][]state.PairDay // of days that were looked at
}

// samples are messages of a pair, the newest first, failing ones before others. part says
// that there may be more.
func (a *asked) samples(author, source string, days []state.PairDay) (list []*journal.Entry, part string, err error) {
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, "", err
	}
	defer st.Close()
	s := &sampling{asked: a, author: author, source: source, reader: r, begun: time.Now(), hours: map[time.Time][]state.PairDay{}}
	counted := uint64(0)
	for i := range days {
		counted += days[i].Messages
	}
	for _, failing := range []bool{true, false} {
		if err := s.days(a.ctx, st, days, failing); err != nil {
			return nil, "", err
		}
	}
	if uint64(len(s.list)) < counted {
		part = fmt.Sprintf("%d of the %d messages that are counted.", len(s.list), counted)
	}
	return s.list, part, nil
}

// days looks for failing messages or for others, the newest first.
func (s *sampling) days(ctx context.Context, st *state.State, days []state.PairDay, failing bool) error {
	wanted := func(c *state.Counts) bool { return failing && c.Fail > 0 || !failing && c.Messages > c.Fail }
	looked := 0
	for _, d := range slices.Backward(days) {
		if !wanted(&d.Counts) {
			continue
		}
		if looked++; looked > sampleDays || s.enough() {
			return nil
		}
		if s.hours[d.Begin] == nil {
			hours, err := st.PairHours(ctx, s.author, s.source, d.Begin)
			if err != nil {
				return err
			}
			s.hours[d.Begin] = hours
		}
		for _, h := range slices.Backward(s.hours[d.Begin]) {
			if !wanted(&h.Counts) {
				continue
			}
			if s.enough() {
				return nil
			}
			if err := s.hour(ctx, h.First, h.Last.Add(time.Second), failing); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sampling) enough() bool {
	return len(s.list) >= mostSamples || s.looked >= sampleLooks || len(s.list) >= leastSamples && time.Since(s.begun) > samplesSoon
}

// hour looks from the first to the last message that is counted.
func (s *sampling) hour(ctx context.Context, since, until time.Time, failing bool) error {
	q := journal.Query{Domain: s.author, Since: since, Until: until}
	if failing {
		q.DMARC = evidence.Fail
	}
	if p, err := netip.ParsePrefix(s.source); err == nil {
		q.Client = p
	}
	if err := s.opt.Backend.AsKept(&q); err != nil {
		return err
	}
	return s.reader.Search(ctx, q, func(e *journal.Entry) error {
		ev := &e.Record.Evidence
		s.looked++
		if failsDMARC(e) == failing && !ev.Authenticated() && sources.Infrastructure(ev, s.opt.Backend.Organization) == s.source {
			if !s.person.Auditor() {
				e = private(e)
			}
			s.list = append(s.list, e)
		}
		if s.enough() {
			return journal.ErrEnough
		}
		return nil
	})
}

func tokens(list []*journal.Entry) []string {
	all := []string{}
	for _, e := range list {
		all = append(all, cmp.Or(e.Record.Evidence.Token, e.Record.Evidence.QueueID))
	}
	return all
}

func failsDMARC(e *journal.Entry) bool {
	for i := range e.Record.Evidence.DMARC {
		if e.Record.Evidence.DMARC[i].Result == evidence.Fail {
			return true
		}
	}
	return false
}
