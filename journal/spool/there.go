package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"alignd/journal/rights"
)

// lookEvery is how often stillThere looks; ours.
const lookEvery = time.Second

// stillThere looks now and then whether the folder or the segment that grows was removed:
// what is written to it then is read by nobody. The folder is made again, with the id that
// it had, as numbers go on, and a new segment is begun.
func (w *writer) stillThere() error {
	if time.Since(w.looked) < lookEvery {
		return nil
	}
	s := w.spool
	folder := s.isHeld() && s.hasID()
	if folder && w.hasSegment() {
		w.looked = time.Now()
		return nil
	}
	w.looked = time.Time{} // until all is there
	w.file = nil
	if err := s.retake(); err != nil {
		return fmt.Errorf("its folder cannot be made, or made again: %w", err)
	}
	w.segments = slices.DeleteFunc(w.segments, func(x segment) bool {
		gone := isAbsent(x.path)
		if gone {
			w.octets -= x.size
		}
		return gone
	})
	switch {
	case !w.started: // it was never there
	case folder:
		s.opt.Log.Error("a segment of the journal's spool was removed while it was written: what no store has of it is lost")
	default:
		s.opt.Log.Error("the folder of the journal's spool was removed while it was written and is made again: what no store has of it is lost")
	}
	w.started, w.looked = false, time.Now()
	return nil
}

// startRun has the run on disk before any record of it: after a power cut its numbers
// would be given again, which the stores have. It begins with the first of batch where the
// run was on disk before.
func (w *writer) startRun(batch []*entry) error {
	switch {
	case w.started || w.start == nil && len(batch) == 0:
		return nil
	case w.start != nil:
		if w.file == nil {
			if err := w.begin(w.start.Number); err != nil {
				return err
			}
		}
		w.buf = w.spool.id.appendFrame(w.buf[:0], w.start)
		if err := w.flush(); err != nil {
			return err
		}
		w.start = nil
	case w.file == nil:
		if err := w.begin(batch[0].frame.Number); err != nil {
			return err
		}
	}
	w.spool.syncer.wrote() // also where that failed before
	if err := errors.Join(w.spool.syncer.sync(), syncDir(w.spool.opt.Dir)); err != nil {
		return err
	}
	w.started = true
	return nil
}

// hasSegment: the segment that grows is there, if there is one.
func (w *writer) hasSegment() bool {
	n := len(w.segments)
	return n == 0 || !isAbsent(w.segments[n-1].path)
}

func isAbsent(path string) bool {
	_, err := os.Stat(path)
	return isGone(err)
}

// isGone: err says that there is no such file, also where something else has the name of its
// folder.
func isGone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// isHeld: the lock that keeps other processes out is the one that they would take.
func (s *Spool) isHeld() bool {
	if s.lock == nil {
		return false
	}
	now, err := os.Stat(filepath.Join(s.opt.Dir, lockFile))
	held, failed := s.lock.Stat()
	return !isGone(err) && (err != nil || failed != nil || os.SameFile(now, held))
}

func (s *Spool) hasID() bool {
	id, err := ReadID(s.opt.Dir)
	return !isGone(err) && (err != nil || id == s.id)
}

// hold makes the folder and locks it.
func (s *Spool) hold() error {
	if err := rights.MakeDir(s.opt.Dir); err != nil {
		return err
	}
	if s.isHeld() {
		return nil
	}
	lock, err := lockDir(filepath.Join(s.opt.Dir, lockFile))
	if err != nil {
		return err
	}
	if s.lock != nil {
		_ = s.lock.Close() // of a file that is gone
	}
	s.lock = lock
	return nil
}

// retake makes the folder what it was.
func (s *Spool) retake() error {
	if err := s.hold(); err != nil {
		return err
	}
	switch id, err := ReadID(s.opt.Dir); {
	case errors.Is(err, os.ErrNotExist):
		return s.writeID()
	case err != nil:
		return err
	case id != s.id:
		return errors.New("another spool is in its place, which a restart takes up")
	}
	return nil
}

// beginAnew is for a folder without segments. Nobody knows then which numbers were given,
// and stores pass over those that they had: where there was an id, it is not used again.
// put writes the new one.
func (s *Spool) beginAnew(wasThere bool) error {
	s.id = newID()
	if !wasThere {
		return nil
	}
	s.opt.Log.Warn("the segments of the journal's spool are gone, it begins anew: what no store had of it is lost")
	return os.Remove(filepath.Join(s.opt.Dir, idFile))
}
