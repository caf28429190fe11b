package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Draft is a report that is not cut, as far as it is counted.
type Draft struct {
	Report   [32]byte
	Day      time.Time
	Domain   string
	Messages int64
	Wanted   int64 // messages that are a reason for a report
	Dropped  int64 // messages without a line
	Lines    int64 // as bounds count them: a long line is several
	// Cut is how often reports of this one were cut before.
	Cut int64
}

// Drafts hands the reports on days before one that have lines to each, by day.
func (s *State) Drafts(ctx context.Context, before time.Time, each func(*Draft)) error {
	return s.rows(ctx, s.db, func(r *sql.Rows) error {
		d, err := scanDraft(r)
		if err == nil {
			each(&d)
		}
		return err
	}, "SELECT "+draftColumns+" FROM state_tallies WHERE day < ? AND lines > 0 ORDER BY day", before.Unix())
}

const draftColumns = "report, day, domain, messages, wanted, dropped, lines, cut"

func scanDraft(r *sql.Rows) (d Draft, err error) {
	var key []byte
	var day int64
	err = r.Scan(&key, &day, &d.Domain, &d.Messages, &d.Wanted, &d.Dropped, &d.Lines, &d.Cut)
	copy(d.Report[:], key)
	d.Day = time.Unix(day, 0).UTC()
	return d, err
}

// Rows is how many lines a draft has. Its Lines are more where a line is long.
func (s *State) Rows(ctx context.Context, d *Draft) (int64, error) {
	return s.number(ctx, s.db, "SELECT count(*) FROM state_lines WHERE report = ? AND cut = ?", d.Report[:], d.Cut)
}

// About is what the newest message said of a draft's report.
func (s *State) About(ctx context.Context, d *Draft) (about []byte, err error) {
	one := func(r *sql.Rows) error { return r.Scan(&about) }
	return about, s.rows(ctx, s.db, one, "SELECT about FROM state_tallies WHERE report = ?", d.Report[:])
}

// Deserving are the domains whose mail passed on so many days since a time.
func (s *State) Deserving(ctx context.Context, since time.Time, days int) (map[string]bool, error) {
	list := map[string]bool{}
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var domain string
		err := r.Scan(&domain)
		list[domain] = true
		return err
	}, "SELECT domain FROM state_passes WHERE day >= ? GROUP BY domain HAVING count(*) >= ?", since.Unix(), days)
}

// Line is a line of a report with its number of messages.
type Line struct {
	Data     []byte
	Messages int64
}

// EachLine hands the lines of a draft to each, in one order.
func (s *State) EachLine(ctx context.Context, d *Draft, each func(Line) error) error {
	return s.rows(ctx, s.db, func(r *sql.Rows) error {
		var l Line
		if err := r.Scan(&l.Data, &l.Messages); err != nil {
			return err
		}
		return each(l)
	}, "SELECT data, messages FROM state_lines WHERE report = ? AND cut = ? ORDER BY line", d.Report[:], d.Cut)
}

// Through is the time through which all hosts have counted that told so since a time;
// zero without such a host.
func (s *State) Through(ctx context.Context, since time.Time) (t time.Time, err error) {
	var least sql.NullInt64
	one := func(r *sql.Rows) error { return r.Scan(&least) }
	err = s.rows(ctx, s.db, one, "SELECT min(through) FROM state_hosts WHERE through >= ?", since.Unix())
	if least.Valid {
		t = time.Unix(least.Int64, 0).UTC()
	}
	return t, err
}

// Part is a report that was cut.
type Part struct {
	ID     string
	Domain string
	Day    time.Time
	About  []byte
	Data   []byte
	Made   time.Time
	// Targets are where it is to go, each once.
	Targets []Target
}

// Target is an address that a report is to go to, not before a time.
type Target struct {
	Address string
	Next    time.Time
}

