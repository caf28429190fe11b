package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"strings"

	"alignd/journal"
	"alignd/journal/spool"
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

// tail is the last block of a file in use. It is written again with what comes next
// until it is full: a few records a second would fill blocks of a few each, which
// compress badly.
type tail struct {
	block  int64 // its id
	items  []byte
	count  int
	filter filter
	zip    journal.Block
}

// liveItems is how many items a block of a file in use has. More compress better and
// take who reads one of them longer. The number is ours.
const liveItems = 64

// next begins a further block.
func (t *tail) next() {
	t.block++
	t.items, t.count = t.items[:0], 0
	if t.filter == nil {
		t.filter = newFilter(liveItems)
	}
	clear(t.filter)
}

// insert writes a batch in one transaction. After an error the file is to be closed.
func (w *writing) insert(ctx context.Context, from spool.ID, batch []journal.Raw) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The driver begins a goroutine for each statement that could be cancelled. Those of
	// one batch are short, and none of them waits longer than busy_timeout.
	ctx = context.WithoutCancel(ctx)
	if _, err := w.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := w.conn.ExecContext(ctx, "ROLLBACK")
			err = errors.Join(err, undo)
		}
	}()
	names := map[journal.Key]string{}
	for rest := batch; len(rest) > 0; {
		if w.tail.filter == nil || w.tail.count >= liveItems {
			w.tail.next()
		}
		n := min(len(rest), liveItems-w.tail.count)
		if err := w.fill(ctx, rest[:n], names); err != nil {
			return err
		}
		w.tail.zip = journal.Pack(w.tail.zip, w.tail.items)
		if _, err := w.block.ExecContext(ctx, w.tail.block, []byte(w.tail.zip)); err != nil {
			return err
		}
		if _, err := w.filter.ExecContext(ctx, w.tail.block, []byte(w.tail.filter)); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := w.rowInserter.flush(ctx); err != nil {
		return err
	}
	for key, text := range names {
		if _, err := w.naming.ExecContext(ctx, int64(key), text); err != nil {
			return err
		}
	}
	last := int64(batch[len(batch)-1].Number)
	if _, err := w.marking.ExecContext(ctx, from[:], last); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	w.rows += int64(len(batch))
	w.learn(names)
	return nil
}

// fill adds entries to the tail, with their rows, and gathers names that the file lacks.
func (w *writing) fill(ctx context.Context, batch []journal.Raw, names map[journal.Key]string) error {
	t := &w.tail
	for i := range batch {
		t.items = journal.AppendItem(t.items, &batch[i])
		c := journal.ColumnsOf(&batch[i].Entry)
		if err := w.rowInserter.add(ctx, values(t.block<<placeBits|int64(t.count), &c)); err != nil {
			return err
		}
		t.filter.addColumns(&c)
		t.count++
		if !w.known[c.Author] || !w.known[c.MailFrom] || !w.known[c.Rule] {
			maps.Copy(names, journal.NamesOf(batch[i].Record))
		}
	}
	return nil
}

// maxKnown bounds what is remembered of names that a file has, so that a flood of
// different ones costs no memory.
const maxKnown = 20_000

// learn remembers names that the file has.
func (w *writing) learn(names map[journal.Key]string) {
	if len(w.known)+len(names) > maxKnown {
		clear(w.known)
		w.known[0] = true
	}
	for key := range names {
		w.known[key] = true
	}
}
