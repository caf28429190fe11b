// Package header holds the header section of a message as it came: raw fields
// in order, with an index by name, and the Author Domains of RFC5322.From.
package header

import "bytes"

// Fields is the header section of one message, topmost field first. Field
// bytes live in one buffer that Reset reuses. The zero value is ready to use.
// Not safe for concurrent writing; reading is safe once all fields are added.
type Fields struct {
	buf   []byte
	spans []span
}

type span struct{ start, colon, end int32 }

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

// Is reports whether the field has this name, case-insensitively.
func (f Field) Is(name string) bool {
	return len(name) == f.colon && bytes.EqualFold(f.Raw[:f.colon], []byte(name))
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
	h.spans = append(h.spans, span{int32(start), int32(colon), int32(len(h.buf))})
}

// Len is the number of fields.
func (h *Fields) Len() int { return len(h.spans) }

// At returns field i, 0 being the topmost.
func (h *Fields) At(i int) Field {
	s := h.spans[i]
	return Field{Raw: h.buf[s.start:s.end:s.end], colon: int(s.colon - s.start)}
}

// Named returns the positions of the fields with this name, topmost first.
func (h *Fields) Named(name string) []int {
	var at []int
	for i := range h.spans {
		if h.At(i).Is(name) {
			at = append(at, i)
		}
	}
	return at
}

// Size is the number of octets in all fields, without their final CRLFs.
func (h *Fields) Size() int { return len(h.buf) }

// Reset empties h and keeps its memory for the next message.
func (h *Fields) Reset() { h.buf, h.spans = h.buf[:0], h.spans[:0] }
