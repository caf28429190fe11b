package spf

import (
	"fmt"
	"net/netip"
	"strings"

	"alignd/resolver"
)

// version is the version section of a record (RFC 7208 section 4.5).
const version = "v=spf1"

// maxPublished is the longest record that is read, in octets; a longer one is a
// syntax error. Our own number: it bounds what a cached record costs in memory.
const maxPublished = 16 << 10

// Kind is what a term is.
type Kind uint8

// The kinds of terms: mechanisms (RFC 7208 section 5), then modifiers
// (section 6).
const (
	All Kind = iota
	Include
	A
	MX
	PTR
	IP4
	IP6
	Exists
	Redirect
	Exp
	UnknownModifier
)

var kindNames = [...]string{"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists", "redirect", "exp", ""}

func (k Kind) String() string { return kindNames[k] }

// Modifier reports whether k is a modifier rather than a mechanism.
func (k Kind) Modifier() bool { return k >= Redirect }

// Term is one directive or modifier.
type Term struct {
	Text      string // as published
	Kind      Kind
	Qualifier byte // '+', '-', '~' or '?'; 0 for a modifier
	// Bits4 and Bits6 are the prefix lengths of a and mx; 32 and 128 when absent.
	Bits4, Bits6 uint8
	// Target is the domain-spec; nil when absent, and then the domain of the
	// record is meant.
	Target *DomainSpec
	Prefix netip.Prefix // of ip4 and ip6, as published: not masked
}

// Record is a parsed SPF record. It is shared and must not be changed.
type Record struct {
	Terms []Term
	// Redirect and Exp point into Terms; nil when absent.
	Redirect, Exp *Term
}

// SyntaxError says why a text is no SPF record (RFC 7208 section 4.6).
type SyntaxError struct {
	Term string // the offending term, as published; empty for the whole record
	Why  string
}

func (e *SyntaxError) Error() string {
	if e.Term == "" {
		return e.Why
	}
	return fmt.Sprintf("term %q: %s", clip(e.Term), e.Why)
}

// isRecord reports whether a TXT record is meant as an SPF record: it starts
// with the version section, and that ends with a space or the record (RFC 7208
// section 4.5).
func isRecord(txt string) bool {
	return len(txt) >= len(version) && strings.EqualFold(txt[:len(version)], version) &&
		(len(txt) == len(version) || txt[len(version)] == ' ')
}

// ParseRecord reads a whole record by the grammar of RFC 7208 section 12. The
// error is a *SyntaxError.
func ParseRecord(txt string) (*Record, error) {
	if !isRecord(txt) {
		return nil, &SyntaxError{Why: "does not start with " + version}
	}
	if len(txt) > maxPublished {
		return nil, &SyntaxError{Why: fmt.Sprintf("record longer than %d octets", maxPublished)}
	}
	rest := txt[len(version):]
	rec := &Record{Terms: make([]Term, 0, min(strings.Count(rest, " "), 16))}
	for rest != "" {
		var text string
		if text, rest, _ = strings.Cut(rest, " "); text == "" {
			continue // one or more spaces between terms, any number at the end
		}
		t, why := parseTerm(text)
		if why != "" {
			return nil, &SyntaxError{Term: text, Why: why}
		}
		rec.Terms = append(rec.Terms, t)
	}
	if err := rec.index(); err != nil {
		return nil, err
	}
	return rec, nil
}

// index finds the modifiers that may appear only once (RFC 7208 section 6).
func (r *Record) index() error {
	for i := range r.Terms {
		t := &r.Terms[i]
		slot := &r.Redirect
		switch t.Kind {
		case Redirect:
		case Exp:
			slot = &r.Exp
		default:
			continue
		}
		if *slot != nil {
			return &SyntaxError{Term: t.Text, Why: "modifier appears twice"}
		}
		*slot = t
	}
	return nil
}

// String prints the record in one spelling: names in lower case, single
// spaces, no "+" and no prefix length that says nothing. Reading it back
// gives the same terms.
func (r *Record) String() string {
	var b strings.Builder
	b.WriteString(version)
	for i := range r.Terms {
		b.WriteByte(' ')
		r.Terms[i].print(&b)
	}
	return b.String()
}

func (t *Term) print(b *strings.Builder) {
	switch {
	case t.Kind == UnknownModifier:
		b.WriteString(t.Text)
		return
	case t.Kind.Modifier():
		b.WriteString(t.Kind.String() + "=" + t.Target.Text)
		return
	case t.Qualifier != '+':
		b.WriteByte(t.Qualifier)
	}
	b.WriteString(t.Kind.String())
	switch {
	case t.Kind == IP4 || t.Kind == IP6:
		b.WriteByte(':')
		if addr := t.Prefix.Addr(); t.Prefix.Bits() == addr.BitLen() {
			b.WriteString(addr.String())
		} else {
			b.WriteString(t.Prefix.String())
		}
	case t.Target != nil:
		b.WriteString(":" + t.Target.Text)
	}
	if t.Kind == A || t.Kind == MX {
		if t.Bits4 != 32 {
			fmt.Fprintf(b, "/%d", t.Bits4)
		}
		if t.Bits6 != 128 {
			fmt.Fprintf(b, "//%d", t.Bits6)
		}
	}
}

// selection is what the TXT records of a name hold: one record, several, a
// broken one, or none (all nil).
type selection struct {
	record *Record
	text   string // the record, or the first of several
	err    error
	bulky  bool // not kept: read it again
	// like are texts that look like a record and are none.
	like []string
}

type selectionKey struct{}

// selected picks and parses the SPF record of a TXT answer (RFC 7208 sections
// 4.5 and 4.6), once for as long as the answer is cached. A record that takes
// much more memory than its text, as none does that is meant to work, is
// parsed at each use: the cache bounds itself by the text.
func selected(a *resolver.Answer) selection {
	s := resolver.Memo(a, selectionKey{}, func(a *resolver.Answer) selection {
		s, txt := selectRecord(a)
		if s.record != nil && s.record.weight() > 8*len(txt)+1024 {
			return selection{bulky: true}
		}
		return s
	})
	if s.bulky {
		s, _ = selectRecord(a)
	}
	return s
}

func selectRecord(a *resolver.Answer) (s selection, found string) {
	like := lookalikes(a.TXT)
	for _, txt := range a.TXT {
		if !isRecord(txt) {
			continue
		}
		if found != "" {
			return selection{text: found, err: &SyntaxError{Why: "several SPF records"}, like: like}, found
		}
		found = txt
	}
	if found != "" {
		s.text = found
		s.record, s.err = ParseRecord(found)
	}
	s.like = like
	return s, found
}

// weight estimates the octets that r occupies beside its text.
func (r *Record) weight() int {
	const term, target, part = 64, 64, 56 // sizes of Term, DomainSpec and piece
	n := cap(r.Terms) * term
	for i := range r.Terms {
		if d := r.Terms[i].Target; d != nil {
			n += target + cap(d.pieces)*part
		}
	}
	return n
}
