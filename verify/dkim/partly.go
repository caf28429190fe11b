package dkim

import "alignd/header"

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
	for _, f := range shownFields {
		id := fields.NameID([]byte(f.lower))
		if id < 0 || fields.Above(fields.Last(id)) < 0 {
			continue // none, or one
		}
		covered := 0
		for _, n := range names {
			if n == f.lower {
				covered++
			}
		}
		if covered > 0 && uncoveredCopy(fields, fields.Last(id), covered) {
			return f.name
		}
	}
	return ""
}

// uncoveredCopy reports whether one of the fields at and above position i, of one
// name, reads other than those that a signature covers: the bottom-most ones
// (RFC 6376 section 5.4.2).
func uncoveredCopy(fields *header.Fields, i, covered int) bool {
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
	return false
}
