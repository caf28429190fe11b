package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Kept has sealed files stay open for the next question, by whichever Reader: to open one
// and to learn what it is takes as long as most questions to it, and 90 days have 90. A
// file is used again only if what has its name is what was opened: who removes, replaces or
// puts aside a file need not ask. It is safe for concurrent use.
type Kept struct {
	dir string

	mu     sync.Mutex
	idle   map[name][]*opened
	count  int // of idle
	closed bool
	prune  *time.Timer
}

// The numbers are ours.
const (
	// keptMost is how many stay open: each takes a descriptor and some 100 KiB.
	keptMost = 200
	// keptIdle is how long one waits for a question, and pruneEvery how long at most it
	// stays open, and on the disk, once it was removed.
	keptIdle   = 10 * time.Minute
	pruneEvery = 30 * time.Second
	// keptLongest is how long one stays open that is asked again and again: what makes its
	// blocks readable is forgotten a day after it was opened (journal.LearnDictionary).
	keptLongest = 12 * time.Hour
)

// keptPages is what of a file SQLite has in memory, so that 200 take little.
const keptPages = "cache_size(-256)"

// NewKept opens nothing yet.
func NewKept(dir string) *Kept { return &Kept{dir: dir, idle: map[name][]*opened{}} }

// Reader reads the journal by files that stay open.
func (k *Kept) Reader() *Reader { return &Reader{dir: k.dir, kept: k} }

// Close closes the files that wait, and each other one once its question is answered.
func (k *Kept) Close() error {
	k.mu.Lock()
	k.closed = true
	if k.prune != nil {
		k.prune.Stop()
	}
	all := k.take(func(*opened) bool { return true })
	k.mu.Unlock()
	return closeAll(all)
}

// Warm opens what will be asked, the newest file first.
func (k *Kept) Warm(ctx context.Context) {
	list, err := files(k.dir)
	if err != nil {
		return // who asks hears of it
	}
	r := k.Reader()
	for i := range list[:min(len(list), keptMost)] {
		if n := list[len(list)-1-i]; n.sealed && ctx.Err() == nil {
			if f, err := r.open(ctx, n); err == nil {
				r.done(f, nil)
			}
		}
	}
}

// take removes from idle those that are so. The caller has mu.
func (k *Kept) take(so func(*opened) bool) (taken []*opened) {
	for n, list := range k.idle {
		var stay []*opened
		for _, f := range list {
			if so(f) {
				taken = append(taken, f)
			} else {
				stay = append(stay, f)
			}
		}
		if k.idle[n] = stay; len(stay) == 0 {
			delete(k.idle, n)
		}
	}
	k.count -= len(taken)
	return taken
}

// get is a file that waits, if it is what has its name now.
func (k *Kept) get(n name) *opened {
	now, err := os.Stat(filepath.Join(k.dir, n.String()))
	k.mu.Lock()
	list := k.idle[n]
	var old []*opened
	var found *opened
	if len(list) > 0 {
		if err == nil && sameFile(list[len(list)-1].file, now) {
			found, k.idle[n] = list[len(list)-1], list[:len(list)-1]
			k.count--
		} else {
			old = k.take(func(f *opened) bool { return f.name == n })
		}
	}
	k.mu.Unlock()
	_ = closeAll(old) // nothing was written
	return found
}

// put has a file wait for the next question.
func (k *Kept) put(f *opened) {
	f.put = time.Now()
	k.mu.Lock()
	room := !k.closed && k.count < keptMost && f.put.Sub(f.opened) < keptLongest
	if room {
		k.idle[f.name] = append(k.idle[f.name], f)
		k.count++
		if k.prune == nil {
			k.prune = time.AfterFunc(pruneEvery, k.forget)
		}
	}
	k.mu.Unlock()
	if !room {
		_ = f.close()
	}
}

// forget closes what waited for long, and what has its name no more.
func (k *Kept) forget() {
	k.mu.Lock()
	old := k.take(func(f *opened) bool {
		now, err := os.Stat(filepath.Join(k.dir, f.name.String()))
		return time.Since(f.put) >= keptIdle || err != nil || !sameFile(f.file, now)
	})
	k.prune = nil
	if k.count > 0 && !k.closed {
		k.prune = time.AfterFunc(pruneEvery, k.forget)
	}
	k.mu.Unlock()
	_ = closeAll(old)
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// opened is a file that is open to be read.
type opened struct {
	name   name
	file   os.FileInfo // which one it is; nil where it does not stay open
	db     *sql.DB
	conn   *sql.Conn
	layout layout
	// learned: its blocks are readable.
	learned bool
	opened  time.Time
	put     time.Time // when it was given back
}

func (f *opened) close() error { return errors.Join(f.conn.Close(), f.db.Close()) }

func closeAll(list []*opened) error {
	var errs []error
	for _, f := range list {
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}

// open opens a file, or takes one that stayed open.
func (r *Reader) open(ctx context.Context, n name) (*opened, error) {
	if r.kept == nil || !n.sealed {
		db, conn, is, err := openReading(ctx, r.dir, n)
		return &opened{name: n, db: db, conn: conn, layout: is}, err
	}
	if f := r.kept.get(n); f != nil {
		return f, nil
	}
	path := filepath.Join(r.dir, n.String())
	before, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	db, conn, is, err := openReading(ctx, r.dir, n, keptPages)
	if err != nil {
		return nil, err
	}
	f := &opened{name: n, db: db, conn: conn, layout: is, opened: time.Now()}
	if after, err := os.Stat(path); err == nil && sameFile(before, after) {
		f.file = after
	}
	return f, nil
}

// done gives a file back. After an error it is looked at anew.
func (r *Reader) done(f *opened, err error) {
	if f.file != nil && (err == nil || errors.As(err, new(foundError))) {
		r.kept.put(f)
		return
	}
	_ = f.close() // nothing was written
}
