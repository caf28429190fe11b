// Package sqlite keeps a journal in SQLite files, for one host.
//
// Records lie by UTC day in files DAY.N.db. The one in use has no secondary index, as
// each costs more to keep up than all else of a row; once the day is over, or at
// MaxRows, it is rewritten into a file DAY.N.sealed.db with larger blocks and with
// indexes, at low priority. A sealed file is never written again.
//
// A file holds search columns, one row a record, and blocks of encoded records,
// compressed by zstd. What it has taken, by spool, is written in the transaction of the
// records themselves.
//
// The file in use is in WAL mode with its companions kept when it is closed, so that
// users who may only read the directory can read it whether the daemon runs, was
// stopped, or was killed.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// product and version say what a file is.
const (
	product = "alignd journal"
	version = 1
)

// schema is that of version 1. docs/journal.md tells of it.
const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE loaded (spool BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE names (key INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE records (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	queue INTEGER NOT NULL,
	token INTEGER NOT NULL,
	message INTEGER NOT NULL,
	author INTEGER NOT NULL,
	mailfrom INTEGER NOT NULL,
	network INTEGER NOT NULL,
	rule INTEGER NOT NULL,
	results INTEGER NOT NULL,
	block INTEGER NOT NULL,
	place INTEGER NOT NULL
);
`

// indexes are what a sealed file has besides.
var indexes = []string{
	"CREATE INDEX by_queue ON records (queue)",
	"CREATE INDEX by_token ON records (token)",
	"CREATE INDEX by_message ON records (message)",
	"CREATE INDEX by_author ON records (author)",
	"CREATE INDEX by_mailfrom ON records (mailfrom)",
	"CREATE INDEX by_network ON records (network)",
}

// ErrForeign: a file is no journal of a version that is known.
var ErrForeign = errors.New("it is no journal that this version reads")

// make writes the schema into an empty database.
func makeSchema(ctx context.Context, db *sql.Conn) error {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "INSERT INTO meta VALUES ('product', ?), ('version', ?)", product, version)
	return err
}

// checkSchema says what a file is if it is not ours.
func checkSchema(ctx context.Context, db *sql.Conn) error {
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		return errEmpty
	}
	var got string
	var v int
	err := db.QueryRowContext(ctx, "SELECT (SELECT value FROM meta WHERE key='product'), (SELECT value FROM meta WHERE key='version')").Scan(&got, &v)
	switch {
	case err != nil || got != product:
		return fmt.Errorf("%w: tables of another product", ErrForeign)
	case v > version:
		return fmt.Errorf("%w: version %d, this one reads up to %d", ErrForeign, v, version)
	}
	return nil
}

var errEmpty = errors.New("the file is empty")
