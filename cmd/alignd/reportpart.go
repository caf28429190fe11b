package main

import (
	"context"
	"time"

	"alignd/journal/state"
	"alignd/report/send"
)

// reportPart says what of it is wanted where not all is.
type reportPart struct {
	domain, state  string // whose reports, and those of the outbox that are so; empty for all
	counting, most int    // of those in the making, and of those that are over and of the others
}

func (s *reportStatus) countingPart(ctx context.Context, st *state.State, sender *send.Sender, part *reportPart) error {
	list, all, err := st.Counting(ctx, part.domain, part.counting)
	s.CountingAll = all
	for i := range list {
		var why string
		if why, err = sender.WhyOf(ctx, &list[i]); err == nil {
			err = s.count(ctx, st, sender, &list[i], why)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// outboxPart lists those that are not over before the others.
func (s *reportStatus) outboxPart(ctx context.Context, st *state.State, part *reportPart) error {
	standing, err := st.Standing(ctx, time.Now())
	if err != nil {
		return err
	}
	s.States = map[string]int64{}
	for progress, n := range standing.Items {
		s.States[string(progress)] = n
	}
	if n := standing.PutOff; n > 0 {
		s.States[putOff], s.States[string(state.Waiting)] = n, s.States[string(state.Waiting)]-n
	}
	q := state.ItemQuery{State: state.Progress(part.state), Domain: part.domain}
	if part.state == putOff {
		q.State = state.Waiting
	}
	return s.newest(ctx, st, q, part.most)
}

// newest lists up to most of those that are not over, and behind them of the others.
func (s *reportStatus) newest(ctx context.Context, st *state.State, q state.ItemQuery, most int) error {
	for _, over := range []bool{false, true} {
		q.Over = over
		list, err := st.Newest(ctx, q, most)
		if err != nil {
			return err
		}
		for i := range list {
			x := &list[i]
			o := outboxStatusOf(&x.Item)
			if x.Domain != "" {
				o.Domain, o.Day, o.Policy = x.Domain, x.Part.Day.Format(time.DateOnly), send.PolicyOf(&x.Part)
			}
			s.Outbox = append(s.Outbox, o)
		}
	}
	return nil
}
