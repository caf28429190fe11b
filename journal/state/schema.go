package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// product says whose tables these are.
const product = "alignd state"

// step leads from the version before to this one.
type step struct {
	// works is the oldest version of the program's schema that works on this one. While
	// a step only adds what older programs pass over, it stays: so versions N and N+1
	// run side by side. What a step no longer needs goes one version later.
	works      int
	statements []string
}

// steps are all versions: that at index i leads to version i+1.
var steps = []step{
	{works: 1, statements: []string{
		"CREATE TABLE state_loaded (spool <blob> PRIMARY KEY, number bigint NOT NULL)",
		// Hours in the making, of each spool its own.
		`CREATE TABLE state_live (spool <blob> NOT NULL, start bigint NOT NULL, dimension integer NOT NULL,
			data <blob> NOT NULL, PRIMARY KEY (spool, start, dimension))`,
		// Times that are over, of all hosts: span is their length in hours.
		`CREATE TABLE state_counts (span integer NOT NULL, start bigint NOT NULL, dimension integer NOT NULL,
			data <blob> NOT NULL, PRIMARY KEY (dimension, span, start))`,
		"CREATE TABLE state_configs (hash <blob> PRIMARY KEY, text <blob> NOT NULL, first bigint NOT NULL, last bigint NOT NULL)",
		`CREATE TABLE state_stops (id text PRIMARY KEY, at bigint NOT NULL, reason text NOT NULL,
			fingerprint <blob> NOT NULL, resumed bigint NOT NULL)`,
		`CREATE TABLE state_waits (id <blob> PRIMARY KEY, first bigint NOT NULL, served bigint NOT NULL,
			times bigint NOT NULL)`,
		"CREATE INDEX state_waits_first ON state_waits (first)",
	}},
	{works: 1, statements: []string{
		// Reports in the making. cut is how often one was cut already.
		`CREATE TABLE state_tallies (report <blob> PRIMARY KEY, day bigint NOT NULL, org text NOT NULL, domain text NOT NULL, about <blob> NOT NULL,
			messages bigint NOT NULL, wanted bigint NOT NULL, lines bigint NOT NULL, dropped bigint NOT NULL, cut bigint NOT NULL)`,
		"CREATE INDEX state_tallies_day ON state_tallies (day, org)",
		`CREATE TABLE state_lines (report <blob> NOT NULL, cut bigint NOT NULL, line <blob> NOT NULL, data <blob> NOT NULL,
			messages bigint NOT NULL, PRIMARY KEY (report, cut, line))`,
		// Days on which mail of a domain passed.
		"CREATE TABLE state_passes (domain text NOT NULL, day bigint NOT NULL, PRIMARY KEY (domain, day))",
		// Through which time each host has counted.
		"CREATE TABLE state_hosts (spool <blob> PRIMARY KEY, through bigint NOT NULL)",
		"CREATE TABLE state_parts (id text PRIMARY KEY, domain text NOT NULL, day bigint NOT NULL, about <blob> NOT NULL, data <blob> NOT NULL, made bigint NOT NULL)",
		`CREATE TABLE state_outbox (id text NOT NULL, target text NOT NULL, state text NOT NULL, reason text NOT NULL,
			next bigint NOT NULL, tries bigint NOT NULL, lost bigint NOT NULL, changed bigint NOT NULL, PRIMARY KEY (id, target))`,
		"CREATE TABLE state_suppressed (target text PRIMARY KEY, until bigint NOT NULL, times bigint NOT NULL, reason text NOT NULL)",
		"CREATE TABLE state_secrets (name text PRIMARY KEY, secret <blob> NOT NULL)",
		"CREATE TABLE state_leases (name text PRIMARY KEY, holder text NOT NULL, until bigint NOT NULL)",
	}},
	{works: 1, statements: []string{
		// Reports of others. same is what one report has, whoever sends it; day is when it
		// was stored.
		`CREATE TABLE state_others (id <blob> PRIMARY KEY, same <blob> NOT NULL, domain text NOT NULL, org text NOT NULL, email text NOT NULL,
			report text NOT NULL, version text NOT NULL, start bigint NOT NULL, until bigint NOT NULL, trust text NOT NULL, sender text NOT NULL,
			reporter text NOT NULL, day bigint NOT NULL, lines bigint NOT NULL, messages bigint NOT NULL, beyond bigint NOT NULL)`,
		"CREATE INDEX state_others_same ON state_others (same)",
		"CREATE INDEX state_others_start ON state_others (start)",
		"CREATE INDEX state_others_day ON state_others (day, trust, sender)",
		`CREATE TABLE state_other_rows (id <blob> NOT NULL, line bigint NOT NULL, source text NOT NULL, network text NOT NULL, author text NOT NULL,
			dkim bigint NOT NULL, spf bigint NOT NULL, disposition text NOT NULL, signers text NOT NULL, sender text NOT NULL,
			messages bigint NOT NULL, PRIMARY KEY (id, line))`,
	}},
	{works: 1, statements: []string{
		// Failure reports that are not due yet, and mails with one by day.
		`CREATE TABLE state_failures (kind <blob> PRIMARY KEY, domain text NOT NULL, opened bigint NOT NULL, due bigint NOT NULL,
			incidents bigint NOT NULL, data <blob> NOT NULL)`,
		"CREATE TABLE state_failure_mails (target text NOT NULL, day bigint NOT NULL, mails bigint NOT NULL, PRIMARY KEY (target, day))",
	}},
	{works: 1, statements: []string{
		// Mails with reports, by day and organization of their targets.
		"CREATE TABLE state_mails (day bigint NOT NULL, org text NOT NULL, mails bigint NOT NULL, PRIMARY KEY (day, org))",
	}},
	{works: 1, statements: []string{
		// What the daemon of each host told of itself last.
		"CREATE TABLE state_daemons (spool <blob> PRIMARY KEY, at bigint NOT NULL, told <blob> NOT NULL)",
		// Reports that are over stay for long, and those that are not are few.
		"CREATE INDEX state_outbox_state ON state_outbox (state, next, tries)",
	}},
}

