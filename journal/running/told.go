package running

import (
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"

	"alignd/config"
	"alignd/internal/owned"
	"alignd/journal/place"
	"alignd/journal/rights"
)

// tellEvery is how old what the daemon tells may be. The number is ours.
const tellEvery = 10 * time.Second

// Told is what the daemon tells of its journal in a file, for `alignd journal status`.
type Told struct {
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
	Aside        uint64    `json:"set_aside"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	Err          string    `json:"error,omitempty"`
}

// teller writes the file now and then, and when the daemon stops. That it cannot be
// written is no reason for anything: the log and the metrics tell of disks.
type teller struct {
	path  string
	by    string // which program
	m     *Journal
	since time.Time
	stop  chan struct{}
	ended sync.WaitGroup
}

func newTeller(cfg *config.Config, program string, m *Journal) *teller {
	t := &teller{path: place.ToldFile(cfg), by: program, m: m, since: time.Now().UTC().Truncate(time.Second), stop: make(chan struct{})}
	t.ended.Go(func() { owned.Guarded(m.log, "telling how the journal is", t.run) })
	return t
}

func (t *teller) run() {
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

func (t *teller) close() {
	close(t.stop)
	t.ended.Wait()
}

func (t *teller) write(stopped bool) error {
	c, s := t.m.spool.Counts(), t.m.loader.Status()
	told := Told{
		PID: os.Getpid(), Program: t.by, Since: t.since, At: time.Now().UTC().Truncate(time.Second), Stopped: stopped,
		Written: c.Written, Late: c.Late, Dropped: c.Dropped, Loaded: s.Loaded, Missing: s.Missing, Unreadable: s.Unreadable, Damages: s.Damaged, Aside: s.Aside,
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

// ReadTold is what the daemon told last; nil where that cannot be read.
func ReadTold(cfg *config.Config) *Told {
	text, err := os.ReadFile(place.ToldFile(cfg))
	if err != nil {
		return nil
	}
	told := new(Told)
	if err := json.Unmarshal(text, told); err != nil {
		return nil
	}
	return told
}
