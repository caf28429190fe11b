package record

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrLater says that a record was written by a later version of the program: it
// has a schema version or a field that this one does not know. Nothing of it is
// read, as the unknown part may change what the rest means.
var ErrLater = errors.New("written by a later version of alignd")

// Decode reads what Append wrote. It refuses, with an error that says what and
// where, everything else: more than MaxSize octets, octets after the record, and
// what a later version wrote (ErrLater). It takes memory in proportion to b. The
// strings of the record share one copy of b. It is safe for concurrent use.
func Decode(b []byte) (*Record, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("record: %d octets, at most %d are allowed", len(b), MaxSize)
	}
	r := reader{in: string(b)}
	rec := new(Record)
	if err := r.record(rec); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return rec, nil
}

func (r *reader) record(rec *Record) error {
	if n, err := r.count(majorArray); err != nil {
		return err
	} else if n != 2 {
		return r.corrupt("no pair of version and map")
	}
	switch version, err := r.uint(); {
	case err != nil:
		return err
	case version > Version:
		return fmt.Errorf("schema version %d, known up to %d: %w", version, Version, ErrLater)
	case version < 1:
		return r.corrupt("no schema version")
	}
	if err := recordPlan.read(r, reflect.ValueOf(rec).Elem()); err != nil {
		return err
	}
	if r.pos != len(r.in) {
		return r.corrupt("octets after the end")
	}
	return checkIndexes(rec)
}

// checkIndexes refuses what points outside of its list.
func checkIndexes(rec *Record) error {
	ev := &rec.Evidence
	for i := range ev.DMARC {
		for _, k := range ev.DMARC[i].AlignedDKIM {
			if k < 0 || k >= len(ev.DKIM) {
				return fmt.Errorf("an aligned signature %d of %d", k, len(ev.DKIM))
			}
		}
	}
	return nil
}

// reader reads one record.
type reader struct {
	in  string
	pos int
}

// corrupt is an error that tells where the reader stands.
func (r *reader) corrupt(what string) error { return fmt.Errorf("%s before octet %d", what, r.pos) }

// head reads the head of a data item of a definite length.
func (r *reader) head() (major byte, n uint64, err error) {
	if r.pos >= len(r.in) {
		return 0, 0, r.corrupt("the record ends")
	}
	c := r.in[r.pos]
	r.pos++
	major, n = c&0xe0, uint64(c&0x1f)
	if n < 24 {
		return major, n, nil
	}
	if n > 27 {
		return 0, 0, r.corrupt("a head of an unknown form")
	}
	width := 1 << (n - 24)
	if len(r.in)-r.pos < width {
		return 0, 0, r.corrupt("the record ends")
	}
	n = 0
	for range width {
		n = n<<8 | uint64(r.in[r.pos])
		r.pos++
	}
	return major, n, nil
}

// count reads the head of an array or a map.
func (r *reader) count(want byte) (int, error) {
	major, n, err := r.head()
	switch {
	case err != nil:
		return 0, err
	case major != want:
		return 0, r.corrupt("another type")
	case n > uint64(len(r.in)-r.pos): // each entry takes an octet
		return 0, r.corrupt("more entries than octets")
	}
	return int(n), nil
}

// list reads the head of a list of entries of type elem.
func (r *reader) list(elem reflect.Type) (int, error) {
	n, err := r.count(majorArray)
	if err == nil && n > maxEntries(elem) {
		err = r.corrupt("too long a list")
	}
	return n, err
}

// key reads the number of a field, which must be above last.
func (r *reader) key(last int) (uint64, error) {
	n, err := r.uint()
	switch {
	case err != nil:
		return 0, err
	case n > 1<<16:
		return 0, r.corrupt("too high a field number")
	case int(n) <= last:
		return 0, r.corrupt("a field number out of order")
	}
	return n, nil
}

func (r *reader) uint() (uint64, error) {
	major, n, err := r.head()
	if err == nil && major != majorUint {
		err = r.corrupt("another type")
	}
	return n, err
}

func (r *reader) int() (int64, error) {
	major, n, err := r.head()
	switch {
	case err != nil:
		return 0, err
	case major != majorUint && major != majorNegInt:
		return 0, r.corrupt("another type")
	case n > 1<<63-1:
		return 0, r.corrupt("a number out of range")
	case major == majorNegInt:
		return ^int64(n), nil
	}
	return int64(n), nil
}

func (r *reader) bool() (bool, error) {
	if r.pos >= len(r.in) {
		return false, r.corrupt("the record ends")
	}
	c := r.in[r.pos]
	r.pos++
	if c != valueTrue && c != valueFalse {
		return false, r.corrupt("another type")
	}
	return c == valueTrue, nil
}

func (r *reader) text() (string, error) {
	major, n, err := r.head()
	switch {
	case err != nil:
		return "", err
	case major != majorBytes:
		return "", r.corrupt("another type")
	case n > uint64(len(r.in)-r.pos):
		return "", r.corrupt("the record ends")
	}
	s := r.in[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return s, nil
}

// time reads seconds, or an array of seconds and nanoseconds.
func (r *reader) time() (seconds, nanoseconds int64, err error) {
	if r.pos < len(r.in) && r.in[r.pos]&0xe0 != majorArray {
		seconds, err = r.int()
		return seconds, 0, err
	}
	n, err := r.count(majorArray)
	if err == nil && n != 2 {
		err = r.corrupt("no pair of seconds and nanoseconds")
	}
	if err != nil {
		return 0, 0, err
	}
	if seconds, err = r.int(); err != nil {
		return 0, 0, err
	}
	nanoseconds, err = r.int()
	if err == nil && (nanoseconds < 0 || nanoseconds > 999_999_999) {
		err = r.corrupt("a number out of range")
	}
	return seconds, nanoseconds, err
}

// skip passes over one data item, whatever it holds.
func (r *reader) skip() error {
	for left := 1; left > 0; left-- {
		if r.pos < len(r.in) && (r.in[r.pos] == valueTrue || r.in[r.pos] == valueFalse) {
			r.pos++
			continue
		}
		major, n, err := r.head()
		if err != nil {
			return err
		}
		inside := uint64(len(r.in) - r.pos)
		switch {
		case major == majorUint || major == majorNegInt:
		case n > inside:
			return r.corrupt("the record ends")
		case major == majorBytes:
			r.pos += int(n)
		case major == majorArray:
			left += int(n)
		case major == majorMap:
			left += 2 * int(n)
		default:
			return r.corrupt("another type")
		}
	}
	return nil
}
