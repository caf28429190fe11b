package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"alignd/journal"
)

// openReading opens a file to be read, by whoever may read it.
func openReading(ctx context.Context, dir string, n name, pragmas ...string) (*sql.DB, *sql.Conn, layout, error) {
	path := filepath.Join(dir, n.String())
	if err := emptied(path); err != nil {
		return nil, nil, 0, err
	}
	db, conn, is, err := openChecked(ctx, path, "ro", pragmas...)
	if n.sealed && errors.Is(err, errEmpty) {
		return nil, nil, 0, fmt.Errorf("%s: %w: nothing is in it", path, errDamaged)
	}
	if c := codeOf(err); c != sqlite3.SQLITE_CANTOPEN && c != sqlite3.SQLITE_READONLY {
		return db, conn, is, err
	}
	// SQLite does not say which file, and why: look for the reason.
	if err := readable(path); err != nil {
		return nil, nil, 0, err
	}
	switch wal, err := os.Stat(path + "-wal"); {
	case errors.Is(err, os.ErrNotExist), err == nil && wal.Size() == 0:
		// A copy, which lacks the companions that a reader of a folder that it cannot
		// write needs. They hold nothing, so the file is whole, and nobody writes it.
		return openChecked(ctx, path, immutable, pragmas...)
	case err == nil && !there(path+"-shm"):
		return nil, nil, 0, fmt.Errorf("%s: its %s-shm was not copied, which a reader needs who cannot write the folder: copy it, too", path, n)
	}
	return nil, nil, 0, err
}

func openChecked(ctx context.Context, path, mode string, pragmas ...string) (*sql.DB, *sql.Conn, layout, error) {
	db, conn, err := open(ctx, path, mode, pragmas...)
	if err != nil {
		return nil, nil, 0, err
	}
	is, err := checkSchema(ctx, conn)
	if err != nil {
		conn.Close()
		db.Close()
		return nil, nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return db, conn, is, nil
}

// readable says why a file or its companions cannot be read; that there are none is no
// reason.
func readable(path string) error {
	for _, end := range []string{"", "-wal", "-shm"} {
		f, err := os.Open(path + end)
		if err == nil {
			f.Close()
		} else if end == "" || !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// codeOf is SQLite's primary result code; 0 for other errors.
func codeOf(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// readDictionaries makes the blocks of a file readable.
func readDictionaries(ctx context.Context, conn *sql.Conn, is layout) error {
	if is == 1 {
		return nil
	}
	rows, err := conn.QueryContext(ctx, "SELECT data FROM dictionaries")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		content, err := journal.Block(data).Unpack()
		if err != nil {
			return fmt.Errorf("dictionary: %w", err)
		}
		if err := journal.LearnDictionary(content); err != nil {
			return err
		}
	}
	return rows.Err()
}
