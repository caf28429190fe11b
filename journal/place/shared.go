package place

import (
	"context"
	"database/sql"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/postgres"
	"alignd/journal/sqlite"
	"alignd/journal/state"
)

// Shared opens the journal for many looks at once, which have sessions or files in common.
type Shared struct {
	cfg *config.Config
	// others is what reports of others add up to, which each look at Today and Reports asks.
	others state.Remembered
	// Sessions with PostgreSQL that looks have in common; nil without one.
	sessions *postgres.Sessions
	counts   *sql.DB
	// kept are files of a journal in SQLite that looks have in common; nil without one.
	kept *sqlite.Kept
}

// Share opens nothing yet.
func Share(cfg *config.Config) *Shared {
	s := &Shared{cfg: cfg}
	switch cfg.Journal.Store {
	case "postgres":
		s.sessions = postgres.NewSessions(Database(cfg))
	case "sqlite":
		s.kept = sqlite.NewKept(StoreDir(cfg))
	}
	if SharesState(cfg) {
		s.counts = Database(cfg).KeptDB()
	}
	return s
}

// Close ends sessions, and closes files.
func (s *Shared) Close() error {
	if s.kept != nil {
		_ = s.kept.Close() // there is nothing to lose in them, either
	}
	if s.sessions != nil {
		_ = s.sessions.Close() // there is nothing to lose in them
	}
	if s.counts != nil {
		return s.counts.Close()
	}
	return nil
}

// Reader is OpenReader for one look.
func (s *Shared) Reader(skipped func(error)) (journal.Reader, error) {
	switch {
	case s.sessions != nil:
		r := s.sessions.Reader()
		r.Skipped = skipped
		return r, nil
	case s.kept != nil:
		if err := mayList(StoreDir(s.cfg)); err != nil {
			return nil, Unreadable(s.cfg, err)
		}
		r := s.kept.Reader()
		r.Skipped = skipped
		return r, nil
	}
	return OpenReader(s.cfg, skipped)
}

// Warm opens of the journal what most looks need.
func (s *Shared) Warm(ctx context.Context) {
	if s.kept != nil {
		s.kept.Warm(ctx)
	}
}

// State is ReadState for one look.
func (s *Shared) State(ctx context.Context) (*state.State, error) {
	if s.counts != nil {
		st := state.ReadShared(s.counts)
		st.Remember(&s.others)
		return st, nil
	}
	st, err := ReadState(ctx, s.cfg)
	if err != nil {
		return nil, Unreadable(s.cfg, err)
	}
	st.Remember(&s.others)
	return st, nil
}
