package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"alignd/journal"
	"alignd/journal/rights"
)

// Options say how state is written. The zero value is all defaults.
type Options struct {
	// Log hears what an admin should know; nil for nobody.
	Log *slog.Logger
	// Keep is how long records are kept, and after the last of them the configuration
	// that judged it; 0 is as long as counts.
	Keep time.Duration
	// KeepOthers is how long reports of others are kept; 0 is as long as counts.
	KeepOthers time.Duration
	// Later: that the file cannot be opened is no error of OpenFile where that may pass, as on
	// a full disk. Each call tries again.
	Later bool
	// Tally says what a record adds to reports; nil for nothing.
	Tally func(*journal.Entry) []Tally
}

// OpenFile opens the state of one host to be written, in a file of SQLite that is made
// if it is absent.
func OpenFile(ctx context.Context, path string, opt Options) (*State, error) {
	f, err := newFile(path)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(f)
	db.SetMaxOpenConns(1)
	s := newState(db, sqliteDialect, opt)
	s.file = f
	if err := s.ready(ctx); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
		if !opt.Later || !mayPass(err) {
			return nil, errors.Join(err, db.Close())
		}
		s.log.Error("the counts of the journal cannot be kept now, it is tried again", "err", err)
	}
	return s, nil
}

// ReadFile opens a file of OpenFile to be read, beside the process that writes it or
// without one.
func ReadFile(ctx context.Context, path string) (*State, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s, err := readFile(ctx, path, url.Values{"mode": {"ro"}})
	if !mayNotWrite(err) {
		return s, err
	}
	switch wal, failed := os.Stat(path + "-wal"); {
	case errors.Is(failed, os.ErrNotExist), failed == nil && wal.Size() == 0:
		// A copy in a folder that the reader cannot write, without the companions that it
		// would need. They hold nothing, so the file is whole, and nobody writes it.
		return readFile(ctx, path, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	case failed == nil:
		if _, failed := os.Stat(path + "-shm"); errors.Is(failed, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: its %s-shm was not copied, which a reader needs who cannot write the folder: copy it, too", path, filepath.Base(path))
		}
	}
	return nil, err
}

// mayNotWrite: SQLite lacks the right to make or to change what is beside the file.
func mayNotWrite(err error) bool {
	e := (*sqlite.Error)(nil)
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_CANTOPEN
}

func readFile(ctx context.Context, path string, v url.Values) (*State, error) {
	v.Add("_pragma", "busy_timeout(5000)")
	db, err := openSQLite(path, v)
	if err != nil {
		return nil, err
	}
	s := newState(db, sqliteDialect, Options{})
	s.readOnly = true
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	return s, nil
}

// OpenPostgres opens the state that hosts share, to be written. It does not reach for the
// server: each call does. Close closes db.
func OpenPostgres(db *sql.DB, opt Options) *State { return newState(db, postgresDialect, opt) }

// ReadPostgres opens it to be read.
func ReadPostgres(db *sql.DB) *State {
	s := newState(db, postgresDialect, Options{})
	s.readOnly = true
	return s
}

// ReadShared is ReadPostgres with a db that others use, too: Close leaves it open.
func ReadShared(db *sql.DB) *State {
	s := ReadPostgres(db)
	s.borrowed = true
	return s
}

// makeFile makes a file for the group to read, whatever the umask; SQLite gives its
// companions the rights that it has. A folder that is there keeps its own.
func makeFile(path string) error {
	if err := rights.MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := rights.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	return f.Close()
}
