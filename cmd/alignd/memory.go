package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"alignd/config"
	"alignd/filter"
	"alignd/journal"
	"alignd/journal/postgres"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/journal/state"
	"alignd/judge"
	"alignd/metrics"
	"alignd/record"
)

// memory is the journal of a running daemon. A nil memory keeps nothing.
type memory struct {
	log    *slog.Logger
	spool  *spool.Spool
	store  journal.Store
	state  *state.State // nil where it cannot be opened
	loader *journal.Loader
	judged *configKeeper // nil without state
	hides  *judge.Privacy
	tests  *selfTester // nil where none are to be made
	tells  *journalTeller
	waits  *state.Waits // nil where no other host shares the state
}

// Folders of the journal.
func spoolDir(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "spool") }
func storeDir(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "journal") }
func stateFile(cfg *config.Config) string {
	return filepath.Join(cfg.Journal.Path, "state.db")
}

// openMemory opens the journal. Mail does not wait for it: without a folder that can be
// written the daemon runs without journal, and says so.
func openMemory(cfg *config.Config, log *slog.Logger) *memory {
	if cfg.Journal.Store == "none" {
		return nil
	}
	m, err := tryMemory(cfg, log)
	if err != nil {
		log.Warn("no journal is kept, mail goes on; journal.path names another folder, journal.store: none has it so", "err", err)
		return nil
	}
	return m
}

func tryMemory(cfg *config.Config, log *slog.Logger) (*memory, error) {
	j := &cfg.Journal
	m := &memory{log: log}
	var err error
	m.spool, err = spool.Open(spool.Options{Dir: spoolDir(cfg), Max: int64(j.Spool.Max), Keep: j.Spool.Keep.Duration, Log: log})
	if err != nil {
		return nil, err
	}
	if m.store, err = openStore(cfg, log); err != nil {
		m.spool.Close()
		return nil, err
	}
	stores := []journal.Store{m.store}
	// Records are worth more than what is counted of them.
	if m.state, err = openState(cfg, log); err != nil {
		log.Error("the journal keeps records and counts nothing; with its file moved away a restart counts anew", "err", err)
	} else {
		stores = append(stores, m.state)
		m.judged = newConfigKeeper(m.state, log)
		m.judged.keep(cfg)
		if sharesState(cfg) {
			m.waits = m.state.Waits()
		}
	}
	m.hides = privacy(cfg, log)
	m.loader = journal.NewLoader(m.spool, spoolDir(cfg), log, stores...)
	m.tells = newJournalTeller(cfg, m)
	return m, nil
}

// sink puts the journal in front of others: it has the record before a line of the log
// tells of it.
func (m *memory) sink(others record.Sink) record.Sink {
	if m == nil {
		return others
	}
	return record.Sinks{privateSink{m.hides, journal.NewSink(m.spool)}, others}
}

// share has f know of mail that other hosts put off.
func (m *memory) share(f *filter.Filter) {
	if m != nil && m.waits != nil {
		f.Share(m.waits)
	}
}

// judges has the journal keep what it takes to judge again what cfg judges.
func (m *memory) judges(cfg *config.Config) {
	if m != nil {
		m.judged.keep(cfg)
	}
}

// stopState is where stops of rollouts are kept; nil where that is nowhere.
func (m *memory) stopState() stopState {
	if m == nil || m.state == nil {
		return nil
	}
	return m.state
}

// place is where the journal is, for the log.
func (m *memory) place(cfg *config.Config) string {
	if m == nil {
		return "none"
	}
	if cfg.Journal.Store == "postgres" {
		return cfg.Journal.URL
	}
	return cfg.Journal.Path
}

// health is how the journal of a daemon that began with cfg is doing.
func (m *memory) health(cfg *config.Config) metrics.Journal {
	j := metrics.Journal{Configured: cfg.Journal.Store != "none", Open: m != nil}
	if m == nil {
		return j
	}
	c, s := m.spool.Counts(), m.loader.Status()
	j.Written, j.Late, j.Dropped = c.Written, c.Late, c.Dropped
	j.Octets, j.Bound, j.Early = c.Octets, m.spool.Bound(), c.Evicted
	j.SpoolFails, j.Oldest = c.Err != nil, c.Oldest
	j.Loaded, j.Missing, j.Unreadable, j.SpoolDamages = s.Loaded, s.Missing, s.Unreadable, s.Damaged
	j.LastLoad, j.FailingSince, j.SelfTest = s.Last, s.Since, m.tests.health()
	if r, reports := m.store.(journal.Reporter); reports {
		h := r.Health()
		j.StoreOctets, j.DamagedFiles = h.Octets, h.Damaged
		j.RetentionStopped, j.Sealing = h.RetentionStopped, h.Sealing
	}
	return j
}

