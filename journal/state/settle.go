package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"alignd/journal/spool"
)

// spans are the lengths of time that counts are settled in, in hours. A question takes
// the longest that fit into its time, so that 90 days are some twenty summaries.
var spans = []int64{1, 24, 7 * 24}

// liveHour is an hour of a spool that is not settled.
type liveHour struct {
	spool spool.ID
	start int64
}

// settleDue settles the hours that are over: its own, and those that a spool left which
// is no more.
func (s *State) settleDue(ctx context.Context, now time.Time) error {
	own := now.Add(-time.Hour - settleAfter).Unix()
	stray := now.Add(-strayAfter).Unix()
	var list []liveHour
	err := s.rows(ctx, s.db, func(r *sql.Rows) error {
		var h liveHour
		var id []byte
		if err := r.Scan(&id, &h.start); err != nil || len(id) != len(h.spool) {
			return err
		}
		h.spool = spool.ID(id)
		if h.start <= stray || h.start <= own && s.begun && h.spool == s.from {
			list = append(list, h)
		}
		return nil
	}, "SELECT DISTINCT spool, start FROM state_live WHERE start <= ?", own)
	if err != nil {
		return err
	}
	for _, h := range list {
		if err := s.settle(ctx, h); err != nil {
			return fmt.Errorf("settling the hour %s: %w", time.Unix(h.start, 0).UTC().Format(time.RFC3339), err)
		}
	}
	return nil
}

// settle moves the counts of an hour to what is settled.
func (s *State) settle(ctx context.Context, h liveHour) error {
	err := s.changeShared(ctx, func(tx *sql.Tx) error {
		sums := map[int]*summary{}
		err := s.rows(ctx, tx, func(r *sql.Rows) error {
			var d int
			var data []byte
			if err := r.Scan(&d, &data); err != nil {
				return err
			}
			var err error
			sums[d], err = decodeSummary(data)
			return err
		}, "SELECT dimension, data FROM state_live WHERE spool = ? AND start = ?", h.spool[:], h.start)
		if err != nil {
			return err
		}
		for d, sum := range sums {
			for _, span := range spans {
				if err := s.settleInto(ctx, tx, span, floor(h.start, span*hourSeconds), d, sum); err != nil {
					return err
				}
			}
		}
		_, err = s.exec(ctx, tx, "DELETE FROM state_live WHERE spool = ? AND start = ?", h.spool[:], h.start)
		return err
	})
	if err == nil && s.begun && h.spool == s.from {
		delete(s.live, h.start)
	}
	return err
}

// settleInto adds a summary to that of a span.
func (s *State) settleInto(ctx context.Context, tx *sql.Tx, span, start int64, d int, sum *summary) error {
	all := newSummary()
	err := s.rows(ctx, tx, readSummary(&all), "SELECT data FROM state_counts WHERE span = ? AND start = ? AND dimension = ?", span, start, d)
	if err != nil {
		return err
	}
	all.merge(sum)
	all.shorten()
	_, err = s.exec(ctx, tx, "INSERT INTO state_counts VALUES (?, ?, ?, ?) ON CONFLICT (dimension, span, start) DO UPDATE SET data = excluded.data",
		span, start, d, all.encode(time.Unix(start, 0)))
	return err
}

// readSummary reads a row of one.
func readSummary(to **summary) func(*sql.Rows) error {
	return func(r *sql.Rows) error {
		var data sql.RawBytes
		err := r.Scan(&data)
		if err == nil {
			*to, err = decodeSummary(data)
		}
		return err
	}
}

// forget removes what is too old.
func (s *State) forget(ctx context.Context, now time.Time) error {
	if !s.aged.due(now.Round(0), time.Since(s.aged.began)) {
		return nil
	}
	before := now.Add(-keepCounts).Unix()
	errs := []error{s.forgetWaits(ctx, now), s.forgetOthers(ctx, now)}
	for _, span := range spans {
		_, err := s.exec(ctx, s.db, "DELETE FROM state_counts WHERE span = ? AND start < ?", span, before-span*hourSeconds)
		errs = append(errs, err)
	}
	_, err := s.exec(ctx, s.db, "DELETE FROM state_configs WHERE last < ?", now.Add(-s.keep-configMargin).Unix())
	return errors.Join(append(errs, err)...)
}

// ageGuard keeps a clock that is wrong from removing what is young.
type ageGuard struct {
	began   time.Time // by the monotonic clock
	log     *slog.Logger
	looked  bool
	stopped bool
	clock   time.Time
}

// clockJump is how far the clock may go from the time that passed. The number is ours.
const clockJump = 24 * time.Hour

// due reports whether old counts may be removed. It is not for the first hour, nor once
// the clock jumped. passed is the time since the start by the monotonic clock.
func (g *ageGuard) due(now time.Time, passed time.Duration) bool {
	start := now.Add(-passed)
	if !g.looked {
		g.looked, g.clock = true, start
	}
	if by := start.Sub(g.clock); !g.stopped && by.Abs() > clockJump {
		g.stopped = true
		g.log.Warn("the clock jumped, so no old counts are removed until a restart", "by", by.String())
	}
	return !g.stopped && passed >= time.Hour
}
