package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"modernc.org/sqlite"

	"alignd/journal"
	"alignd/journal/rights"
)

const (
	dayForm   = "2006-01-02"
	immutable = "immutable"
)

// name is what a file is called by: the day it is about, its part, and whether it is
// sealed.
type name struct {
	day    string
	part   int
	sealed bool
}

func (n name) String() string {
	if n.sealed {
		return fmt.Sprintf("%s.%d.sealed.db", n.day, n.part)
	}
	return fmt.Sprintf("%s.%d.db", n.day, n.part)
}

var nameForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)\.(\d{1,6})(\.sealed)?\.db$`)

// files lists a journal, oldest first. Of a file in use whose sealed form is there, too,
// only that is listed: it is complete.
func files(dir string) ([]name, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []name
	for _, e := range entries {
		m := nameForm.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		part, _ := strconv.Atoi(m[2])
		list = append(list, name{day: m[1], part: part, sealed: m[3] != ""})
	}
	slices.SortFunc(list, func(a, b name) int {
		if c := cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.part, b.part)); c != 0 {
			return c
		}
		return map[bool]int{true: -1, false: 1}[a.sealed]
	})
	return slices.CompactFunc(list, func(a, b name) bool { return a.day == b.day && a.part == b.part }), nil
}

// open opens a file by its mode of SQLite's URIs: rwc to write, ro to read; immutable is
// ro where nobody writes.
func open(ctx context.Context, path, mode string, pragmas ...string) (*sql.DB, *sql.Conn, error) {
	v := url.Values{"mode": {mode}}
	if mode == immutable {
		v = url.Values{"mode": {"ro"}, "immutable": {"1"}}
	}
	for _, p := range append(pragmas, "busy_timeout(5000)") {
		v.Add("_pragma", p)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+v.Encode())
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, conn, nil
}

// create makes a file; SQLite gives its companions the rights and the owner that it has.
func create(path string, flag int) error {
	f, err := rights.Open(path, os.O_RDWR|os.O_CREATE|flag)
	if err != nil {
		return err
	}
	return f.Close()
}

// writing is a file in use, open to be written.
type writing struct {
	name name
	path string
	db   *sql.DB
	conn *sql.Conn

	rowInserter     inserter
	block, filter   *sql.Stmt
	naming, marking *sql.Stmt // names, and what is loaded

	layout layout
	rows   int64 // that it has
	tail   tail
	loaded map[[16]byte]int64
	known  map[journal.Key]bool // keys whose names it has
	used   time.Time
	file   os.FileInfo // as it was opened
	beside []companion // -wal and -shm, as they were opened
	looked time.Time   // when isThere last did
}

// openWriting opens a file in use, making it if needed.
func openWriting(ctx context.Context, dir string, n name) (_ *writing, err error) {
	w := &writing{name: n, path: filepath.Join(dir, n.String()), loaded: map[[16]byte]int64{}, known: map[journal.Key]bool{0: true}}
	if err := checkUntouched(ctx, dir, n); err != nil {
		return nil, err
	}
	if err := create(w.path, 0); err != nil {
		return nil, err
	}
	if w.file, err = os.Stat(w.path); err != nil {
		return nil, err
	}
	w.looked = time.Now()
	// What is added goes to few pages: a cache of the usual 2 MiB would only be filled.
	w.db, w.conn, err = open(ctx, w.path, "rw", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-512)")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.close()
			err = fmt.Errorf("%s: %w", w.path, err)
		}
	}()
	err = w.conn.Raw(func(c any) error {
		_, err := c.(sqlite.FileControl).FileControlPersistWAL("main", 1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if w.layout, err = checkSchema(ctx, w.conn); errors.Is(err, errEmpty) {
		w.layout, err = version, makeSchema(ctx, w.conn)
	}
	if err != nil || !w.layout.current() {
		return w, err
	}
	if err = w.read(ctx); err != nil {
		return nil, err
	}
	w.beside = companionsOf(w.path)
	err = w.prepare(ctx)
	return w, err
}

// prepare prepares the statements that insert.
func (w *writing) prepare(ctx context.Context) error {
	if err := w.rowInserter.prepare(ctx, w.conn); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&w.block, "INSERT OR REPLACE INTO blocks (id, data) VALUES (?,?)"},
		{&w.filter, "INSERT OR REPLACE INTO filters (block, data) VALUES (?,?)"},
		{&w.naming, "INSERT OR IGNORE INTO names (key, name) VALUES (?,?)"},
		{&w.marking, "INSERT OR REPLACE INTO loaded (spool, number) VALUES (?,?)"},
	} {
		var err error
		if *p.stmt, err = w.conn.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

// rowCount is how many rows a file has; a sealed one says it.
const rowCount = "coalesce((SELECT value FROM meta WHERE key = 'rows'), (SELECT count(*) FROM records))"

// read finds out where the file stands.
func (w *writing) read(ctx context.Context) error {
	err := w.conn.QueryRowContext(ctx, "SELECT "+rowCount+", (SELECT coalesce(max(id), 0) FROM blocks)").
		Scan(&w.rows, &w.tail.block)
	if err != nil {
		return err
	}
	rows, err := w.conn.QueryContext(ctx, "SELECT spool, number FROM loaded")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
		if len(id) == 16 {
			w.loaded[[16]byte(id)] = n
		}
	}
	return rows.Err()
}

func (w *writing) close() error {
	var errs []error
	errs = append(errs, w.rowInserter.close())
	for _, s := range []*sql.Stmt{w.block, w.filter, w.naming, w.marking} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	if w.db != nil {
		errs = append(errs, w.db.Close())
	}
	return errors.Join(errs...)
}

// loadedOf reads what a file has taken of a spool.
func loadedOf(ctx context.Context, dir string, n name, from [16]byte) (number int64, err error) {
	db, conn, _, err := openReading(ctx, dir, n)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	defer conn.Close()
	err = conn.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM loaded WHERE spool = ?", from[:]).Scan(&number)
	return number, err
}
