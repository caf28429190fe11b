// Package running is the journal of a running daemon: the spool before the MTA is answered,
// the loader behind it that takes records into the store and the state, and what is told of
// that.
package running

import (
	"log/slog"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/configs"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/judge"
	"alignd/metrics"
	"alignd/record"
)

// Journal is open to be written. A nil one keeps nothing.
type Journal struct {
	log    *slog.Logger
	spool  *spool.Spool
	store  journal.Store
	state  *state.State // nil where it cannot be opened
	loader *journal.Loader
	judged *configs.Keeper // nil without state
	hides  *judge.Privacy
	tells  *teller
	waits  *state.Waits // nil where no other host shares the state
}

// Open opens the journal of a configuration that wants one. program is who writes it, and
// tally what the state counts for reports; nil for none.
func Open(cfg *config.Config, program string, tally func(*journal.Entry) []state.Tally, log *slog.Logger) (*Journal, error) {
	j := &cfg.Journal
	m := &Journal{log: log}
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
	if m.state, err = place.KeepState(cfg, log, tally); err != nil {
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
	m.tells = newTeller(cfg, program, m)
	return m, nil
}

// Sink puts the journal in front of others: it has the record before a line of the log
// tells of it.
func (m *Journal) Sink(others record.Sink) record.Sink {
	if m == nil {
		return others
	}
	return record.Sinks{privacy.Sink(m.hides, journal.NewSink(m.spool)), others}
}

// State is what follows from records; nil where there is none.
func (m *Journal) State() *state.State {
	if m == nil {
		return nil
	}
	return m.state
}

// Waits is what other hosts put off; nil where none shares the state.
func (m *Journal) Waits() *state.Waits {
	if m == nil {
		return nil
	}
	return m.waits
}

// Spool is the id of the spool, which no two daemons have in common.
func (m *Journal) Spool() spool.ID { return m.spool.ID() }

// Judges has the journal keep what it takes to judge again what cfg judges.
func (m *Journal) Judges(cfg *config.Config) {
	if m != nil {
		m.judged.Keep(cfg)
	}
}

// Place is where the journal is, for the log.
func (m *Journal) Place(cfg *config.Config) string {
	if m == nil {
		return "none"
	}
	if cfg.Journal.Store == "postgres" {
		return cfg.Journal.URL
	}
	return cfg.Journal.Path
}

// Health is how the journal of a daemon that began with cfg is doing.
func (m *Journal) Health(cfg *config.Config) metrics.Journal {
	j := metrics.Journal{Configured: cfg.Journal.Store != "none", Open: m != nil}
	if m == nil {
		return j
	}
	c, s := m.spool.Counts(), m.loader.Status()
	j.Written, j.Late, j.Dropped = c.Written, c.Late, c.Dropped
	j.Octets, j.Bound, j.Early = c.Octets, m.spool.Bound(), c.Evicted
	j.SpoolFails, j.Oldest = c.Err != nil, c.Oldest
	j.Loaded, j.Missing, j.Unreadable, j.SpoolDamages, j.Aside = s.Loaded, s.Missing, s.Unreadable, s.Damaged, s.Aside
	j.LastLoad, j.FailingSince = s.Last, s.Since
	if !c.Placed && s.Since.IsZero() { // nobody knows yet that anything waits
		j.Oldest = time.Time{}
	}
	if r, reports := m.store.(journal.Reporter); reports {
		h := r.Health()
		j.StoreOctets, j.DamagedFiles = h.Octets, h.Damaged
		j.RetentionStopped, j.Sealing = h.RetentionStopped, h.Sealing
	}
	return j
}

// Close takes into the store what the spool has.
func (m *Journal) Close() {
	if m == nil {
		return
	}
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
