package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// retain removes what is older than keep, and the oldest while all take more than
// maxSize. The newest file stays, and so does what another product wrote.
func (s *Store) retain(ctx context.Context, now time.Time) error {
	list, err := files(s.opt.Dir)
	if err != nil {
		return err
	}
	sizes := make([]int64, len(list))
	all := int64(0)
	for i, n := range list {
		sizes[i] = sizeOf(filepath.Join(s.opt.Dir, n.String()))
		all += sizes[i]
	}
	due := s.retention.Due(now, s.newest)
	defer func() { s.measured(all) }()
	if !due {
		return nil
	}
	oldest := now.Add(-s.opt.Keep).UTC().Format(dayForm)
	if err := s.retainAsides(oldest); err != nil {
		return err
	}
	for i, n := range list[:max(0, len(list)-1)] {
		why := ""
		switch {
		case n.day < oldest:
			why = "age"
		case all > s.opt.MaxSize:
			why = "size"
		default:
			return nil
		}
		gone, err := s.retire(ctx, n, why, sizes[i])
		if err != nil {
			return err
		}
		if gone {
			all -= sizes[i]
		}
	}
	return nil
}

// retire removes a file, unless another product wrote it.
func (s *Store) retire(ctx context.Context, n name, why string, size int64) (gone bool, err error) {
	if err := checkUntouched(ctx, s.opt.Dir, n); errors.Is(err, errOther) {
		return false, nil
	}
	if w := s.open[n.day]; w != nil && w.name == n {
		if err := s.shut(n.day); err != nil {
			return false, err
		}
	}
	if err := remove(filepath.Join(s.opt.Dir, n.String())); err != nil {
		return false, err
	}
	s.opt.Log.Info("a file of the journal was removed", "file", n.String(), "for", why, "octets", size)
	return true, nil
}

// retainAsides removes damaged files of days before oldest, for they hold addresses as
// others do.
func (s *Store) retainAsides(oldest string) error {
	list, err := asides(s.opt.Dir)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.day >= oldest {
			continue
		}
		path := filepath.Join(s.opt.Dir, a.file)
		size := sizeOf(path)
		if err := remove(path); err != nil {
			return err
		}
		s.opt.Log.Info("a file of the journal was removed", "file", a.file, "for", "age", "octets", size)
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

// newestOf is the time of the last record of a file; of one that cannot be read, when it
// was last written; zero for one without a record.
func newestOf(ctx context.Context, dir string, n name) time.Time {
	if at, err := lastTime(ctx, dir, n); err == nil {
		return at
	}
	info, err := os.Stat(filepath.Join(dir, n.String()))
	if err != nil || info.Size() == 0 {
		return time.Time{}
	}
	return info.ModTime()
}

func lastTime(ctx context.Context, dir string, n name) (time.Time, error) {
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
