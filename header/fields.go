// Package header holds the header section of a message as it came: raw fields
// in order, with an index by name, and the Author Domains of RFC5322.From.
//
// Fields is filled by Add (from a milter session) or by Read (from a file).
// Nothing is interpreted on the way in: what a signature covers is the octets
// that arrived. Two things are evened out, because no MTA keeps them: line
// ends inside a field are CRLF, and the CRLF that ends a field is left off.
//
// # Files
//
//	fields.go       the fields of a message; read.go: from a file
//	from.go         the Author Domains: whom may a reader see as the author?
//	fromlist.go     From as an address list (RFC 5322 section 3.4), with the obsolete syntax of
//	                section 4.4; fromangle.go, fromdomain.go: parts of it
//	fromodd.go      readers that lose their way at what is not to the letter
//	fromtext.go     whatever else in From looks like an address
//	fromreaders.go  addresses where only some readers show them
//	encodedword.go  encoded words (RFC 2047) as readers decode them
//	scan.go         the tokens of RFC 5322 section 3.2
//	hidden.go       lines inside a field that some readers take for fields of their own
//	traces.go       Message-ID, List-Id and the like
package header

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// Fields is the header section of one message, topmost field first. Field
// bytes live in one buffer that Reset reuses. The zero value is ready to use.
// Not safe for concurrent writing; reading is safe once all fields are added.
type Fields struct {
	buf   []byte
	spans []span
	torn  []int32 // fields with a line break inside that is no fold

	// The index by name. table is open addressing over names, a power of two
	// long and at most half full; it holds an index into names plus one.
	table []int32
	names []name
	seed  maphash.Seed
	lower []byte // scratch: the name being looked up, lower case
}

type span struct {
	start, colon, end int32
	name              int32 // index into names
	above             int32 // next field upward with the same name, or -1
}

// name is one distinct field name.
type name struct {
	hash  uint64
	last  int32 // the bottom-most field with this name
	count int32
}

// Field is one header field. Raw is "Name:value" with folds as CRLF and
// without the final CRLF; it is valid until the Fields it came from is Reset.
type Field struct {
	Raw   []byte
	colon int
}

// Name returns the bytes before the colon, as received.
func (f Field) Name() []byte { return f.Raw[:f.colon] }

// Value returns the bytes after the colon, as received.
func (f Field) Value() []byte { return f.Raw[f.colon+1:] }

// Is reports whether the field has this name, case-insensitively. White space
// before the colon (RFC 5322 section 4.5) is no part of the name.
func (f Field) Is(name string) bool {
	got := trimRight(f.Raw[:f.colon])
	return len(name) == len(got) && bytes.EqualFold(got, []byte(name))
}

// Add appends a field. value is what follows the colon, leading space
// included; a bare LF in it becomes CRLF.
func (h *Fields) Add(name, value []byte) {
	start := len(h.buf)
	h.buf = append(h.buf, name...)
	colon := len(h.buf)
	h.buf = append(h.buf, ':')
	for {
		i := bytes.IndexByte(value, '\n')
		if i < 0 {
			break
		}
		line := value[:i]
		if i > 0 && value[i-1] == '\r' {
			line = value[:i-1]
		}
		h.buf = append(append(h.buf, line...), '\r', '\n')
		value = value[i+1:]
	}
	h.buf = append(h.buf, value...)
	h.spans = append(h.spans, span{start: int32(start), colon: int32(colon), end: int32(len(h.buf))})
	if len(nextLine(h.buf[start:])) > 0 {
		h.torn = append(h.torn, int32(len(h.spans)-1))
	}
	h.index(len(h.spans) - 1)
}

// index enters field i, the last one added.
func (h *Fields) index(i int) {
	if len(h.table) == 0 {
		h.table = make([]int32, 64)
		h.seed = maphash.MakeSeed() // senders must not be able to choose collisions
	}
	s := &h.spans[i]
	h.lower = appendLower(h.lower[:0], trimRight(h.buf[s.start:s.colon]))
	sum := maphash.Bytes(h.seed, h.lower)
	slot, id := h.find(sum, h.lower)
	if id < 0 {
		id = len(h.names)
		h.names = append(h.names, name{hash: sum, last: -1})
		h.table[slot] = int32(id) + 1
	}
	n := &h.names[id]
	s.name, s.above = int32(id), n.last
	n.last = int32(i)
	n.count++
	if 2*len(h.names) > len(h.table) {
		h.grow()
	}
}

// find returns the slot where a lower-case name is or belongs, and its id, -1
// when it is not there.
func (h *Fields) find(sum uint64, lower []byte) (slot, id int) {
	mask := len(h.table) - 1
	for slot = int(sum) & mask; ; slot = (slot + 1) & mask {
		id = int(h.table[slot]) - 1
		if id < 0 {
			return slot, -1
		}
		n := &h.names[id]
		if n.hash == sum && equalLower(h.nameOf(int(n.last)), lower) {
			return slot, id
		}
	}
}

func (h *Fields) grow() {
	h.table = make([]int32, 2*len(h.table))
	mask := len(h.table) - 1
	for id := range h.names {
		slot := int(h.names[id].hash) & mask
		for h.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		h.table[slot] = int32(id) + 1
	}
}

// nameOf is the name of field i without trailing white space.
func (h *Fields) nameOf(i int) []byte {
	s := h.spans[i]
	return trimRight(h.buf[s.start:s.colon])
}

// Len is the number of fields.
func (h *Fields) Len() int { return len(h.spans) }

// At returns field i, 0 being the topmost.
func (h *Fields) At(i int) Field {
	s := h.spans[i]
	return Field{Raw: h.buf[s.start:s.end:s.end], colon: int(s.colon - s.start)}
}

// Names is the number of distinct field names; their ids count from 0.
func (h *Fields) Names() int { return len(h.names) }

// NameID returns the id of a field name, or -1 when no field has it. lower
// must be in lower case.
func (h *Fields) NameID(lower []byte) int {
	if len(h.table) == 0 {
		return -1
	}
	_, id := h.find(maphash.Bytes(h.seed, lower), lower)
	return id
}

// Last is the position of the bottom-most field whose name has this id.
func (h *Fields) Last(id int) int { return int(h.names[id].last) }

// Above is the position of the next field upward with the same name as field
// i, or -1.
func (h *Fields) Above(i int) int { return int(h.spans[i].above) }

// Named returns the positions of the fields with this name, topmost first.
func (h *Fields) Named(name string) []int { return h.AppendNamed(nil, name) }

// AppendNamed appends what Named returns.
func (h *Fields) AppendNamed(at []int, name string) []int {
	var few [64]byte
	id := h.NameID(appendLower(few[:0], []byte(name)))
	if id < 0 {
		return at
	}
	before := len(at)
	at = slices.Grow(at, int(h.names[id].count))
	for i := h.Last(id); i >= 0; i = h.Above(i) {
		at = append(at, i)
	}
	slices.Reverse(at[before:])
	return at
}

// Size is the number of octets in all fields, without their final CRLFs.
func (h *Fields) Size() int { return len(h.buf) }

// Reset empties h and keeps its memory for the next message.
func (h *Fields) Reset() {
	h.buf, h.spans, h.torn, h.names = h.buf[:0], h.spans[:0], h.torn[:0], h.names[:0]
	clear(h.table)
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, lowerByte(c))
	}
	return dst
}

func equalLower(b, lower []byte) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
