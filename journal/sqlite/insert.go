package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"alignd/journal"
)

// rowColumns are the columns of a row, in the order of values.
const rowColumns = "id, time, queue, token, message, author, mailfrom, sender, client, rule, results"

const rowWidth = 11

// values are those of the row of a record.
func values(id int64, c *journal.Columns) [rowWidth]int64 {
	return [rowWidth]int64{id, c.Time, int64(c.Queue), int64(c.Token), int64(c.MessageID), int64(c.Author), int64(c.MailFrom),
		int64(c.Sender), c.Client, int64(c.Rule), c.Results()}
}

// manyRows is how many rows one statement inserts where there are as many: what a
// statement costs is shared. The number is ours.
const manyRows = 32

// inserter inserts rows, many at once.
type inserter struct {
	one, many *sql.Stmt
	args      []any
}

// in is what prepares statements: a connection or a transaction.
type in interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func (r *inserter) prepare(ctx context.Context, db in) (err error) {
	row := "(?" + strings.Repeat(",?", rowWidth-1) + ")"
	text := "INSERT INTO records (" + rowColumns + ") VALUES " + row
	if r.one, err = db.PrepareContext(ctx, text); err != nil {
		return err
	}
	r.many, err = db.PrepareContext(ctx, text+strings.Repeat(","+row, manyRows-1))
	return err
}

// within is r for a transaction.
func (r *inserter) within(ctx context.Context, tx *sql.Tx) inserter {
	return inserter{one: tx.StmtContext(ctx, r.one), many: tx.StmtContext(ctx, r.many), args: r.args}
}

func (r *inserter) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{r.one, r.many} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// add takes a row; flush inserts what is left.
func (r *inserter) add(ctx context.Context, row [rowWidth]int64) error {
	for _, v := range row {
		r.args = append(r.args, v)
	}
	if len(r.args) < manyRows*rowWidth {
		return nil
	}
	_, err := r.many.ExecContext(ctx, r.args...)
	r.args = r.args[:0]
	return err
}

func (r *inserter) flush(ctx context.Context) error {
	defer func() { r.args = r.args[:0] }()
	for at := 0; at < len(r.args); at += rowWidth {
		if _, err := r.one.ExecContext(ctx, r.args[at:at+rowWidth]...); err != nil {
			return err
		}
	}
	return nil
}

// tail is the last block of a file in use. A small one is written again with what comes
// next, as long as it is small: a few records a second would fill blocks of a few each,
// which compress badly.
type tail struct {
	block int64 // its id
	items []byte
	count int
}

// smallBlock is up to how many items a block is written again; ours.
const smallBlock = 64

// with is the tail after n more items.
func (t tail) with(n int) tail {
	if t.count == 0 || t.count+n > smallBlock {
		return tail{block: t.block + 1, items: t.items[:0]}
	}
	return t
}
