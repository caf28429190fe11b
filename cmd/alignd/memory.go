package main

import (
	"log/slog"

	"alignd/config"
	"alignd/filter"
	"alignd/journal"
	"alignd/journal/configs"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/judge"
	"alignd/metrics"
	"alignd/record"
	"alignd/rollout"
)

// memory is the journal of a running daemon. A nil memory keeps nothing.
type memory struct {
	log    *slog.Logger
	spool  *spool.Spool
	store  journal.Store
	state  *state.State // nil where it cannot be opened
	loader *journal.Loader
	judged *configs.Keeper // nil without state
	hides  *judge.Privacy
	tests  *selfTester // nil where none are to be made
	tells  *journalTeller
	waits  *state.Waits // nil where no other host shares the state
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
	m.spool, err = spool.Open(spool.Options{Dir: place.SpoolDir(cfg), Max: int64(j.Spool.Max), Keep: j.Spool.Keep.Duration, Log: log})
	if err != nil {
		return nil, err
	}
	if m.store, err = place.OpenStore(cfg, log); err != nil {
		m.spool.Close()
		return nil, err
	}
	stores := []journal.Store{m.store}
	// Records are worth more than what is counted of them.
	if m.state, err = openState(cfg, log); err != nil {
		log.Error("the journal keeps records and counts nothing; with its file moved away a restart counts anew", "err", err)
	} else {
		stores = append(stores, m.state)
		m.judged = configs.NewKeeper(m.state, log)
		m.judged.Keep(cfg)
		if place.SharesState(cfg) {
			m.waits = m.state.Waits()
		}
	}
	m.hides = privacy.Of(cfg, log)
	m.loader = journal.NewLoader(m.spool, place.SpoolDir(cfg), log, stores...)
	m.tells = newJournalTeller(cfg, m)
	return m, nil
}

// sink puts the journal in front of others: it has the record before a line of the log
// tells of it.
func (m *memory) sink(others record.Sink) record.Sink {
	if m == nil {
		return others
	}
	return record.Sinks{privacy.Sink(m.hides, journal.NewSink(m.spool)), others}
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
		m.judged.Keep(cfg)
	}
}

// stopState is where stops of rollouts are kept; nil where that is nowhere.
func (m *memory) stopState() rollout.State {
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
	m.judged.Close()
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
