package authres

import (
	"cmp"
	"slices"
	"strings"
)

// foldAt is the column that a line of a folded field stays below where it can
// (RFC 5322 section 2.1.1). A tab counts as eight columns.
const foldAt = 78

// Format returns the field's value, folded with LF, as the milter protocol wants it,
// and a tab: one result begins each line. It has no leading space, no line end behind it, and
// holds no control character but its folds.
func (h Header) Format() string { return h.render("\n") }

// Unfolded returns the field's value on one line.
func (h Header) Unfolded() string { return h.render("") }

func (h Header) render(eol string) string {
	f := folder{eol: eol, col: len(FieldName) + len(": ")}
	f.buf = make([]byte, 0, 512)
	f.put(word(asciiDomain(cmp.Or(h.ServID, Unnamed))))
	results := 0
	for _, r := range h.Results {
		if isName(r.Method) && isName(r.Value) {
			f.put(";")
			f.line()
			r.render(&f)
			results++
		}
	}
	if results == 0 {
		f.put("; none") // RFC 8601 section 2.2: no-result
	}
	return string(f.buf)
}

func (r Result) render(f *folder) {
	f.put(r.Method)
	f.put("=")
	f.put(r.Value)
	f.comment(r.Comment)
	if r.Reason != "" {
		f.space()
		f.put("reason=")
		f.value(word(plain(r.Reason)))
	}
	for _, p := range r.Props {
		if !isName(p.Type) || !isName(p.Name) {
			continue
		}
		f.space()
		f.put(p.Type)
		f.put(".")
		f.put(p.Name)
		f.put("=")
		f.value(pvalue(p.Value))
	}
}

// isName reports whether s may be written as a method, result, ptype or
// property name: Keyword, which is Ldh-str, of RFC 5321 section 4.1.2.
func isName(s string) bool {
	return len(s) <= maxKeyword && all(s, func(c byte) bool { return isAlnum(c) || c == '-' }) && s[len(s)-1] != '-'
}

// folder writes words and breaks the line before a word that would not fit.
type folder struct {
	buf []byte
	eol string // empty: never folds
	col int    // columns of the current line so far
	// gap is where the last space stands that may become a fold, start the
	// column of that space; 0 when there is none on this line.
	gap, start int
	inQuotes   bool
}

const tabWidth = 8

// put writes s, which holds no space that may be folded at.
func (f *folder) put(s string) {
	f.buf = append(f.buf, s...)
	f.col += len(s)
	if f.col >= foldAt && f.gap > 0 && f.eol != "" {
		f.fold()
	}
}

// fold turns the last gap into a fold. Inside a quoted string the space itself
// stays, as it is part of the value.
func (f *folder) fold() {
	white, width := byte('\t'), tabWidth
	if f.inQuotes {
		white, width = ' ', 1
	}
	f.buf[f.gap] = white
	f.buf = slices.Insert(f.buf, f.gap, []byte(f.eol)...)
	f.col += width - f.start - 1
	f.gap = 0
}

// space writes a space that may become a fold.
func (f *folder) space() {
	f.gap, f.start = len(f.buf), f.col
	f.buf = append(f.buf, ' ')
	f.col++
}

// line begins a new line, or writes a space when nothing is folded.
func (f *folder) line() {
	f.space()
	if f.eol != "" {
		f.fold()
	}
}

// value writes a rendered value. A quoted string that would not fit on a line of
// its own is folded at its spaces, which a reader undoes (RFC 5322 section
// 3.2.4).
func (f *folder) value(v string) {
	own := f.col + len(v) // columns on a line of its own
	if f.gap > 0 {
		own += tabWidth - f.start - 1
	}
	if v[0] != '"' || own < foldAt || f.eol == "" {
		f.put(v)
		return
	}
	for i, s := range strings.SplitAfter(v, " ") {
		if i == 1 {
			f.inQuotes = true
		}
		if body, ok := strings.CutSuffix(s, " "); ok && body != "" && body[len(body)-1] != '\\' && f.col+len(body) > tabWidth {
			f.put(body)
			f.space()
			continue
		}
		f.put(s)
	}
	f.inQuotes, f.gap = false, 0
}

// comment writes text as a comment; nothing for empty text.
func (f *folder) comment(text string) {
	open := false
	for word := range strings.FieldsSeq(clean(plain(text), maxComment)) {
		f.space()
		if !open {
			f.put("(")
			open = true
		}
		f.put(word)
	}
	if open {
		f.put(")")
	}
}
