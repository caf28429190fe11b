package journal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"alignd/internal/owned"
	"alignd/journal/rights"
	"alignd/journal/spool"
	"alignd/record"
)

// ErrRecord: a store cannot take a record for what is in it, now or later.
var ErrRecord = errors.New("the store does not take the record")

// byRecord reports whether a record may be why a store failed, and not the store. Whether
// it is shows when the store takes the next one.
func byRecord(err error) bool {
	return err != nil && !errors.Is(err, ErrMended) && (errors.Is(err, owned.ErrPanic) || errors.Is(err, ErrRecord) || refused(err))
}

// refused: PostgreSQL answered, and takes no such values. Classes of SQLSTATE: data
// exception, integrity constraint violation, program limit exceeded.
func refused(err error) bool {
	var answer interface{ SQLState() string }
	return errors.As(err, &answer) && len(answer.SQLState()) == 5 && slices.Contains([]string{"22", "23", "54"}, answer.SQLState()[:2])
}

// asideDir is the folder, below the spool's, of records that a store fails on; maxAside is
// how many of them are kept as files, further ones are only passed over. The number is ours.
const (
	asideDir = "aside"
	maxAside = 256
	suspect  = ".suspect" // behind a name while it is not known whether the record is why
)

// aside are records that a store fails on, so that it takes those behind them. Each is a
// file in the form of an export. It is the loader's goroutine's.
type aside struct {
	dir    string
	passed map[string]bool // by name
	files  int
}

func openAside(spoolDir string) *aside {
	a := &aside{dir: filepath.Join(spoolDir, asideDir), passed: map[string]bool{}}
	list, _ := os.ReadDir(a.dir) // without it they fail once more and are set aside anew
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), suspect) {
			a.passed[e.Name()] = true
			a.files++
		}
	}
	return a
}

// SetAside counts the records that are kept aside of the spool in dir.
func SetAside(dir string) int { return openAside(dir).files }

func asideName(store string, from spool.ID, n spool.Number) string {
	return fmt.Sprintf("%s-%s-%016x.export", store, from, uint64(n))
}

// without is list without what was set aside before.
func (a *aside) without(store string, from spool.ID, list []Raw) []Raw {
	if len(a.passed) == 0 {
		return list
	}
	var rest []Raw
	for i := range list {
		if !a.passed[asideName(store, from, list[i].Number)] {
			rest = append(rest, list[i])
		}
	}
	return rest
}

// write keeps a suspect, before a store may pass over it. Beyond the bound nothing is kept.
func (a *aside) write(name string, r *Raw) (err error) {
	if a.files >= maxAside {
		return nil
	}
	if err := rights.MakeDir(a.dir); err != nil {
		return err
	}
	f, err := rights.Open(filepath.Join(a.dir, name+suspect), os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	x, err := NewExportWriter(f, ExportHeader{ID: hex.EncodeToString(id[:]), Created: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		first := *r
		first.Number = 1 // of the export
		err = errors.Join(x.Add(&first), x.Close())
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// settle says of a suspect whether it is the record that the store fails on, and returns
// whether it is kept.
func (a *aside) settle(name string, isIt bool) (kept bool) {
	path := filepath.Join(a.dir, name)
	if !isIt {
		_ = os.Remove(path + suspect)
		return false
	}
	a.passed[name] = true
	if a.files < maxAside && os.Rename(path+suspect, path) == nil {
		a.files++
		return true
	}
	return false
}

// clear says of suspects that nobody knows yet.
func (a *aside) clear(store string, list []doubted) {
	for i := range list {
		a.settle(list[i].name(store), false)
	}
}

// give hands a list to a store: as a whole, and where it failed twice by what may be a
// record, one by one.
func (l *Loader) give(f *feed, from spool.ID, list []Raw) error {
	if list = l.aside.without(f.name, from, list); len(list) == 0 {
		return nil
	}
	err := l.makeSure(f)
	if err == nil {
		err = l.whole(f, from, list)
	}
	if err == nil {
		f.passed(from, list[len(list)-1].Number)
		err = l.makeSure(f)
	}
	if !byRecord(err) {
		return err
	}
	if !f.careful { // of a store that gathers, it may be a record of an earlier list
		f.careful = true
		return err
	}
	return l.singly(f, from, list)
}

// whole hands on a list. Of a store that may fail by a record nothing is left in memory.
func (l *Loader) whole(f *feed, from spool.ID, list []Raw) error {
	err := f.store.Take(l.ctx, from, list)
	if g, gathers := f.store.(Gatherer); gathers && f.careful && err == nil {
		err = g.Flush(l.ctx)
	}
	if err != nil {
		return err
	}
	if f == l.feeds[0] && from == l.spool.ID() {
		l.loaded(list)
	}
	return nil
}

// singly hands on one record after the other. Those that fail are handed on once more when
// the store has taken the next one behind them.
func (l *Loader) singly(f *feed, from spool.ID, list []Raw) (err error) {
	var suspects []doubted
	var cause error
	for i := range list {
		r := &list[i]
		name := asideName(f.name, from, r.Number)
		err := l.whole(f, from, list[i:i+1])
		switch {
		case err == nil:
			f.passed(from, r.Number)
			f.unsure, suspects, cause = append(f.unsure, suspects...), nil, nil
			err = l.makeSure(f)
		case byRecord(err):
			suspects, cause = append(suspects, doubted{from, r.clone()}), err
			if err = l.aside.write(name, r); err != nil {
				err = fmt.Errorf("a record that it fails on cannot be set aside: %w", err)
			}
		}
		if err != nil {
			l.aside.clear(f.name, suspects)
			return err
		}
	}
	if cause != nil {
		l.aside.clear(f.name, suspects)
		l.fewer = (l.fewer + 1) % (maxHeld / 8) // next time another record is the last of a list
	}
	return cause
}

// makeSure hands on again what a store failed on and has passed over since: it works now, or
// did a moment ago. What it takes it did not have; what it fails on is set aside. The number
// of these records is below what it has of the spool, so they come by another id.
func (l *Loader) makeSure(f *feed) error {
	for len(f.unsure) > 0 {
		f.careful = true // the file goes once the store has it on disk
		r := f.unsure[0]
		err := l.whole(f, asideID(r.from), []Raw{r.Raw})
		if err != nil && !byRecord(err) {
			return err
		}
		f.unsure = f.unsure[1:]
		if err != nil {
			l.setAside(f, &r, err)
			continue
		}
		l.aside.settle(r.name(f.name), false)
		if f == l.feeds[0] {
			l.set(func(s *Status) { s.Loaded++ })
		}
	}
	return nil
}

func asideID(of spool.ID) spool.ID {
	sum := sha256.Sum256(append([]byte("set aside "), of[:]...))
	return spool.ID(sum[:len(spool.ID{})])
}

// clone is an entry that stays when its list is used again.
func (r *Raw) clone() Raw {
	c := *r
	c.Encoded = bytes.Clone(r.Encoded)
	if again, err := record.Decode(c.Encoded); err == nil { // it was decoded before
		c.Record = again
	}
	return c
}

func (l *Loader) setAside(f *feed, r *doubted, cause error) {
	if len(l.aside.passed) >= maxTold { // more is not remembered; what is on disk is
		clear(l.aside.passed)
	}
	name := r.name(f.name)
	if kept := l.aside.settle(name, true); !kept {
		name = ""
	}
	l.set(func(s *Status) { s.Aside++ })
	l.log.Error("the journal fails on a record and goes on without it", "store", f.name, "number", uint64(r.Number),
		"queue_id", r.Record.Evidence.QueueID, "aside", name, "err", cause)
}
