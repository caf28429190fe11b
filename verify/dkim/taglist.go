package dkim

import (
	"bytes"
	"errors"
)

// maxTags is the most tags one list may have. The number is ours; RFC 6376
// defines 14 for a signature. A longer list is malformed.
const maxTags = 64

// What parseTags complains about, besides errTagDuplicate.
var (
	errTagMany     = errors.New("more than 64 tags")
	errTagNone     = errors.New("no tag")
	errTagNameless = errors.New("a tag without a name")
	errTagName     = errors.New("no = behind a tag's name")
	errTagValue    = errors.New("a control character in a tag's value")
)

// errTagDuplicate is the fault of a list that has a tag twice (RFC 6376 section
// 3.2): the name of the tag.
type errTagDuplicate string

func (e errTagDuplicate) Error() string {
	const longest = 16 // of a name that is told; ours, those defined have two letters
	if len(e) > longest {
		e = e[:longest] + "..."
	}
	return "duplicate tag " + string(e)
}

// grammar is how closely a tag-list is read.
type grammar bool

const (
	// strict is RFC 6376 section 3.2 to the letter, as the public ARC suite
	// wants ARC fields read.
	strict grammar = false
	// tolerant takes two more spellings, as most verifiers do: an empty tag-spec
	// (";;"), and a tag-name that begins with no letter or has other characters than
	// letters, digits and "_" ("x-id", "1st"), which is ignored like any unknown tag.
	// Neither changes what a signature covers.
	tolerant grammar = true
)

// tag is one tag-spec of a tag-list (RFC 6376 section 3.2).
type tag struct {
	name  string
	value []byte // without surrounding white space; FWS inside is kept
	// The octets between "=" and ";" as offsets into the list.
	start, end int
}

type tagList []tag

// parseTags reads a tag-list. Values alias list. With an error it returns what
// could be read, the first of duplicates.
//
//	tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
//	tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
func parseTags(list []byte, how grammar) (tagList, error) {
	tags := make(tagList, 0, 12)
	var duplicate error
	for i := skipFWS(list, 0); i < len(list); i = skipFWS(list, i) {
		if how == tolerant && list[i] == ';' {
			i++
			continue
		}
		t, err := tagAt(list, i, how)
		if err != nil {
			return tags, err
		}
		if _, twice := tags.get(t.name); twice {
			if duplicate == nil {
				duplicate = errTagDuplicate(t.name)
			}
		} else if len(tags) == maxTags {
			return tags, errTagMany
		} else {
			tags = append(tags, t)
		}
		i = min(t.end+1, len(list)) // past the semicolon
	}
	if len(tags) == 0 {
		return tags, errTagNone
	}
	return tags, duplicate
}

// tagAt reads the tag-spec whose name begins at i. It ends where its value does.
func tagAt(list []byte, i int, how grammar) (t tag, err error) {
	begin := i
	for i < len(list) && isTagName(list[i], i == begin, how) {
		i++
	}
	name := list[begin:i]
	if len(name) == 0 {
		return tag{}, errTagNameless
	}
	if i = skipFWS(list, i); i == len(list) || list[i] != '=' {
		return tag{}, errTagName
	}
	i++
	t = tag{name: tagName(name), start: i, end: valueEnd(list, i)}
	if t.end < 0 {
		return tag{}, errTagValue
	}
	t.value = trimFWS(list[t.start:t.end])
	return t, nil
}

// get returns the value of a tag.
func (l tagList) get(name string) (tag, bool) {
	for _, t := range l {
		if t.name == name {
			return t, true
		}
	}
	return tag{}, false
}

// valueEnd returns where the value that begins at i ends: at a semicolon or
// the end of the list. It is -1 when an octet may not stand in a value.
func valueEnd(list []byte, i int) int {
	for {
		for i < len(list) && ofValue[list[i]] {
			i++
		}
		switch {
		case i == len(list) || list[i] == ';':
			return i
		case list[i] == '\r' && isFold(list, i):
			i += 3
		default:
			return -1
		}
	}
}

// ofValue has the octets that stand in a value but for folding: what is visible,
// but no semicolon, octets above ASCII, and white space.
var ofValue = func() (set [256]bool) {
	for c := range set {
		set[c] = c > ' ' && c != ';' && c != 0x7f || c == ' ' || c == '\t'
	}
	return set
}()

// skipFWS returns the position after the folding white space at i.
func skipFWS(b []byte, i int) int {
	for i < len(b) {
		switch {
		case b[i] == ' ' || b[i] == '\t':
			i++
		case b[i] == '\r' && isFold(b, i):
			i += 3
		case b[i] == '\r' && i+2 == len(b) && b[i+1] == '\n':
			return len(b)
		default:
			return i
		}
	}
	return i
}

// isFold reports whether CRLF and white space stand at i.
func isFold(b []byte, i int) bool {
	return i+2 < len(b) && b[i+1] == '\n' && (b[i+2] == ' ' || b[i+2] == '\t')
}

func isSpace(c byte) bool { return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n') }

// trimFWS trims white space from a value that valueEnd accepted.
func trimFWS(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// stripFWS removes all white space, as for base64 (RFC 6376 section 2.10).
// The result may alias b.
func stripFWS(b []byte) []byte {
	for i, c := range b {
		if !isSpace(c) {
			continue
		}
		out := append(make([]byte, 0, len(b)), b[:i]...)
		for i < len(b) {
			for i < len(b) && isSpace(b[i]) {
				i++
			}
			word := i
			for i < len(b) && !isSpace(b[i]) {
				i++
			}
			out = append(out, b[word:i]...)
		}
		return out
	}
	return b
}

// isTagName: tag-name = ALPHA *ALNUMPUNC, where ALNUMPUNC has letters, digits and
// "_"; or, tolerantly, whatever is no control character and ends neither a name nor a
// tag-spec.
func isTagName(c byte, first bool, how grammar) bool {
	switch {
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return true
	case how == tolerant:
		return c > ' ' && c != 0x7f && c != '=' && c != ';'
	case first:
		return false
	}
	return '0' <= c && c <= '9' || c == '_'
}

// withoutBreaks makes spaces of CR and LF, for a list in which there is no folding:
// that of a TXT record.
func withoutBreaks(list []byte) []byte {
	if bytes.IndexByte(list, '\r') < 0 && bytes.IndexByte(list, '\n') < 0 {
		return list
	}
	list = bytes.Clone(list)
	for i, c := range list {
		if c == '\r' || c == '\n' {
			list[i] = ' '
		}
	}
	return list
}

// tagName makes a string; those of one or two letters that are defined cost
// no allocation.
func tagName(b []byte) string {
	switch string(b) {
	case "v":
		return "v"
	case "a":
		return "a"
	case "b":
		return "b"
	case "bh":
		return "bh"
	case "c":
		return "c"
	case "cv":
		return "cv"
	case "d":
		return "d"
	case "h":
		return "h"
	case "i":
		return "i"
	case "k":
		return "k"
	case "l":
		return "l"
	case "p":
		return "p"
	case "q":
		return "q"
	case "s":
		return "s"
	case "t":
		return "t"
	case "x":
		return "x"
	case "z":
		return "z"
	}
	return string(b)
}