// What is wrong with tables.
var (
	// ErrForeign: the tables are of another product, or of a version that this one
	// does not work on.
	ErrForeign = errors.New("it is no state that this version reads")
	// ErrOld: no daemon of this version has written there yet.
	ErrOld = errors.New("it is of an earlier version: start the daemon of this one once")
	// errEmpty: nothing is there.
	errEmpty = errors.New("it has no tables yet")
)

// versionOf is the version of the tables, and the oldest that works on them.
func (s *State) versionOf(ctx context.Context, on conn) (version, works int, err error) {
	tables, ours := 0, false
	names := func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		tables++
		ours = ours || name == "state_meta"
		return err
	}
	if err := s.rows(ctx, on, names, s.dialect.tables); err != nil {
		return 0, 0, err
	}
	if tables == 0 {
		return 0, 0, errEmpty
	}
	if !ours {
		return 0, 0, fmt.Errorf("%w: tables of another product", ErrForeign)
	}
	got := ""
	all := func(r *sql.Rows) error { return r.Scan(&got, &version, &works) }
	if err := s.rows(ctx, on, all, "SELECT product, version, works FROM state_meta"); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if got != product {
		return 0, 0, fmt.Errorf("%w: tables of another product", ErrForeign)
	}
	return version, works, nil
}

// check says whether the tables can be worked on as they are.
func (s *State) check(ctx context.Context, on conn) error {
	version, works, err := s.versionOf(ctx, on)
	switch {
	case err != nil:
		return err
	case works > len(s.steps):
		return fmt.Errorf("%w: version %d, this one knows those up to %d", ErrForeign, version, len(s.steps))
	case version < len(s.steps):
		return fmt.Errorf("%w (version %d of %d)", ErrOld, version, len(s.steps))
	}
	return nil
}

// ready has the tables made or checked once, before they are used first.
func (s *State) ready(ctx context.Context) error {
	if s.isReady.Load() && !s.file.vanished() {
		return nil
	}
	select {
	case s.preparing <- struct{}{}:
		defer func() { <-s.preparing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.file.vanished() {
		s.isReady.Store(false)
		if err := s.letGo(ctx); err != nil {
			return err
		}
	}
	if s.isReady.Load() {
		return nil
	}
	prepare := s.migrate
	if s.readOnly {
		prepare = s.checkNow
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	s.file.isOpen()
	s.isReady.Store(true)
	return nil
}

func (s *State) checkNow(ctx context.Context) error {
	opt := s.dialect.snapshot
	return s.transaction(ctx, &opt, func(tx *sql.Tx) error { return s.check(ctx, tx) })
}

// migrate makes the tables, or brings them up to date, in one transaction.
func (s *State) migrate(ctx context.Context) error {
	err := s.checkNow(ctx)
	if err == nil || !errors.Is(err, errEmpty) && !errors.Is(err, ErrOld) {
		return err
	}
	return s.transaction(ctx, nil, s.alone(ctx, func(tx *sql.Tx) error {
		version, _, err := s.versionOf(ctx, tx) // another may have been faster
		if errors.Is(err, errEmpty) {
			err = s.makeMeta(ctx, tx)
		}
		if err != nil {
			return err
		}
		for ; version < len(s.steps); version++ {
			for _, statement := range s.steps[version].statements {
				if _, err := s.exec(ctx, tx, statement); err != nil {
					return fmt.Errorf("to version %d: %w", version+1, err)
				}
			}
			if _, err := s.exec(ctx, tx, "UPDATE state_meta SET version = ?, works = ?", version+1, s.steps[version].works); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *State) makeMeta(ctx context.Context, tx *sql.Tx) error {
	if _, err := s.exec(ctx, tx, "CREATE TABLE state_meta (product text NOT NULL, version integer NOT NULL, works integer NOT NULL)"); err != nil {
		return err
	}
	_, err := s.exec(ctx, tx, "INSERT INTO state_meta VALUES (?, 0, 0)", product)
	return err
}
