package state

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// dialect is where the databases differ. Statements are written once, in what both
// understand, with a question mark for each value and the types blob and bigint.
type dialect struct {
	name string
	// numbered: values are $1, $2 and so on.
	numbered bool
	// blob is the type of octets.
	blob string
	// tables names the tables at the place where ours are, or are to be.
	tables string
	// one, if set, makes transactions wait for each other that change what all hosts
	// share.
	one string
	// clock is the database's own time in seconds since 1970.
	clock string
	// snapshot is how a transaction is begun that reads several times.
	snapshot sql.TxOptions
}

var (
	sqliteDialect = dialect{
		name: "SQLite", blob: "blob",
		tables: "SELECT name FROM sqlite_schema WHERE type = 'table'",
		clock:  "SELECT unixepoch()",
	}
	postgresDialect = dialect{
		name: "PostgreSQL", numbered: true, blob: "bytea",
		tables:   "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'state\\_%'",
		one:      "SELECT pg_advisory_xact_lock(7236281903412)", // a number of ours
		clock:    "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint",
		snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	}
)

// text is a statement as the database reads it.
func (d *dialect) text(statement string) string {
	statement = strings.ReplaceAll(statement, "<blob>", d.blob)
	if !d.numbered {
		return statement
	}
	var b strings.Builder
	n := 0
	for _, c := range []byte(statement) {
		if c != '?' {
			b.WriteByte(c)
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// conn is a database, a connection of it or a transaction on it.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// exec says how many rows a statement changed.
func (s *State) exec(ctx context.Context, on conn, statement string, args ...any) (int64, error) {
	r, err := on.ExecContext(ctx, s.dialect.text(statement), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// rows hands each row to scan.
func (s *State) rows(ctx context.Context, on conn, scan func(*sql.Rows) error, statement string, args ...any) error {
	rows, err := on.QueryContext(ctx, s.dialect.text(statement), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// change runs f in a transaction that writes.
func (s *State) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// changeShared is change, with one at a time over all hosts.
func (s *State) changeShared(ctx context.Context, f func(*sql.Tx) error) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if s.dialect.one != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.one); err != nil {
				return err
			}
		}
		return f(tx)
	})
}

// look runs f in a transaction that reads one state of the database.
func (s *State) look(ctx context.Context, f func(*sql.Tx) error) error {
	opt := s.dialect.snapshot
	tx, err := s.db.BeginTx(ctx, &opt)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(tx)
}
