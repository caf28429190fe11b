package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"alignd/journal"
)

// errDamaged: a file is no whole database.
var errDamaged = errors.New("the file is damaged")

// fault is what failed with a file.
type fault struct {
	file name
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// faultOf is nil where err is.
func faultOf(n name, err error) error {
	if err == nil {
		return nil
	}
	return &fault{n, err}
}

// isDamaged reports whether SQLite, or what we wrote beside it, tells that octets are
// not what was written. A disk that fails, is full or is locked is something else.
func isDamaged(err error) bool {
	c := codeOf(err)
	return errors.Is(err, errDamaged) || c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}

// refused marks an error that is about values, which SQLite takes at no other time either.
func refused(err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH:
		return fmt.Errorf("%w: %w", journal.ErrRecord, err)
	}
	return err
}

// plain says in words what SQLite says of a damaged file.
func plain(err error) error {
	if isDamaged(err) && !errors.Is(err, errDamaged) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

// checkUntouched says why a file that is there cannot be written on, without writing to
// it: it may be somebody else's.
func checkUntouched(ctx context.Context, dir string, n name) error {
	path := filepath.Join(dir, n.String())
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, conn, _, err := openReading(ctx, dir, n)
	if errors.Is(err, errEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(conn.Close(), db.Close())
}

// emptied says that a file has lost what it had. SQLite would take it for a new one, and
// remove its log.
func emptied(path string) error {
	file, err := os.Stat(path)
	if err != nil || file.Size() > 0 {
		return err
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return fmt.Errorf("%s: %w: it is empty, but its log, -wal, is not", path, errDamaged)
	}
	return nil
}

// asideForm is the name of a file that was put aside: it keeps its day and part.
var asideForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)\.(\d{1,6})(\.sealed)?\.db\.damaged\d*$`)

// asideFile is a file that was put aside.
type asideFile struct {
	name
	file string
}

// asides lists the files that were put aside.
func asides(dir string) (list []asideFile, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if m := asideForm.FindStringSubmatch(e.Name()); m != nil {
			part, _ := strconv.Atoi(m[2])
			list = append(list, asideFile{name{day: m[1], part: part, sealed: m[3] != ""}, e.Name()})
		}
	}
	return list, nil
}

// putAside gives a damaged file of the journal another name, and its companions too.
// Nothing is overwritten, and no further file of the day gets its number, so that none
// finds a log that is not its own.
func putAside(dir string, n name) (to string, err error) {
	from := filepath.Join(dir, n.String())
	to = from + ".damaged"
	for i := 2; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
		to = from + ".damaged" + strconv.Itoa(i)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(from+end, to+end); err != nil && (end == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", err
		}
	}
	return to, syncFile(dir)
}

// mended puts aside the file that err is about, if it is damaged. Then the loader is to
// begin anew: what the spool still has of that file's records goes into the next one.
// A file of another product or of a later version stays where it is, as nobody but its
// owner knows what it is worth.
func (s *Store) mended(err error) error {
	var f *fault
	if !errors.As(err, &f) || !isDamaged(f.err) || errors.Is(f.err, ErrForeign) {
		return err
	}
	to, asideErr := putAside(s.opt.Dir, f.file)
	if asideErr != nil {
		return errors.Join(err, asideErr)
	}
	clear(s.have)
	s.opt.Log.Error("a file of the journal is damaged and was put aside; its records that the spool still has are taken again",
		"file", f.file.String(), "aside", filepath.Base(to), "err", err)
	return fmt.Errorf("%w: %w", journal.ErrMended, err)
}

// lookEvery is how often isThere looks; ours.
const lookEvery = time.Second

// isThere finds out now and then whether a file in use was removed or replaced, as by who
// wants room on a full disk: SQLite goes on to write to what nobody can read any more.
func (w *writing) isThere() bool {
	if time.Since(w.looked) < lookEvery {
		return true
	}
	w.looked = time.Now()
	return !w.isGone()
}

// isGone reports whether what was opened has its name no more.
func (w *writing) isGone() bool {
	info, err := os.Stat(w.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, w.file)
}

// companion is a -wal or -shm that was opened with its file.
type companion struct {
	path string
	file os.FileInfo
}

func companionsOf(path string) (list []companion) {
	for _, end := range []string{"-wal", "-shm"} {
		if file, err := os.Stat(path + end); err == nil {
			list = append(list, companion{path + end, file})
		}
	}
	return list
}

// removeCompanions removes what a file that is gone, and closed, left beside it: SQLite
// would lay that log over whatever file gets the name, as an earlier copy of it, and which
// is no whole database then. Another log came with that file.
func (w *writing) removeCompanions() error {
	var errs []error
	for _, c := range w.beside {
		if now, err := os.Stat(c.path); err == nil && os.SameFile(now, c.file) {
			errs = append(errs, os.Remove(c.path))
		}
	}
	return errors.Join(errs...)
}

// removed lets go of such a file. The loader is to begin anew: what the spool still has
// of its records goes into the next one.
func (s *Store) removed(w *writing) error {
	if err := s.shut(w.name.day); err != nil {
		s.opt.Log.Debug("a file that was removed was not closed well", "file", w.name.String(), "err", err)
	}
	s.opt.Log.Error("a file of the journal was removed while it was in use; its records that the spool still has are taken again", "file", w.name.String())
	return fmt.Errorf("%w: %s was removed", journal.ErrMended, w.name)
}
