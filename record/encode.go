package record

import (
	"reflect"
)

// MaxSize is the most octets that an encoded record takes; ours. Append cuts
// what is longer, and Decode refuses it.
const MaxSize = 64 << 10

// Append appends r as it is kept (see Kept) to dst and returns the longer slice.
// It never fails and adds at most MaxSize octets. r is not changed. It is safe
// for concurrent use.
//
// The encoding is CBOR (RFC 8949), deterministic (section 4.2.1): an array of
// Version and a map. Structs are maps with the numbers of schema.go as keys,
// without fields that are zero; strings are byte strings, as mail may hold any
// octet; a time is its seconds since 1970, or an array of seconds and
// nanoseconds; an address is its 4 or 16 octets followed by its zone.
func Append(dst []byte, r *Record) []byte {
	dst, _ = keep(dst, r)
	return dst
}

// Kept is r in the form in which Append writes it and Decode reads it: with the
// short form of each b=, and cut where it would be longer than MaxSize, which
// Cut then tells. It is r itself when nothing is to be done. What it points to
// may be shared with r.
func Kept(r *Record) *Record {
	_, kept := keep(nil, r)
	return kept
}

// keep appends r and returns the form that it wrote.
func keep(dst []byte, r *Record) ([]byte, *Record) {
	r = withShortSignatures(r)
	start := len(dst)
	dst, ok := encode(dst, r)
	if ok && len(dst)-start <= MaxSize {
		return dst, r
	}
	r = cut(r)
	dst, _ = encode(dst[:start], r)
	return dst, r
}

// encode appends r as it is, whatever its size. It reports whether a reader
// takes all of its lists.
func encode(dst []byte, r *Record) ([]byte, bool) {
	w := writer{dst: dst}
	w.head(majorArray, 2)
	w.head(majorUint, Version)
	recordPlan.write(&w, reflect.ValueOf(r).Elem())
	return w.dst, !w.tooLong
}

// writer collects one record.
type writer struct {
	dst     []byte
	tooLong bool // a list has more entries than a reader takes
}

// size is how many octets v takes, or more than MaxSize when it cannot be kept.
func size(v reflect.Value) int {
	var w writer
	codecOf(v.Type()).write(&w, v)
	if w.tooLong {
		return MaxSize + len(w.dst)
	}
	return len(w.dst)
}

// The major types of CBOR (RFC 8949 section 3.1) that records use.
const (
	majorUint   = 0 << 5
	majorNegInt = 1 << 5
	majorBytes  = 2 << 5
	majorArray  = 4 << 5
	majorMap    = 5 << 5

	valueFalse = 0xf4
	valueTrue  = 0xf5
)

// head appends the head of a data item in its shortest form.
func (w *writer) head(major byte, n uint64) {
	switch {
	case n < 24:
		w.dst = append(w.dst, major|byte(n))
	case n < 1<<8:
		w.dst = append(w.dst, major|24, byte(n))
	case n < 1<<16:
		w.dst = append(w.dst, major|25, byte(n>>8), byte(n))
	case n < 1<<32:
		w.dst = append(w.dst, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	default:
		w.dst = append(w.dst, major|27, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32),
			byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

func (w *writer) int(n int64) {
	if n < 0 {
		w.head(majorNegInt, uint64(^n)) // -1-n (RFC 8949 section 3.1)
		return
	}
	w.head(majorUint, uint64(n))
}

func (w *writer) text(s string) {
	w.head(majorBytes, uint64(len(s)))
	w.dst = append(w.dst, s...)
}

// list appends the head of a list of n entries of type elem.
func (w *writer) list(n int, elem reflect.Type) {
	w.tooLong = w.tooLong || n > maxEntries(elem)
	w.head(majorArray, uint64(n))
}

// maxEntries is how many entries of type elem a list may have: what takes at
// most 1 MiB of memory when it is read, so that a few octets cannot ask for more.
func maxEntries(elem reflect.Type) int { return (1 << 20) / int(max(elem.Size(), 1)) }
