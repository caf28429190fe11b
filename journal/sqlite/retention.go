package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Guards of retention against a clock that is wrong, which would remove what is young.
// The numbers are ours.
const (
	// clockJump stops it: the clock went that much further than time did.
	clockJump = 24 * time.Hour
	// idleWait is how long it waits at the start where nothing was kept for a day.
	idleWait = time.Hour
)

// retention removes the oldest files by age and by size.
type retention struct {
	keep    time.Duration
	maxSize int64
	log     *slog.Logger

	looked  bool
	clock   time.Time     // at the last look
	passed  time.Duration // since the start, then
	begins  time.Duration // since the start: not before
	stopped bool
}

// due reports whether files may be removed now. passed is the time since the start, by
// the monotonic clock; newest, the time of the newest record, is for the first look.
func (r *retention) due(now time.Time, passed time.Duration, newest time.Time) bool {
	if by := now.Sub(r.clock) - (passed - r.passed); r.looked && !r.stopped && by.Abs() > clockJump {
		r.stopped = true
		r.log.Warn("the clock jumped, so nothing is removed from the journal until a restart", "by", by.String())
	}
	r.clock, r.passed = now, passed
	if !r.looked {
		r.looked, r.begins = true, passed
		if !newest.IsZero() && now.Sub(newest) > clockJump {
			r.begins = passed + idleWait
			r.log.Warn("the newest record of the journal is over a day old: if the clock is right, old ones are removed in an hour",
				"newest", newest.UTC().Format(time.RFC3339), "clock", now.UTC().Format(time.RFC3339))
		}
	}
	return !r.stopped && passed >= r.begins
}

// retain removes what is older than keep, and the oldest while all take more than
// maxSize. The newest file stays.
func (s *Store) retain(ctx context.Context, now time.Time) error {
	list, err := files(s.opt.Dir)
	if err != nil || len(list) == 0 {
		return err
	}
	newest := time.Time{}
	if !s.retention.looked {
		newest, err = newestOf(ctx, s.opt.Dir, list[len(list)-1])
		if err != nil && !errors.Is(err, errEmpty) {
			return err
		}
	}
	if !s.retention.due(now.Round(0), time.Since(s.began), newest) {
		return nil
	}
	sizes := make([]int64, len(list))
	all := int64(0)
	for i, n := range list {
		sizes[i] = sizeOf(filepath.Join(s.opt.Dir, n.String()))
		all += sizes[i]
	}
	oldest := now.Add(-s.retention.keep).UTC().Format(dayForm)
	for i, n := range list[:len(list)-1] {
		why := ""
		switch {
		case n.day < oldest:
			why = "age"
		case all > s.retention.maxSize:
			why = "size"
		default:
			return nil
		}
		if w := s.open[n.day]; w != nil && w.name == n {
			if err := s.shut(n.day); err != nil {
				return err
			}
		}
		if err := remove(filepath.Join(s.opt.Dir, n.String())); err != nil {
			return err
		}
		all -= sizes[i]
		s.opt.Log.Info("a file of the journal was removed", "file", n.String(), "for", why, "octets", sizes[i])
	}
	return nil
}

func sizeOf(path string) (size int64) {
	for _, end := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + end); err == nil {
			size += info.Size()
		}
	}
	return size
}

// newestOf is the time of the last record of a file.
func newestOf(ctx context.Context, dir string, n name) (time.Time, error) {
	db, conn, _, err := openReading(ctx, dir, n)
	if err != nil {
		return time.Time{}, err
	}
	defer db.Close()
	defer conn.Close()
	var ms int64
	if err := conn.QueryRowContext(ctx, "SELECT coalesce(max(time), 0) FROM records").Scan(&ms); err != nil || ms == 0 {
		return time.Time{}, err
	}
	return time.UnixMilli(ms), nil
}
