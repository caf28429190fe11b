package dkim

import (
	"strings"

	"alignd/header"
)

// shownFields are fields of which a reader shows one copy, or which say how the
// body is read. A copy above the signed one changes what a person sees.
var shownFields = [...]struct{ name, lower string }{
	{"Subject", "subject"}, {"To", "to"}, {"Cc", "cc"}, {"Date", "date"},
	{"Reply-To", "reply-to"}, {"Content-Type", "content-type"},
}

// partlySigned returns the name of a shown field of which the signature covers some
// copies and leaves others out; empty when there is none. names is the value of h=.
// RFC 5322 section 3.6 allows one copy of each, and RFC 6376 section 8.15 lets a
// verifier refuse such a signature. A copy with the same text as a signed one, in
// relaxed form, does not count: nobody sees a difference.
func partlySigned(fields *header.Fields, names []string) string {
	hidden := hiddenCopies(fields)
	for i, f := range shownFields {
		last := -1
		if id := fields.NameID([]byte(f.lower)); id >= 0 {
			last = fields.Last(id)
		}
		if len(hidden[i]) == 0 && (last < 0 || fields.Above(last) < 0) {
			continue // none, or one
		}
		covered := 0
		for _, n := range names {
			if n == f.lower {
				covered++
			}
		}
		if covered > 0 && uncoveredCopy(fields, last, covered, hidden[i]) {
			return f.name
		}
	}
	return ""
}

// hiddenCopies are the values of copies of shownFields that only some readers show.
func hiddenCopies(fields *header.Fields) (values [len(shownFields)][][]byte) {
	fields.Hidden(func(_ int, name, value []byte) {
		for i, f := range shownFields {
			if len(name) == len(f.lower) && strings.EqualFold(string(name), f.lower) {
				values[i] = append(values[i], value)
			}
		}
	})
	return values
}

// uncoveredCopy reports whether one of the fields at and above position i, of one
// name, reads other than those that a signature covers: the bottom-most ones
// (RFC 6376 section 5.4.2). So does a hidden one, which no signature names.
func uncoveredCopy(fields *header.Fields, i, covered int, hidden [][]byte) bool {
	signed := make(map[string]bool)
	var text []byte
	for ; i >= 0; i = fields.Above(i) {
		text = appendRelaxed(text[:0], nil, fields.At(i).Value())
		switch {
		case covered > 0:
			signed[string(text)] = true
			covered--
		case !signed[string(text)]:
			return true
		}
	}
	for _, value := range hidden {
		if text = appendRelaxed(text[:0], nil, value); !signed[string(text)] {
			return true
		}
	}
	return false
}
