package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"alignd/config"
	"alignd/journal/rights"
)

// tellEvery is how old what the daemon tells may be. The number is ours.
const tellEvery = 10 * time.Second

// journalTold is what the daemon tells of its journal in a file, for `alignd journal
// status`.
type journalTold struct {
	PID          int       `json:"pid"`
	Program      string    `json:"program"`
	Since        time.Time `json:"since"` // when it started
	At           time.Time `json:"at"`
	Stopped      bool      `json:"stopped"`
	Written      uint64    `json:"written"`
	Late         uint64    `json:"late"`
	Dropped      uint64    `json:"dropped"`
	Loaded       uint64    `json:"loaded"`
	Missing      uint64    `json:"missing"`
	Unreadable   uint64    `json:"unreadable"`
	Damages      uint64    `json:"damages"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	Err          string    `json:"error,omitempty"`
}

func toldFile(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "daemon.json") }

// journalTeller writes the file now and then, and when the daemon stops. That it cannot
// be written is no reason for anything: the log and the metrics tell of disks.
type journalTeller struct {
	path  string
	m     *memory
	since time.Time
	stop  chan struct{}
	ended sync.WaitGroup
}

func newJournalTeller(cfg *config.Config, m *memory) *journalTeller {
	t := &journalTeller{path: toldFile(cfg), m: m, since: time.Now().UTC().Truncate(time.Second), stop: make(chan struct{})}
	t.ended.Go(t.run)
	return t
}

func (t *journalTeller) run() {
	every := time.NewTicker(tellEvery)
	defer every.Stop()
	for {
		_ = t.write(false)
		select {
		case <-every.C:
		case <-t.stop:
			_ = t.write(true)
			return
		}
	}
}

func (t *journalTeller) close() {
	close(t.stop)
	t.ended.Wait()
}

func (t *journalTeller) write(stopped bool) error {
	c, s := t.m.spool.Counts(), t.m.loader.Status()
	told := journalTold{
		PID: os.Getpid(), Program: "alignd " + version, Since: t.since, At: time.Now().UTC().Truncate(time.Second), Stopped: stopped,
		Written: c.Written, Late: c.Late, Dropped: c.Dropped, Loaded: s.Loaded, Missing: s.Missing, Unreadable: s.Unreadable, Damages: s.Damaged,
		FailingSince: s.Since.UTC(),
	}
	if s.Since.IsZero() {
		told.FailingSince = time.Time{}
	} else if s.Err != nil {
		told.Err = s.Err.Error()
	}
	text, err := json.Marshal(&told)
	if err != nil {
		return err
	}
	fresh := t.path + ".new"
	f, err := rights.Open(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, t.path)
}

// readTold is what the daemon told last; nil where that cannot be read.
func readTold(cfg *config.Config) *journalTold {
	text, err := os.ReadFile(toldFile(cfg))
	if err != nil {
		return nil
	}
	told := new(journalTold)
	if err := json.Unmarshal(text, told); err != nil {
		return nil
	}
	return told
}
