package state

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lookEvery is how often is looked whether a file is still there; ours.
const lookEvery = time.Second

// file is the database of one host, as a State writes it. It connects database/sql.
type file struct {
	path string
	dsn  driver.Connector

	mu     sync.Mutex
	opened map[string]os.FileInfo // it and its companions, by path; empty before
	looked time.Time
}

func newFile(path string) (*file, error) {
	dsn, err := sqlite.NewConnector(sqliteURI(path, url.Values{
		"mode": {"rw"}, "_txlock": {"immediate"},
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"},
	}))
	return &file{path: path, dsn: dsn}, err
}

// Connect implements driver.Connector. The file is made if it is absent.
func (f *file) Connect(ctx context.Context) (driver.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isGone() {
		if err := f.removeCompanions(); err != nil {
			return nil, err
		}
	}
	// What is somebody else's is not even opened to be written.
	if s, err := ReadFile(ctx, f.path); err == nil {
		s.Close()
	} else if errors.Is(err, ErrForeign) {
		return nil, err
	}
	if err := makeFile(f.path); err != nil {
		return nil, err
	}
	c, err := f.dsn.Connect(ctx)
	if err != nil {
		return nil, err
	}
	// SQLite keeps the files beside the database when it is closed, so that who may only
	// read the folder can read it still.
	if _, err := c.(sqlite.FileControl).FileControlPersistWAL("main", 1); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	f.opened = map[string]os.FileInfo{}
	f.note()
	return c, nil
}

// note remembers which files are there; SQLite makes companions when it writes first. mu is
// held.
func (f *file) note() {
	for _, path := range f.paths() {
		if info, err := os.Stat(path); err == nil {
			f.opened[path] = info
		}
	}
	f.looked = time.Now()
}

// isOpen says that the tables are ready.
func (f *file) isOpen() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isGone() && f.opened != nil {
		f.note()
	}
}

// Driver implements driver.Connector.
func (f *file) Driver() driver.Driver { return f.dsn.Driver() }

func (f *file) paths() []string { return []string{f.path, f.path + "-wal", f.path + "-shm"} }

// isGone reports whether what was opened has its name no more; mu is held.
func (f *file) isGone() bool {
	was := f.opened[f.path]
	if was == nil {
		return false
	}
	now, err := os.Stat(f.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, was)
}

// removeCompanions removes what a file that is gone left beside it: SQLite would lay that
// log over whatever file has the name now. Another log came with that file.
func (f *file) removeCompanions() error {
	var errs []error
	for _, path := range f.paths()[1:] {
		if now, err := os.Stat(path); err == nil && f.opened[path] != nil && os.SameFile(now, f.opened[path]) {
			errs = append(errs, os.Remove(path))
		}
	}
	f.opened = nil
	return errors.Join(errs...)
}

// vanished finds out now and then whether the file was removed or replaced: SQLite goes on
// with what nobody can read any more. Of no file it is false.
func (f *file) vanished() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookEvery {
		return false
	}
	if f.isGone() {
		return true
	}
	if f.opened != nil {
		f.note()
	}
	return false
}

// letGo closes the connection to a file that vanished; the next call makes another one.
func (s *State) letGo(ctx context.Context) error {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if !s.file.vanished() { // it was made just now
		return nil
	}
	s.log.Error("the file of the journal's counts was removed or replaced while it was in use; what the spool still has is counted again", "file", s.file.path)
	_ = c.Raw(func(any) error { return driver.ErrBadConn }) // which ends it
	return nil
}

// mayPass reports whether a fault to open a file may be over later, as that of a full disk.
func mayPass(err error) bool {
	for _, no := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, no) {
			return true
		}
	}
	e := (*sqlite.Error)(nil)
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM:
		return true
	}
	return false
}

func openSQLite(path string, v url.Values) (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteURI(path, v))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func sqliteURI(path string, v url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}
