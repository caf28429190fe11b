package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// inquiry is one question on its way to the servers.
type inquiry struct {
	r       *Resolver
	q       *query
	servers []*server // nil: it has said that it cannot answer
	late    *late
	said    error // what a server said last
}

// exchange asks the servers for one message about name (presentation form):
// each server in turn, Attempts times. A server that answered with an error
// is not asked again; one that kept silent is, and what it says late still counts.
func (r *Resolver) exchange(ctx context.Context, name string, qtype uint16, slots chan struct{}) (*dns.Msg, error) {
	q, err := newQuery(name, qtype, true)
	if err != nil {
		return nil, err
	}
	r.refresh()
	in := &inquiry{r: r, q: q, servers: r.order(), late: r.newLate(ctx, slots)}
	defer in.late.close()
	var silent error
	var begun time.Time
	for n := range r.opts.Attempts {
		if n > 0 {
			if m := in.wait(ctx, begun.Add(r.opts.Timeout)); m != nil {
				return m, nil
			}
			if ctx.Err() != nil {
				return nil, errors.Join(in.said, silent, context.Cause(ctx))
			}
		}
		begun = time.Now()
		var m *dns.Msg
		if m, silent = in.round(ctx); m != nil {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(in.said, context.Cause(ctx))
		}
		if silent == nil {
			break // all have said something
		}
	}
	for silent != nil && in.late.open > 0 && in.awaited() && ctx.Err() == nil {
		if m := in.take(ctx); m != nil {
			return m, nil
		}
	}
	if in.said != nil {
		return nil, in.said
	}
	return nil, silent
}

// round tries each server once. silent is the last error of one that said nothing.
func (in *inquiry) round(ctx context.Context) (m *dns.Msg, silent error) {
	for i, s := range in.servers {
		if s == nil {
			continue
		}
		m, err := in.late.try(ctx, func(ctx context.Context) (*dns.Msg, error) { return in.r.tryServer(ctx, s, in.q, in.late) })
		if err == nil {
			in.r.answered(s)
			return m, nil
		}
		if m := in.collect(ctx); m != nil {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if err = fmt.Errorf("%w from %s", err, s.addr); isNetwork(err) {
			silent = err
			in.r.setLate(s, err)
			continue
		}
		in.said, in.servers[i] = err, nil
	}
	return nil, silent
}

// awaited reports whether a server has said nothing yet.
func (in *inquiry) awaited() bool {
	return slices.ContainsFunc(in.servers, func(s *server) bool { return s != nil })
}

// collect takes what has come late so far.
func (in *inquiry) collect(ctx context.Context) *dns.Msg {
	for in.late.open > 0 {
		select {
		case h := <-in.late.heard:
			if m := in.hear(ctx, h); m != nil {
				return m
			}
		default:
			return nil
		}
	}
	return nil
}

// take waits for one more.
func (in *inquiry) take(ctx context.Context) *dns.Msg {
	select {
	case h := <-in.late.heard:
		return in.hear(ctx, h)
	case <-ctx.Done():
		return nil
	}
}

// wait gives servers that refused at once, as one does that is being restarted,
// the time that a silent one has. What comes late ends it.
func (in *inquiry) wait(ctx context.Context, until time.Time) *dns.Msg {
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	for ctx.Err() == nil {
		if m := in.take(ctx); m != nil {
			return m
		}
	}
	return nil
}

// hear is what try does with an answer in time.
func (in *inquiry) hear(ctx context.Context, h heard) *dns.Msg {
	in.late.open--
	m, err := h.msg, h.err
	rc, isCode := err.(errRCode)
	switch {
	case h.truncated:
		m, err = in.r.overTCP(ctx, h.from, in.q, time.Now().Add(in.r.opts.Timeout))
	case isCode && refusesEDNS(int(rc)):
		m, err = in.r.tryPlain(ctx, h.from, in.q, nil)
	}
	switch {
	case err == nil:
		in.r.answered(h.from)
		return m
	case isNetwork(err):
		return nil
	}
	in.said = fmt.Errorf("%w from %s", err, h.from.addr)
	for i, s := range in.servers {
		if s == h.from {
			in.servers[i] = nil
		}
	}
	return nil
}