// close takes into the store what the spool has.
func (m *memory) close() {
	if m == nil {
		return
	}
	m.tests.close()
	if err := m.spool.Close(); err != nil {
		m.log.Warn("the journal's spool was not closed well", "err", err)
	}
	m.loader.Close()
	m.judged.close()
	if m.waits != nil {
		m.waits.Close()
	}
	if err := m.store.Close(); err != nil {
		m.log.Warn("the journal was not closed well", "err", err)
	}
	if m.state != nil {
		if err := m.state.Close(); err != nil {
			m.log.Warn("the journal's counts were not closed well, they follow from the spool", "err", err)
		}
	}
	m.tells.close()
	c, s := m.spool.Counts(), m.loader.Status()
	m.log.Info("journal closed", "records", c.Written, "late", c.Late, "dropped", c.Dropped, "loaded", s.Loaded)
}

// openStore opens the store that the configuration names.
func openStore(cfg *config.Config, log *slog.Logger) (journal.Store, error) {
	j := &cfg.Journal
	if j.Store == "postgres" {
		return postgres.Open(postgres.Options{Access: databaseOf(cfg), Keep: j.Keep.Duration, MaxSize: int64(j.Size), Log: log}), nil
	}
	return sqlite.Open(sqlite.Options{Dir: storeDir(cfg), Keep: j.Keep.Duration, MaxSize: int64(j.Size), Log: log})
}

var errNoJournal = errors.New("no journal is kept: the configuration says journal.store: none")

// databaseOf is how the database of the journal is reached.
func databaseOf(cfg *config.Config) postgres.Access {
	return postgres.Access{URL: cfg.Journal.URL, PasswordFile: cfg.Journal.PasswordFile}
}

// sharesState: a database is named, so that hosts share what follows from records, wherever
// each keeps these.
func sharesState(cfg *config.Config) bool { return cfg.Journal.URL != "" }

// openReader opens the store for questions. skipped hears of what cannot be read of it.
func openReader(cfg *config.Config, skipped func(error)) (journal.Reader, error) {
	switch cfg.Journal.Store {
	case "none":
		return nil, errNoJournal
	case "postgres":
		r := postgres.NewReader(databaseOf(cfg))
		r.Skipped = skipped
		return r, nil
	}
	if err := mayList(storeDir(cfg)); err != nil {
		return nil, unreadable(cfg, err)
	}
	r := sqlite.NewReader(storeDir(cfg))
	r.Skipped = skipped
	return r, nil
}

// openState opens the state beside the store, to be written.
func openState(cfg *config.Config, log *slog.Logger) (*state.State, error) {
	return openStateFor(cfg, log, tally(cfg))
}

// openStateFor has it count for reports what tally says; nil for none.
func openStateFor(cfg *config.Config, log *slog.Logger, tally func(*journal.Entry) []state.Tally) (*state.State, error) {
	opt := state.Options{Log: log, Keep: cfg.Journal.Keep.Duration, KeepOthers: cfg.Reports.KeepOthers.Duration, Tally: tally}
	if sharesState(cfg) {
		db, err := databaseOf(cfg).DB()
		if err != nil {
			return nil, err
		}
		return state.OpenPostgres(db, opt), nil
	}
	return state.OpenFile(context.Background(), stateFile(cfg), opt)
}

// stateThere says why there is no state to be written. Commands make none: what root made
// the daemon could not write. One that hosts share is the database's.
func stateThere(cfg *config.Config) error {
	if cfg.Journal.Store == "none" {
		return errNoJournal
	}
	if sharesState(cfg) {
		return nil
	}
	if _, err := os.Stat(stateFile(cfg)); err != nil {
		return unreadable(cfg, err)
	}
	return nil
}

// readState opens it for questions.
func readState(ctx context.Context, cfg *config.Config) (*state.State, error) {
	if cfg.Journal.Store == "none" {
		return nil, errNoJournal
	}
	if sharesState(cfg) {
		db, err := databaseOf(cfg).DB()
		if err != nil {
			return nil, err
		}
		return state.ReadPostgres(db), nil
	}
	return state.ReadFile(ctx, stateFile(cfg))
}
