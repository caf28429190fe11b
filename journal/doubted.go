package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"alignd/journal/spool"
)

// doubted is a record that a store failed on, while it is not known whether the record is
// why. from is the spool that it came through.
type doubted struct {
	from spool.ID
	Raw
}

func (r *doubted) name(store string) string { return asideName(store, r.from, r.Number) }

// left are the records that an earlier run was in doubt about when it was killed: their store
// may have passed over them. From now on the reading of the spool leaves them out.
func (a *aside) left(store string) (list []doubted) {
	found, _ := filepath.Glob(filepath.Join(a.dir, store+"-*"+suspect)) // the pattern is well-formed
	for _, path := range found {
		r, err := readDoubted(path)
		if errors.Is(err, ErrBrokenExport) || errors.Is(err, ErrNoExport) {
			_ = os.Remove(path) // it was being written, and the store had to wait for it
		}
		if err == nil {
			a.passed[r.name(store)] = true
			list = append(list, r)
		}
	}
	return list
}

// readDoubted reads a file of aside.write.
func readDoubted(path string) (r doubted, err error) {
	part := strings.Split(strings.TrimSuffix(filepath.Base(path), ".export"+suspect), "-")
	if len(part) != 3 {
		return r, errors.New("it is not named like a record set aside")
	}
	id, err := hex.DecodeString(part[1])
	if err != nil || len(id) != len(r.from) {
		return r, fmt.Errorf("no id of a spool: %q", part[1])
	}
	n, err := strconv.ParseUint(part[2], 16, 64)
	if err != nil {
		return r, err
	}
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	x, err := NewExportReader(f)
	if err != nil {
		return r, err
	}
	b, err := x.Next()
	if err != nil {
		return r, err
	}
	items, err := b.Items()
	if err != nil || len(items) != 1 {
		return r, errors.Join(err, ErrBrokenExport)
	}
	e, err := items[0].Entry()
	if err != nil {
		return r, err
	}
	e.Number = spool.Number(n)
	return doubted{spool.ID(id), Raw{Entry: *e, Encoded: items[0].Encoded()}}, nil
}

// passed says that the store has taken what is up to n of the spool that is read: it passed
// over those that are left of it below n. Of another spool nobody reads them again.
func (f *feed) passed(from spool.ID, n spool.Number) {
	f.left = slices.DeleteFunc(f.left, func(r doubted) bool {
		isPast := r.from != from || r.Number < n
		if isPast {
			f.unsure = append(f.unsure, r)
		}
		return isPast
	})
}
