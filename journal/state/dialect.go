package state

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
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
	// shared: several hosts use it.
	shared bool
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
		name: "PostgreSQL", numbered: true, shared: true, blob: "bytea",
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

// exec says how many rows a statement changed. The tables are made ready where it is no
// part of a transaction.
func (s *State) exec(ctx context.Context, on conn, statement string, args ...any) (int64, error) {
	if on == s.db {
		if err := s.ready(ctx); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := on.ExecContext(ctx, s.dialect.text(statement), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// rows hands each row to scan. See exec.
func (s *State) rows(ctx context.Context, on conn, scan func(*sql.Rows) error, statement string, args ...any) error {
	if on == s.db {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
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

// answerWithin is how long a database may take for a statement or a transaction, so that
// one that hangs keeps nobody for longer. The number is ours.
const answerWithin = 30 * time.Second

// change runs f in a transaction that writes.
func (s *State) change(ctx context.Context, f func(*sql.Tx) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.transaction(ctx, nil, f)
}

// changeShared is change, with one at a time over all hosts.
func (s *State) changeShared(ctx context.Context, f func(*sql.Tx) error) error {
	return s.change(ctx, s.alone(ctx, f))
}

// alone has f wait for those of other hosts.
func (s *State) alone(ctx context.Context, f func(*sql.Tx) error) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		if s.dialect.one != "" {
			if _, err := s.exec(ctx, tx, s.dialect.one); err != nil {
				return err
			}
		}
		return f(tx)
	}
}

// look runs f in a transaction that reads one state of the database.
func (s *State) look(ctx context.Context, f func(*sql.Tx) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	opt := s.dialect.snapshot
	return s.transaction(ctx, &opt, f)
}

func (s *State) transaction(ctx context.Context, opt *sql.TxOptions, f func(*sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, opt)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rolledBack(tx.Rollback()))
	}
	return tx.Commit()
}

// rolledBack is nil where the transaction was over already.
func rolledBack(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
