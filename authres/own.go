package authres

import (
	"errors"
	"io"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"alignd/domain"

	"golang.org/x/net/idna"
)

// Own knows the authserv-ids that are ours. The zero value has none.
type Own struct {
	ids []ownID
}

type ownID struct {
	name      string   // normalized; lower case as written when it is not a domain
	isDomain  bool     // names below it are ours too
	spellings []string // what a raw text that names us holds, lower case
}

// NewOwn returns the Own of these authserv-ids. Empty ids are left out.
func NewOwn(ids ...string) Own {
	var o Own
	for _, id := range ids {
		if id = strings.TrimSpace(id); id == "" || id == "." {
			continue
		}
		o.ids = append(o.ids, newOwnID(id))
	}
	return o
}

func newOwnID(id string) ownID {
	name, err := domain.Normalize(id)
	if err != nil {
		name = strings.ToLower(id)
		return ownID{name: name, spellings: []string{name}}
	}
	own := ownID{name: name, isDomain: true, spellings: []string{name}}
	if u, err := idna.ToUnicode(name); err == nil && u != name {
		own.spellings = append(own.spellings, strings.ToLower(u))
	}
	return own
}

// Claims reports whether a received Authentication-Results field has to be
// deleted because it may be taken for one of ours (RFC 8601 section 5): its
// authserv-id is one of ours or below it, however it is spelled; or it has no
// authserv-id or cannot be read with certainty, and its text names us; or a comment
// behind the authserv-id does; or its version is not supported. value is what follows
// the colon.
func (o Own) Claims(value []byte) bool {
	if len(value) > maxField {
		return o.named(string(value))
	}
	p := parser{lexer: lexer{s: string(value)}}
	err := p.payload()
	if errors.Is(err, errVersion) {
		return true
	}
	odd := err != nil || p.odd
	if id := p.out.ServID; id != "" {
		ours, certain := o.isOurs(id)
		if ours {
			return true
		}
		odd = odd || !certain
	}
	if !odd { // any reader meets the id first, and then the comment behind it
		return p.head != "" && o.named(p.head)
	}
	return o.named(p.s)
}

// isOurs compares an authserv-id. certain is false when it is no domain name,
// so that another reader may see something else in it.
func (o Own) isOurs(id string) (ours, certain bool) {
	id, _, _ = strings.Cut(id, "/")
	name, err := domain.Normalize(strings.TrimSpace(id))
	if err != nil {
		name = strings.ToLower(id)
	}
	for _, own := range o.ids {
		if name == own.name || own.isDomain && domain.IsBelow(name, own.name) {
			return true, true
		}
	}
	return false, err == nil
}

// named reports whether text has one of our ids in it: as it stands, or once
// comments, white space, quotes and controls are gone, or once its encoded words
// are decoded.
func (o Own) named(text string) bool {
	if o.spelled(strings.ToLower(text)) {
		return true
	}
	decoded, ok := decodeWords(text)
	return !ok || decoded != text && o.spelled(strings.ToLower(decoded))
}

// maxEncoded is the longest text whose encoded words are decoded, in octets.
// The number is ours; no field that begins with an authserv-id has any.
const maxEncoded = 4 << 10

// decodeWords decodes the encoded words of RFC 2047, as a filter does before it
// searches a field (RFC 5228 section 2.7.2). It is false where that cannot be done.
func decodeWords(text string) (string, bool) {
	switch {
	case len(text) > maxEncoded:
		return text, !strings.Contains(text, "=?")
	case !strings.Contains(text, "=?"):
		return text, true
	}
	d := mime.WordDecoder{CharsetReader: func(string, io.Reader) (io.Reader, error) {
		return nil, errors.ErrUnsupported
	}}
	decoded, err := d.DecodeHeader(text)
	return decoded, err == nil
}

// spelled looks for our ids in text, which is in lower case.
func (o Own) spelled(text string) bool {
	squeezed := squeeze(text)
	for _, own := range o.ids {
		for _, s := range own.spellings {
			if contains(text, s) || strings.Contains(s, ".") && strings.Contains(squeezed, s) {
				return true
			}
		}
	}
	return false
}

// contains looks for id in text where it is not a part of a longer label or the
// front of a longer name.
func contains(text, id string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], id)
		if i < 0 {
			return false
		}
		i += from
		from = i + 1
		if i > 0 && isLabel(text[i-1]) {
			continue
		}
		rest := strings.TrimPrefix(text[i+len(id):], ".")
		if rest == "" || !isLabel(rest[0]) {
			return true
		}
	}
}

func isLabel(c byte) bool { return isKeyword(c) || c >= 0x80 }

// squeeze removes what a lenient reader may step over.
func squeeze(text string) string {
	var b []byte
	l := lexer{s: text}
	for !l.end() {
		switch c := l.s[l.i]; {
		case c == '(':
			l.comment()
			continue
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.s[l.i:])
			if !unicode.Is(unicode.Cf, r) { // joiners and the like are not shown
				b = append(b, l.s[l.i:l.i+n]...)
			}
			l.i += n
			continue
		case isSpace(c) || isControl(c) || c == '"' || c == '\\':
		default:
			b = append(b, c)
		}
		l.i++
	}
	return string(b)
}
