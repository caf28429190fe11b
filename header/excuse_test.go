package header

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// An exception says why a domain that a reader shows need not be judged. It is
// as narrow as it can be: either it is about the domain alone, or it takes
// something out of the value, and the reader then no longer shows the domain.
type exception struct {
	name   string
	reason string
	domain func(d string) bool       // nil: any
	reader string                    // a part of the reader's name; "" is all
	spare  func(value string) string // the value without what is excused; nil: nothing to take out
}

var exceptions = []exception{
	{
		name:   "one-label domains",
		reason: "a word behind an at sign, as in Acme@Home, is a name; a domain of one label has no policy (RFC 9989 section 4.10)",
		domain: func(d string) bool { return !strings.Contains(d, ".") },
	},
	{
		name:   "IP addresses",
		reason: "a domain literal is no Author Domain; no policy is asked for of 192.0.2.1",
		domain: func(d string) bool { _, err := netip.ParseAddr(d); return err == nil },
	},
	{
		name:   "addresses in display names",
		reason: "a quoted or encoded display name of a mailbox that has an address, or a group's, is text (RFC 9989 section 11.4)",
		spare:  withoutNames,
	},
	{
		name:   "escapes of Python",
		reason: "Python's decode_header writes a character above U+00FF as \\uXXXX; no other domain can be written so",
		reader: "Python getaddresses",
		domain: regexp.MustCompile(`u[0-9a-f]{4}`).MatchString,
	},
	{
		name:   "words joined by old Python",
		reason: "Python's former getaddresses joins the words behind an unquoted address in front of an angle address to one domain, which nobody else sees",
		reader: "getaddresses strict=False",
		spare:  func(value string) string { return wordsBehind.ReplaceAllString(value, "$1 <") },
	},
}

// excuse names the exception that says why the domain d that a reader shows
// need not be judged, or gives "".
func excuse(o *oracle, reader, value, d string) string {
	for _, e := range exceptions {
		if !strings.Contains(reader, e.reader) || e.domain != nil && !e.domain(d) {
			continue
		}
		if e.spare == nil {
			return e.name
		}
		spared := e.spare(value)
		if spared == value {
			continue
		}
		answers, err := o.ask([]string{spared})
		if err == nil && !slices.Contains(shownDomains(answers[0][reader]), d) {
			return e.name
		}
	}
	return ""
}

const (
	quotedString = `"(?:[^"\\\x00]|\\[^\x00])*"`
	// encodedWords may have lost their last octet, or hold white space, which
	// decoders pass over.
	encodedWords = `(?:=\?[^?\s]*\?[bBqQ]\?[^?\x00]*\?=?)+`
	comment      = `\((?:[^()\\\x00]|\([^()\\\x00]*\))*\)`
	cfws         = `(?:\s|` + comment + `)*`
	// namePart is a part of a display name: a quoted string, encoded words, a
	// comment beside them, or another atom; an at sign in it stays where it is.
	namePart = `(?:` + quotedString + `|` + encodedWords + `|` + comment + `|[^][<>(),;:\\"\s\x00]+)`
	atom     = `[^][<>()@,;:\\".\s\x00]+`
	dotAtom  = cfws + atom + `(?:` + cfws + `\.` + cfws + atom + `)*\.?` + cfws
	addrSpec = dotAtom + `@` + dotAtom
	// angleAddr may have anything for a local part but other brackets.
	angleAddr = `<(?:` + quotedString + `|[^<>"\x00])*[@\x{ff20}\x{fe6b}]` + dotAtom + `>` + cfws
)

var (
	wordsBehind = regexp.MustCompile(`(@[^\s<>"(),;:@]+)[\s(][^<>@",;:]*<`)
	plainGroup  = regexp.MustCompile(`^\s*(?:` + namePart + `\s*)+$`)
	mailbox     = regexp.MustCompile(`^\s*((?:` + namePart + `\s*)*)` + angleAddr + `$`)
	address     = regexp.MustCompile(`^` + addrSpec + `$`)
	wordHere    = regexp.MustCompile(`^=\?[^?\s]*\?[bBqQ]\?[^?\s]*\?=`)
	nameParts   = regexp.MustCompile(namePart)
	hidden      = regexp.MustCompile(quotedString + `|` + comment + `|` + encodedWords)
	hidingPart  = regexp.MustCompile(`^(?:` + quotedString + `|[^\s"@]*` + encodedWords + `)$`)
)

// withoutNames replaces quoted strings and encoded words by a plain word where
// they are the display name of a mailbox with an address, or the name of a
// group of such. It knows well-formed mailboxes and names only.
func withoutNames(value string) string {
	elements := splitList(value)
	for i, e := range elements {
		if m := mailbox.FindStringSubmatchIndex(e); m != nil {
			elements[i] = plainName(e[:m[3]]) + e[m[3]:]
		}
		if i+1 < len(elements) && elements[i+1] == ":" && plainGroup.MatchString(e) && hasMailbox(elements[i+2:]) {
			elements[i] = plainName(e)
		}
	}
	return strings.Join(elements, "")
}

// hasMailbox reports whether a group, whose members begin here, has one with an
// address.
func hasMailbox(elements []string) bool {
	for _, e := range elements {
		if e == ";" || e == ":" {
			return false
		}
		if mailbox.MatchString(e) || address.MatchString(e) {
			return true
		}
	}
	return false
}

// plainName replaces the quoted strings and encoded words of a display name,
// but not such that are the local part or the domain of an unquoted address, and no
// encoded words where an at sign stands beside: that is no display name.
func plainName(name string) string {
	var b strings.Builder
	end := 0
	stray := strings.Contains(hidden.ReplaceAllString(name, ""), "@")
	for _, m := range nameParts.FindAllStringIndex(name, -1) {
		part := name[m[0]:m[1]]
		joined := m[0] > 0 && strings.IndexByte("@.", name[m[0]-1]) >= 0 || m[1] < len(name) && name[m[1]] == '@'
		if hidingPart.MatchString(part) && !joined && (!stray || part[0] == '"') {
			part = "Name"
		}
		b.WriteString(name[end:m[0]] + part)
		end = m[1]
	}
	return b.String() + name[end:]
}

// splitList cuts a value at the commas, colons and semicolons outside of
// quotes, comments, encoded words and angle brackets; these stand as elements of their own.
func splitList(value string) (elements []string) {
	quoted, angle, depth, start := false, false, 0, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '=' && !quoted && depth == 0 && wordHere.MatchString(value[i:]):
			i += len(wordHere.FindString(value[i:])) - 1
		case c == '\\' && (quoted || depth > 0):
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth = max(depth-1, 0)
		case depth > 0:
		case c == '<' || c == '>':
			angle = c == '<'
		case !angle && (c == ',' || c == ':' || c == ';'):
			elements = append(elements, value[start:i], value[i:i+1])
			start = i + 1
		}
	}
	return append(elements, value[start:])
}
