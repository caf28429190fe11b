package spool

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"alignd/internal/owned"
)

// syncer makes last what was written, once a second and beside the writer, so that a
// disk that takes long over it delays no record.
type syncer struct {
	mu      sync.Mutex
	current file
	dirty   bool
	retired []file // to be synced and closed
}

// begins hands over the segment that grows from now on; the one before it is done.
func (y *syncer) begins(f file) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.current != nil {
		y.retired = append(y.retired, y.current)
	}
	y.current, y.dirty = f, true
}

// wrote says that the segment grew.
func (y *syncer) wrote() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.dirty = true
}

// sync returns when all that was written before the call is on disk.
func (y *syncer) sync() error {
	y.mu.Lock()
	retired, current, dirty := y.retired, y.current, y.dirty
	y.retired, y.dirty = nil, false
	y.mu.Unlock()
	var errs []error
	for _, f := range retired {
		errs = append(errs, f.Sync(), f.Close())
	}
	if dirty && current != nil {
		if err := current.Sync(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// close syncs and closes all files. Nothing may be written any more.
func (y *syncer) close() error {
	y.begins(nil)
	return y.sync()
}

// keepSynced is the life of the goroutine that syncs, and marks what was answered.
func (s *Spool) keepSynced() {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-s.written:
			return
		case <-tick.C:
		}
		log := s.opt.Log
		if failed {
			log = slog.New(slog.DiscardHandler)
		}
		err := owned.Tried(log, "the journal's spool", s.markAndSync)
		if err != nil && !failed {
			s.opt.Log.Warn("the journal's spool is not synced, a power cut could cost records", "err", err)
		}
		failed = err != nil
	}
}

func (s *Spool) markAndSync() error {
	s.markNow()
	return s.syncer.sync()
}
