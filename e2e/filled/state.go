package filled

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/postgres"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/report/send"
)

// SQLite fills a journal as Journal does, with what is counted beside it and with reports.
func SQLite(ctx context.Context, path string, n int, days float64) (cost Cost, err error) {
	dir := filepath.Join(path, "journal")
	j, err := open(dir)
	if err != nil {
		return cost, err
	}
	s, err := state.OpenFile(ctx, filepath.Join(path, "state.db"), state.Options{Tally: tally()})
	if err != nil {
		return cost, errors.Join(err, j.Close())
	}
	begin := time.Now()
	taking := &timed{Store: j}
	err = errors.Join(records(ctx, n, days, taking, &settled{Store: s}), elsewhere(ctx, s, n, days), j.Close(), s.Close())
	cost.All, cost.Taking = time.Since(begin), taking.took
	if err != nil {
		return cost, err
	}
	db, err := sql.Open("sqlite", filepath.Join(path, "state.db"))
	if err != nil {
		return cost, err
	}
	if err := outbox(ctx, db, n); err != nil {
		return cost, err
	}
	begin = time.Now()
	err = seal(ctx, dir)
	cost.Sealing = time.Since(begin)
	return cost, err
}

// Postgres fills a database with the same, and vacuums it, as PostgreSQL does by itself
// within minutes.
func Postgres(ctx context.Context, url string, n int, days float64) (cost Cost, err error) {
	access := postgres.Access{URL: url}
	db, err := access.DB()
	if err != nil {
		return cost, err
	}
	s := state.OpenPostgres(db, state.Options{Tally: tally()})
	j := postgres.Open(postgres.Options{Access: access, Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50})
	begin := time.Now()
	taking := &timed{Store: j}
	err = errors.Join(records(ctx, n, days, taking, &settled{Store: s}), elsewhere(ctx, s, n, days), j.Close(), s.Close())
	cost.All, cost.Taking = time.Since(begin), taking.took
	if err != nil {
		return cost, err
	}
	if db, err = access.DB(); err != nil {
		return cost, err
	}
	begin = time.Now()
	if err = outbox(ctx, db, n); err != nil {
		return cost, err
	}
	err = errors.Join(Seal(ctx, access), vacuum(ctx, access))
	cost.Sealing = time.Since(begin)
	return cost, err
}

// Seal has a database seal all days that are over, which alignd does by and by.
func Seal(ctx context.Context, access postgres.Access) error {
	j := postgres.Open(postgres.Options{Access: access, Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50, Hurry: true})
	err := j.Tidy(ctx, time.Now())
	for err == nil && j.Health().Sealing {
		err = j.Tidy(ctx, time.Now())
	}
	return errors.Join(err, j.Close())
}

func vacuum(ctx context.Context, access postgres.Access) error {
	db, err := access.DB()
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "SET statement_timeout = 0"); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "VACUUM ANALYZE")
	return err
}

// tally counts for reports what is younger than two days: what is older was sent.
func tally() func(*journal.Entry) []state.Tally {
	c := send.Counting{Addresses: []string{"dmarc@mx.example.net"}}
	young := time.Now().Add(-48 * time.Hour)
	return func(e *journal.Entry) []state.Tally {
		if e.Record.Evidence.Time.Before(young) {
			return nil
		}
		return c.Tally(e)
	}
}

// settled has hours settled as the records come.
type settled struct {
	journal.Store
	tidied time.Time
}

// Take has what is over settled once a day.
func (s *settled) Take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	if err := s.Store.Take(ctx, from, batch); err != nil {
		return err
	}
	now := batch[len(batch)-1].Record.Evidence.Time
	if now.Sub(s.tidied) < 24*time.Hour {
		return nil
	}
	s.tidied = now
	return s.Store.Tidy(ctx, now)
}

// elsewhere puts into the state what others reported in all days.
func elsewhere(ctx context.Context, s *state.State, n int, days float64) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for d := range int(days) {
		for org := range min(30, n/333_333) {
			if err := s.AddOther(ctx, other(today.AddDate(0, 0, -d-1), org)); err != nil {
				return err
			}
		}
	}
	return nil
}

// outbox has reports of seven days to domains that write most: sent but every hundredth,
// which waits. It closes the database.
func outbox(ctx context.Context, db *sql.DB, n int) (err error) {
	defer func() { err = errors.Join(err, db.Close()) }()
	var about []byte
	if err := db.QueryRowContext(ctx, "SELECT about FROM state_tallies ORDER BY domain LIMIT 1").Scan(&about); err != nil {
		return err
	}
	const number = "substr('00000' || n %% %[1]d, length('00000' || n %% %[1]d) - 4)"
	parts := fmt.Sprintf("INSERT INTO state_parts WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 7 * %[1]d - 1) "+
		"SELECT 'report-' || n, 'author' || "+number+" || '-company.example', %[2]d - 86400 * (n / %[1]d + 1), $1, $1, %[2]d - 86400 * (n / %[1]d) + 3600 FROM i",
		min(14_000, n/500), time.Now().UTC().Truncate(24*time.Hour).Unix())
	for _, do := range []struct {
		text string
		args []any
	}{
		{text: parts, args: []any{about}},
		{text: "INSERT INTO state_outbox SELECT id, 'dmarc@' || domain, CASE WHEN id LIKE '%00' THEN 'waiting' ELSE 'sent' END, '', made, 1, 0, made FROM state_parts"},
	} {
		if _, err := db.ExecContext(ctx, do.text, do.args...); err != nil {
			return err
		}
	}
	return nil
}

func other(day time.Time, org int) *state.Other {
	name := fmt.Sprintf("receiver%02d.example", org)
	o := &state.Other{
		Domain: made.DomainOf(1), Org: name, Email: "reports@" + name, ReportID: fmt.Sprintf("%d-%d", day.Unix(), org), Version: "1.0", Start: day, Until: day.AddDate(0, 0, 1),
		Trust: state.TrustVouched, Reporter: name, Stored: day.AddDate(0, 0, 1),
	}
	for i := range 50 {
		ip := fmt.Sprintf("198.18.%d.%d", (org*7+i)%200, i)
		o.Rows = append(o.Rows, state.OtherRow{Source: ip, Network: fmt.Sprintf("198.18.%d.0/24", (org*7+i)%200), Author: o.Domain, SPF: i%3 == 0, DKIM: i%2 == 0,
			Disposition: "none", Signers: o.Domain, Sender: o.Domain, Messages: int64(1 + i)})
	}
	return o
}
