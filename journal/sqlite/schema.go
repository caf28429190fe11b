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
//
// # Versions
//
// A file says the version of its schema, and the oldest version whose programs may read
// it and write it on. What is added to a schema comes with a default and is passed over
// by an older program, which names the columns that it means; only what goes or changes
// its meaning shuts older programs out. So the first release that writes a new column
// leaves the old one, and a later one takes it away. Files of older versions are read as
// they are. One in use is not written on, but followed by a further one; it gets the
// newer form when it is sealed.
//
// # Files
//
//	store.go      what a loader writes to; insert.go: one batch; seal.go: a day that is over
//	file.go       names of files
//	reading.go    files opened to be read; kept.go: kept open; ahead.go: opened beforehand
//	search.go     a Reader and its searches; condition.go, filter.go: what columns say of a query
//	newest.go     the newest entry of many queries; scan.go: all entries; survey.go: how many
//	retention.go  what goes; backup.go: copies; damage.go: files that are broken
//	health.go     how a store does
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"alignd/journal"
)

// product and version say what a file is.
const (
	product = "alignd journal"
	version = 2
	// reads is the oldest version whose programs may read and write files of version.
	reads = 2
)

// schema is that of version. docs/journal.md tells of it.
const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE loaded (spool BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE filters (block INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE names (key INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE records (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	queue INTEGER NOT NULL,
	token INTEGER NOT NULL,
	message INTEGER NOT NULL,
	author INTEGER NOT NULL,
	mailfrom INTEGER NOT NULL,
	sender INTEGER NOT NULL,
	client INTEGER NOT NULL,
	rule INTEGER NOT NULL,
	results INTEGER NOT NULL
);
`

// indexes are what a sealed file has besides.
var indexes = []string{
	"CREATE INDEX by_queue ON records (queue)",
	"CREATE INDEX by_token ON records (token)",
	"CREATE INDEX by_message ON records (message)",
	"CREATE INDEX by_author ON records (author)",
	"CREATE INDEX by_mailfrom ON records (mailfrom, sender)",
	"CREATE INDEX by_client ON records (client)",
}

// placeBits is how many bits of a record's id are its place in its block; those above
// are the block's id.
const placeBits = 16

// maxItems is how many items a block has at most.
const maxItems = 1 << placeBits

// view shows the columns to people who ask with sqlite3. Its columns are those that
// the view of the same name has in the other store.
func view() string {
	name := func(key string) string { return "(SELECT name FROM names WHERE key = r." + key + ")" }
	const v4 = "CASE WHEN client BETWEEN 0 AND 4294967295 THEN printf('%d.%d.%d."
	const v4of, v6of = "client >> 24, client >> 16 & 255, client >> 8 & 255", "client >> 48 & 65535, client >> 32 & 65535, client >> 16 & 65535"
	columns := []string{
		"id",
		"strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time",
		name("author") + " AS author_domain",
		name("mailfrom") + " AS mail_from_domain",
		v4 + "%d', " + v4of + ", client & 255) WHEN client <> -1 THEN printf('%x:%x:%x:%x::/64', " + v6of + ", client & 65535) END AS client",
		v4 + "0/24', " + v4of + ") WHEN client <> -1 THEN printf('%x:%x:%x::/48', " + v6of + ") END AS client_network",
		name("rule") + " AS rule",
		digit(6, journal.Results) + " AS spf",
		digit(5, journal.Results) + " AS dkim",
		digit(4, journal.Results) + " AS arc",
		digit(3, journal.Results) + " AS dmarc",
		digit(2, journal.Dispositions) + " AS disposition",
		digit(1, journal.Deliveries) + " AS delivery",
		digit(7, journal.Deliveries) + " AS would",
		"CASE results % 10 WHEN 0 THEN 'written' WHEN 1 THEN 'lost' ELSE 'unknown' END AS answer",
	}
	return "CREATE VIEW messages AS SELECT\n\t" + strings.Join(columns, ",\n\t") + "\nFROM records r"
}

// digit is the word for a digit of results, the last one being 0; NULL for none.
func digit[T ~string](n int, words []T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CASE results / %d %% 10", powerOf10(n))
	for i, w := range words {
		fmt.Fprintf(&b, " WHEN %d THEN '%s'", i+1, w)
	}
	return b.String() + " END"
}

func powerOf10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// ErrForeign: a file is no journal of a version that is known.
var ErrForeign = errors.New("it is no journal that this version reads")

// errOther: nobody but its owner knows what a file is worth.
var errOther = fmt.Errorf("%w: tables of another product", ErrForeign)

// makeSchema writes the schema into an empty database.
func makeSchema(ctx context.Context, db *sql.Conn) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, text := range []string{schema, view(), fmt.Sprintf("INSERT INTO meta VALUES ('product', '%s'), ('version', %d), ('reads', %d)", product, version, reads)} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// checkSchema is the version of a file, or says what it is if it is not ours.
func checkSchema(ctx context.Context, db *sql.Conn) (layout, error) {
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, errEmpty
	}
	var got string
	var is, needs int
	err := db.QueryRowContext(ctx, `SELECT (SELECT value FROM meta WHERE key = 'product'), (SELECT value FROM meta WHERE key = 'version'),
		coalesce((SELECT value FROM meta WHERE key = 'reads'), 1)`).Scan(&got, &is, &needs)
	switch c := codeOf(err); {
	case c != 0 && c != sqlite3.SQLITE_ERROR: // the file or its disk, not what is in it
		return 0, err
	case err != nil || got != product || is < 1:
		return 0, errOther
	case needs > version:
		return 0, fmt.Errorf("%w: a later alignd wrote it, with version %d of the schema; this one reads up to %d", ErrForeign, is, version)
	}
	return layout(is), nil
}

var errEmpty = errors.New("the file is empty")

// layout is the version of a file that is read. Above version it is one whose additions
// are passed over.
type layout int

// place are the columns, or what stands for them, that say where a record is.
func (l layout) place() string {
	if l == 1 {
		return "block, place"
	}
	return fmt.Sprintf("id >> %d, id & %d", placeBits, maxItems-1)
}

// current: the daemon writes on in a file of this layout.
func (l layout) current() bool { return l >= version }
