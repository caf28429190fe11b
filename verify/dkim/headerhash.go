package dkim

import (
	"crypto/sha256"
	"hash"
	"sync"

	"alignd/header"
)

// HeaderHash is the hash over canonical header fields (RFC 6376 section 3.7).
type HeaderHash struct {
	sum     hash.Hash
	buf     []byte
	cursors []int32 // by field name: the next field to take
}

var headerHashes = sync.Pool{New: func() any {
	return &HeaderHash{sum: sha256.New(), buf: make([]byte, 0, 8<<10)}
}}

// NewHeaderHash returns an empty hash; Release gives it back.
func NewHeaderHash() *HeaderHash {
	h := headerHashes.Get().(*HeaderHash)
	h.sum.Reset()
	h.buf = h.buf[:0]
	return h
}

// Release makes h reusable. h must not be used afterwards.
func (h *HeaderHash) Release() {
	if cap(h.buf) <= 64<<10 {
		headerHashes.Put(h)
	}
}

// Field adds a whole field with its CRLF.
func (h *HeaderHash) Field(f header.Field, relaxed bool) {
	if relaxed {
		h.buf = appendRelaxed(h.buf, f.Name(), f.Value())
	} else {
		h.buf = append(h.buf, f.Raw...)
	}
	h.buf = append(h.buf, '\r', '\n')
	if len(h.buf) >= 4<<10 {
		h.sum.Write(h.buf)
		h.buf = h.buf[:0]
	}
}

// Own adds the signature field itself: the value of b= taken out, and no CRLF
// (RFC 6376 section 3.7).
func (h *HeaderHash) Own(p *Params) {
	name := p.Field.Name()
	before := p.Field.Raw[len(name)+1 : p.blank[0]]
	after := p.Field.Raw[p.blank[1]:]
	if !p.HeaderRelaxed {
		h.buf = append(h.buf, p.Field.Raw[:p.blank[0]]...)
		h.buf = append(h.buf, after...)
		return
	}
	value := make([]byte, 0, len(before)+len(after))
	value = append(append(value, before...), after...)
	h.buf = appendRelaxed(h.buf, name, value)
}

// Sum is the hash of what was added. More may be added afterwards.
func (h *HeaderHash) Sum() *[sha256.Size]byte {
	h.sum.Write(h.buf)
	h.buf = h.buf[:0]
	var out [sha256.Size]byte
	h.sum.Sum(out[:0])
	return &out
}

// SumWith is the hash of what was added and then p's own field, which is not
// kept: afterwards h stands where it stood.
func (h *HeaderHash) SumWith(p *Params) *[sha256.Size]byte {
	h.sum.Write(h.buf)
	h.buf = h.buf[:0]
	before, err := h.sum.(hash.Cloner).Clone()
	if err != nil {
		panic("dkim: SHA-256 cannot be cloned: " + err.Error()) // crypto/sha256 can
	}
	h.Own(p)
	out := h.Sum()
	h.sum = before.(hash.Hash)
	return out
}

// headerDigest is the data hash of section 3.7: the fields that h= names, each
// name taking the bottom-most instance not yet taken (section 5.4.2), a name
// without one contributing nothing; then the signature field itself.
// It runs in time linear in the header, whatever h= says.
func headerDigest(fields *header.Fields, p *Params) *[sha256.Size]byte {
	h := NewHeaderHash()
	defer h.Release()
	if n := fields.Names(); cap(h.cursors) < n {
		h.cursors = make([]int32, n, 2*n)
	} else {
		h.cursors = h.cursors[:n]
	}
	for id := range h.cursors {
		h.cursors[id] = int32(fields.Last(id))
	}
	var few [64]byte
	for _, name := range p.Names {
		id := fields.NameID(append(few[:0], name...))
		if id < 0 || h.cursors[id] < 0 {
			continue
		}
		i := int(h.cursors[id])
		f := fields.At(i)
		if p.is(f) { // it is not among what h= means (section 3.5)
			if i = fields.Above(i); i < 0 {
				h.cursors[id] = -1
				continue
			}
			f = fields.At(i)
		}
		h.cursors[id] = int32(fields.Above(i))
		h.Field(f, p.HeaderRelaxed)
	}
	h.Own(p)
	return h.Sum()
}

// is reports whether f is p's own field, and not one that reads the same.
func (p *Params) is(f header.Field) bool {
	return len(f.Raw) > 0 && len(p.Field.Raw) > 0 && &f.Raw[0] == &p.Field.Raw[0]
}

// appendRelaxed appends a field in relaxed form without CRLF (RFC 6376 section
// 3.4.2): name in lower case, folds undone, each run of white space one space,
// none around the colon or at the end. A CR or LF that is no fold is ordinary
// text.
func appendRelaxed(dst, name, value []byte) []byte {
	for len(name) > 0 && isWSP(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return appendRelaxedValue(append(dst, ':'), value)
}

func appendRelaxedValue(dst, value []byte) []byte {
	start, space := len(dst), false
	for i := 0; i < len(value); {
		run := i
		for i < len(value) && !isWSP(value[i]) && value[i] != '\r' {
			i++
		}
		if i == run && value[i] == '\r' && !isFold(value, i) && !(i+2 == len(value) && value[i+1] == '\n') {
			i++ // a bare CR
		}
		if i > run {
			if space && len(dst) > start {
				dst = append(dst, ' ')
			}
			dst, space = append(dst, value[run:i]...), false
			continue
		}
		if value[i] == '\r' {
			i++ // and the LF
		}
		i++
		space = true
	}
	return dst
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }
