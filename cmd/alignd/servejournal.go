package main

import (
	"log/slog"

	"alignd/config"
	"alignd/filter"
	"alignd/journal/running"
	"alignd/metrics"
	"alignd/report/ours"
	"alignd/rollout"
)

// remember begins the journal of the daemon, and its self-tests.
func (d *daemon) remember() {
	if d.memory = openMemory(d.cfg, d.log); d.memory != nil {
		d.tests = newSelfTester(d.cfg.Journal.SelfTest.Duration, d.file, d.log)
	}
}

// openMemory opens the journal. Mail does not wait for it: without a folder that can be
// written the daemon runs without journal, and says so.
func openMemory(cfg *config.Config, log *slog.Logger) *running.Journal {
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

func tryMemory(cfg *config.Config, log *slog.Logger) (*running.Journal, error) {
	return running.Open(cfg, "alignd "+version, ours.Tally(cfg), log)
}

// shareWaits has f know of mail that other hosts put off.
func shareWaits(m *running.Journal, f *filter.Filter) {
	if w := m.Waits(); w != nil {
		f.Share(w)
	}
}

// journalHealth is how the journal is doing, and how its last self-test came out.
func (d *daemon) journalHealth() metrics.Journal {
	j := d.memory.Health(d.begun)
	j.SelfTest = d.tests.health()
	return j
}

// stopState is where stops of rollouts are kept; nil where that is nowhere.
func stopState(m *running.Journal) rollout.State {
	if st := m.State(); st != nil {
		return st
	}
	return nil
}