// Cut puts parts that were made of a draft into the outbox, and forgets its lines. What is
// counted later goes into a further draft. Without parts the lines are dropped. It
// returns ErrUnknown where the draft was cut meanwhile, or has counted more.
func (s *State) Cut(ctx context.Context, d *Draft, parts []Part) error {
	return s.changeShared(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE state_tallies SET cut = cut + 1, messages = 0, wanted = 0, lines = 0, dropped = 0
			WHERE report = ? AND cut = ? AND messages = ?`, d.Report[:], d.Cut, d.Messages)
		if err == nil && n == 0 {
			err = ErrUnknown
		}
		if err != nil {
			return err
		}
		for i := range parts {
			if err := s.putPart(ctx, tx, &parts[i]); err != nil {
				return err
			}
		}
		_, err = s.exec(ctx, tx, "DELETE FROM state_lines WHERE report = ? AND cut = ?", d.Report[:], d.Cut)
		return err
	})
}

func (s *State) putPart(ctx context.Context, tx *sql.Tx, p *Part) error {
	_, err := s.exec(ctx, tx, "INSERT INTO state_parts VALUES (?, ?, ?, ?, ?, ?)", p.ID, p.Domain, p.Day.Unix(), p.About, p.Data, p.Made.Unix())
	if err != nil {
		return fmt.Errorf("report %s: %w", p.ID, err)
	}
	for _, t := range p.Targets {
		_, err := s.exec(ctx, tx, "INSERT INTO state_outbox VALUES (?, ?, ?, '', ?, 0, 0, ?)", p.ID, t.Address, string(Waiting), t.Next.Unix(), p.Made.Unix())
		if err != nil {
			return err
		}
	}
	return nil
}

// Progress is where a report to one target stands.
type Progress string

// The states.
const (
	Waiting    Progress = "waiting"
	Sending    Progress = "sending" // it may have left: the answer is not known
	Sent       Progress = "sent"
	Suppressed Progress = "suppressed"
	GivenUp    Progress = "given up"
	Bounced    Progress = "bounced"           // taken, and a notification said that it came to nobody
	Unknown    Progress = "unknown, given up" // the answer was lost twice
)

// Over reports whether nothing is to be done any more.
func (p Progress) Over() bool { return p != Waiting && p != Sending }

// Item is a report to one target.
type Item struct {
	ID, Target string
	State      Progress
	Reason     string
	Next       time.Time // when it is tried, where it waits
	Tries      int
	Lost       int       // answers
	Changed    time.Time // when State was set
	Domain     string    // whom the report is on
}

const itemColumns = "id, target, state, reason, next, tries, lost, changed, " +
	"coalesce((SELECT p.domain FROM state_parts p WHERE p.id = state_outbox.id), '')"

func scanItem(r *sql.Rows) (x Item, err error) {
	var next, changed int64
	err = r.Scan(&x.ID, &x.Target, &x.State, &x.Reason, &next, &x.Tries, &x.Lost, &changed, &x.Domain)
	x.Next, x.Changed = time.Unix(next, 0).UTC(), time.Unix(changed, 0).UTC()
	return x, err
}

// Due are items that are to be tried at a time, longest first, and those whose answer is
// not known.
func (s *State) Due(ctx context.Context, now time.Time, most int) (list []Item, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		x, err := scanItem(r)
		list = append(list, x)
		return err
	}, "SELECT "+itemColumns+" FROM state_outbox WHERE state IN ('waiting', 'sending') AND next <= ? ORDER BY next, id, target LIMIT ?", now.Unix(), most)
}

// UnderWay are items that were marked before their mail left and not since: it is on its
// way, or its answer was lost.
func (s *State) UnderWay(ctx context.Context) (list []Item, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		x, err := scanItem(r)
		list = append(list, x)
		return err
	}, "SELECT "+itemColumns+" FROM state_outbox WHERE state = 'sending' ORDER BY id, target")
}

// Items are all of the outbox, newest report first.
func (s *State) Items(ctx context.Context) (list []Item, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		x, err := scanItem(r)
		list = append(list, x)
		return err
	}, "SELECT "+itemColumns+" FROM state_outbox ORDER BY changed DESC, id, target")
}

// ItemsOf are those of one report, by target.
func (s *State) ItemsOf(ctx context.Context, id string) (list []Item, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		x, err := scanItem(r)
		list = append(list, x)
		return err
	}, "SELECT "+itemColumns+" FROM state_outbox WHERE id = ? ORDER BY target", id)
}

// Hurry makes what waits of a domain and day due at a time; an empty domain and a zero
// day are all. It returns how many.
func (s *State) Hurry(ctx context.Context, domain string, day, at time.Time) (int64, error) {
	statement, args := "UPDATE state_outbox SET next = ? WHERE state = 'waiting' AND id IN (SELECT id FROM state_parts WHERE 1 = 1", []any{at.Unix()}
	if domain != "" {
		statement, args = statement+" AND domain = ?", append(args, domain)
	}
	if !day.IsZero() {
		statement, args = statement+" AND day = ?", append(args, day.Unix())
	}
	return s.exec(ctx, s.db, statement+")", args...)
}

// SetItem keeps where an item stands. was is what it was: ErrUnknown says that another
// host has changed it.
func (s *State) SetItem(ctx context.Context, was Progress, x *Item) error {
	n, err := s.exec(ctx, s.db, "UPDATE state_outbox SET state = ?, reason = ?, next = ?, tries = ?, lost = ?, changed = ? WHERE id = ? AND target = ? AND state = ?",
		string(x.State), x.Reason, x.Next.Unix(), x.Tries, x.Lost, x.Changed.Unix(), x.ID, x.Target, string(was))
	if err == nil && n == 0 {
		err = ErrUnknown
	}
	return err
}

// Part is a report that was cut, or ErrUnknown.
func (s *State) Part(ctx context.Context, id string) (*Part, error) {
	var p *Part
	err := s.rows(ctx, s.db, func(r *sql.Rows) error {
		p = &Part{}
		var day, made int64
		err := r.Scan(&p.ID, &p.Domain, &day, &p.About, &p.Data, &made)
		p.Day, p.Made = time.Unix(day, 0).UTC(), time.Unix(made, 0).UTC()
		return err
	}, "SELECT id, domain, day, about, data, made FROM state_parts WHERE id = ?", id)
	if err == nil && p == nil {
		err = fmt.Errorf("report %s: %w", id, ErrUnknown)
	}
	return p, err
}

// Suppression keeps a target from getting reports for a while.
type Suppression struct {
	Target string
	Until  time.Time
	Times  int
	Reason string
}

// Suppressed is what keeps reports from a target at a time; zero if nothing does.
func (s *State) Suppressed(ctx context.Context, target string, now time.Time) (x Suppression, err error) {
	return x, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var until int64
		err := r.Scan(&x.Target, &until, &x.Times, &x.Reason)
		x.Until = time.Unix(until, 0).UTC()
		return err
	}, "SELECT target, until, times, reason FROM state_suppressed WHERE target = ? AND until > ?", target, now.Unix())
}

// Suppressions are all of them.
func (s *State) Suppressions(ctx context.Context) (list []Suppression, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var x Suppression
		var until int64
		err := r.Scan(&x.Target, &until, &x.Times, &x.Reason)
		x.Until = time.Unix(until, 0).UTC()
		list = append(list, x)
		return err
	}, "SELECT target, until, times, reason FROM state_suppressed ORDER BY target")
}

// Suppress keeps reports from a target: for first, and for twice as long each further
// time, up to most.
func (s *State) Suppress(ctx context.Context, target, reason string, now time.Time, first, most time.Duration) error {
	return s.changeShared(ctx, func(tx *sql.Tx) error {
		times := 0
		one := func(r *sql.Rows) error { return r.Scan(&times) }
		if err := s.rows(ctx, tx, one, "SELECT times FROM state_suppressed WHERE target = ?", target); err != nil {
			return err
		}
		span := first
		for range min(times, 30) {
			span = min(2*span, most)
		}
		_, err := s.exec(ctx, tx, `INSERT INTO state_suppressed VALUES (?, ?, ?, ?) ON CONFLICT (target) DO UPDATE
			SET until = excluded.until, times = excluded.times, reason = excluded.reason`, target, now.Add(span).Unix(), times+1, reason)
		return err
	})
}

// Release lets reports go to a target again, as if none had been refused; ErrUnknown where
// nothing keeps them from it.
func (s *State) Release(ctx context.Context, target string) error {
	return s.changeShared(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, "DELETE FROM state_suppressed WHERE target = ?", target)
		if err == nil && n == 0 {
			err = ErrUnknown
		}
		return err
	})
}

// Lease gives a name to one holder at a time, for span by the database's clock. The
// holder asks again before it is over.
func (s *State) Lease(ctx context.Context, name, holder string, span time.Duration) (held bool, err error) {
	err = s.changeShared(ctx, func(tx *sql.Tx) error {
		now := int64(0)
		one := func(r *sql.Rows) error { return r.Scan(&now) }
		if err := s.rows(ctx, tx, one, s.dialect.clock); err != nil {
			return err
		}
		n, err := s.exec(ctx, tx, `INSERT INTO state_leases VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE state_leases.holder = excluded.holder OR state_leases.until <= ?`, name, holder, now+int64(span/time.Second), now)
		held = n > 0
		return err
	})
	return held, err
}

// ForgetReports removes what is over: parts after keep unless they are still on
// their way, and days of passes. Who calls it, or Drop, has found out that the clock is right.
func (s *State) ForgetReports(ctx context.Context, now time.Time, keep time.Duration) error {
	before := now.Add(-keep).Unix()
	over := "NOT EXISTS (SELECT 1 FROM state_outbox o WHERE o.id = state_parts.id AND o.state IN ('waiting', 'sending'))"
	var errs []error
	for _, do := range []struct {
		statement string
		args      []any
	}{
		{"DELETE FROM state_parts WHERE made < ? AND " + over, []any{before}},
		{"DELETE FROM state_outbox WHERE NOT EXISTS (SELECT 1 FROM state_parts p WHERE p.id = state_outbox.id)", nil},
		{"DELETE FROM state_passes WHERE day < ?", []any{now.Add(-keepPasses - 24*time.Hour).Unix()}},
		{"DELETE FROM state_suppressed WHERE until < ?", []any{now.Add(-keepCounts).Unix()}},
		{"DELETE FROM state_mails WHERE day < ?", []any{now.Add(-keepMails).Unix()}},
		{"DELETE FROM state_hosts WHERE through < ?", []any{now.Add(-keepPasses).Unix()}},
	} {
		_, err := s.exec(ctx, s.db, do.statement, do.args...)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Drop removes drafts of days before one with all that they counted.
func (s *State) Drop(ctx context.Context, before time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := s.exec(ctx, tx, "DELETE FROM state_lines WHERE report IN (SELECT report FROM state_tallies WHERE day < ?)", before.Unix())
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, tx, "DELETE FROM state_tallies WHERE day < ?", before.Unix())
		return err
	})
}

// Secret is one of all hosts, drawn by draw where there is none of the name yet.
func (s *State) Secret(ctx context.Context, name string, draw func() []byte) (secret []byte, err error) {
	if _, err := s.exec(ctx, s.db, "INSERT INTO state_secrets VALUES (?, ?) ON CONFLICT DO NOTHING", name, draw()); err != nil {
		return nil, err
	}
	one := func(r *sql.Rows) error { return r.Scan(&secret) }
	return secret, s.rows(ctx, s.db, one, "SELECT secret FROM state_secrets WHERE name = ?", name)
}
