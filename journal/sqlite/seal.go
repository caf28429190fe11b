package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"alignd/journal"
)

// sealAfter is how long after midnight UTC a day's file is sealed, for messages that
// began before. The number is ours.
const sealAfter = 5 * time.Minute

// sealedBlock is when a block of a sealed file is full, in octets before compression. A
// reader of one record unpacks so much. The number is ours: twice of it saves one octet
// in a hundred.
const sealedBlock = 64 << 10

// dueToSeal is the oldest file in use that no record goes to any more, if there is one.
func (s *Store) dueToSeal(now time.Time) (name, bool, error) {
	list, err := files(s.opt.Dir)
	if err != nil {
		return name{}, false, err
	}
	today := now.UTC().Add(-sealAfter).Format(dayForm)
	for i, n := range list {
		last := i+1 == len(list) || list[i+1].day != n.day
		if n.sealed || last && n.day >= today || s.unsealable[n] {
			continue
		}
		if w := s.open[n.day]; w != nil && w.name == n {
			if time.Since(w.used) < sealAfter {
				continue
			}
			if err := s.shut(n.day); err != nil {
				return name{}, false, err
			}
		}
		return n, true, nil
	}
	return name{}, false, nil
}

// seal rewrites a file in use, with few large blocks and with indexes, and puts it in
// the place of the one in use. Whatever ends it before leaves that one as it is.
func (s *Store) seal(ctx context.Context, n name) error {
	done := n
	done.sealed = true
	path := filepath.Join(s.opt.Dir, done.String())
	fresh := path + ".new"
	if err := remove(fresh); err != nil {
		return err
	}
	if err := rewrite(ctx, s.opt.Dir, n, fresh, &pacer{hurry: s.opt.Hurry, began: time.Now()}); err != nil {
		return errors.Join(err, remove(fresh))
	}
	if err := syncFile(fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	if err := syncFile(s.opt.Dir); err != nil {
		return err
	}
	return remove(filepath.Join(s.opt.Dir, n.String()))
}

// leftovers removes what a kill left of sealing: a half-made file, and a file in use
// whose sealed form is complete.
func leftovers(dir string) error {
	made, err := filepath.Glob(filepath.Join(dir, "*.sealed.db"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range made {
		if m := nameForm.FindStringSubmatch(filepath.Base(path)); m != nil {
			errs = append(errs, remove(filepath.Join(dir, m[1]+"."+m[2]+".db")))
		}
	}
	half, err := filepath.Glob(filepath.Join(dir, "*.db.new"))
	for _, path := range half {
		errs = append(errs, remove(path))
	}
	return errors.Join(append(errs, err)...)
}

// remove removes a database with its companions.
func remove(path string) error {
	var errs []error
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + end); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// rewrite makes the sealed form of n at path.
func rewrite(ctx context.Context, dir string, n name, path string, p *pacer) (err error) {
	if err := create(path, os.O_EXCL); err != nil {
		return err
	}
	db, conn, err := open(ctx, path, "rw", "journal_mode(OFF)", "synchronous(OFF)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(), db.Close()) }()
	from, old, is, err := openReading(ctx, dir, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close(), from.Close()) }()
	if err := makeSchema(ctx, conn); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(copyTable(ctx, old, tx, "loaded", "spool, number"), copyTable(ctx, old, tx, "names", "key, name"), copyRecords(ctx, old, is, tx, p)); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, text := range append(indexes, "ANALYZE",
		"INSERT INTO meta (key, value) VALUES ('sealed', 1), ('rows', (SELECT count(*) FROM records))") {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return err
		}
		p.rest(ctx)
	}
	return nil
}

// copyTable copies a small table of two columns.
func copyTable(ctx context.Context, from *sql.Conn, to *sql.Tx, table, columns string) error {
	rows, err := from.QueryContext(ctx, "SELECT "+columns+" FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b any
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		if _, err := to.ExecContext(ctx, "INSERT INTO "+table+" ("+columns+") VALUES (?,?)", a, b); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sealing gathers items into the blocks of a sealed file.
type sealing struct {
	rows  inserter
	block *sql.Stmt
	with  *journal.Dictionary
	id    int64 // of the block that is gathered
	count int64 // of its items
	raw   []byte
	zip   journal.Block
}

func (b *sealing) flush(ctx context.Context) error {
	if b.count == 0 {
		return nil
	}
	b.zip = b.with.Pack(b.zip, b.raw)
	_, err := b.block.ExecContext(ctx, b.id, []byte(b.zip))
	b.id, b.count, b.raw = b.id+1, 0, b.raw[:0]
	return err
}

// dictionary makes one of items from the middle of a file, which are like most, and
// writes it into the sealed one.
func dictionary(ctx context.Context, from *sql.Conn, is layout, to *sql.Tx) (*journal.Dictionary, error) {
	var middle int64
	if err := from.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) / 2 FROM records").Scan(&middle); err != nil {
		return nil, err
	}
	page, err := is.copyPage(ctx, from, middle)
	if err != nil {
		return nil, err
	}
	var content []byte
	blocks := blockCache{conn: from, is: is}
	for _, row := range page {
		item, err := blocks.item(ctx, row.block, row.place)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", row.id, err)
		}
		if len(content)+len(item) > journal.MaxDictionary {
			break
		}
		content = append(content, item...)
	}
	if _, err := to.ExecContext(ctx, "INSERT INTO dictionaries (id, data) VALUES (1, ?)", []byte(journal.PackTight(nil, content))); err != nil {
		return nil, err
	}
	return journal.NewDictionary(content)
}

// copyRecords copies rows and blocks, a page at a time.
func copyRecords(ctx context.Context, from *sql.Conn, is layout, to *sql.Tx, p *pacer) (err error) {
	b := sealing{id: 1}
	if b.with, err = dictionary(ctx, from, is, to); err != nil {
		return err
	}
	if err := b.rows.prepare(ctx, to); err != nil {
		return errors.Join(err, b.rows.close())
	}
	defer func() { err = errors.Join(err, b.rows.close()) }()
	if b.block, err = to.PrepareContext(ctx, "INSERT INTO blocks (id, data) VALUES (?,?)"); err != nil {
		return err
	}
	defer b.block.Close()
	blocks := blockCache{conn: from, is: is}
	for after := int64(math.MinInt64); ; {
		page, err := is.copyPage(ctx, from, after)
		if err != nil {
			return err
		}
		for _, row := range page {
			if err := b.add(ctx, &blocks, row); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return errors.Join(b.rows.flush(ctx), b.flush(ctx))
		}
		after = page[len(page)-1].id
		p.rest(ctx)
	}
}

// oldRow is a row of the file that is sealed.
type oldRow struct {
	rowPlace
	values [rowWidth]int64 // none of layout 1
}

// add copies a row with its item.
func (b *sealing) add(ctx context.Context, blocks *blockCache, row oldRow) error {
	item, err := blocks.item(ctx, row.block, row.place)
	if err != nil {
		return fmt.Errorf("record %d: %w", row.id, err)
	}
	if row.values == [rowWidth]int64{} {
		e, err := item.Entry()
		if err != nil {
			return fmt.Errorf("record %d: %w", row.id, err)
		}
		c := journal.ColumnsOf(e)
		row.values = values(0, &c)
	}
	b.raw = append(b.raw, item...)
	row.values[0] = b.id<<placeBits | b.count
	if err := b.rows.add(ctx, row.values); err != nil {
		return err
	}
	if b.count++; len(b.raw) >= sealedBlock || b.count == maxItems {
		return b.flush(ctx)
	}
	return nil
}

// copyPage reads the next rows, oldest first.
func (l layout) copyPage(ctx context.Context, from *sql.Conn, after int64) (page []oldRow, err error) {
	columns := "id, " + l.place()
	if l > 1 {
		columns += ", " + rowColumns
	}
	rows, err := from.QueryContext(ctx, "SELECT "+columns+" FROM records WHERE id > ? ORDER BY id LIMIT ?", after, pageRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var row oldRow
		into := []any{&row.id, &row.block, &row.place}
		if l > 1 {
			for i := range row.values {
				into = append(into, &row.values[i])
			}
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		page = append(page, row)
	}
	return page, rows.Err()
}

// pacer keeps work that nobody waits for from taking a core of those that mail is checked
// on: a low priority alone does not, as the runtime counts a thread for a whole one.
type pacer struct {
	hurry bool
	began time.Time // of the work since the last rest
}

// restFor is how long a rest takes, as a multiple of the work before it; ours.
const restFor = 3

// rest waits, but not longer than until ctx ends.
func (p *pacer) rest(ctx context.Context) {
	if p.hurry {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(restFor * time.Since(p.began)):
	}
	p.began = time.Now()
}

// aside runs f in a thread of the lowest priority, which ends with it.
func aside(f func()) {
	runtime.LockOSThread() // and never unlocked: the runtime ends the thread
	lowerPriority()
	f()
}
