package header

import (
	"bytes"
	"slices"
	"strings"

	"alignd/domain"
)

// addressList reads address lists. It reads each octet a bounded number of times.
type addressList struct {
	scanner
	authors
	start     int      // of the element
	apart     int      // see wordRun, of the display name
	domainEnd int      // behind the last label that was read
	groups    [][]byte // names of groups without an address so far, where they may be one
	seen      int      // mailboxes with a domain in this field
	glue      bool     // an unquoted address stands in front of an empty angle address
	carry     bool     // the next element begins where some readers have lost their way
	cutOff    bool     // cutAtComma has looked at the rest of the field
	lost      bool     // astray has looked at the rest of the field
	ats       int      // one more than at signs in the rest of the field, once lone has counted them
	// oddName: the display name is not to the letter of RFC 5322, apart from at signs.
	oddName bool
	inGroup bool // behind the colon of a group
}

// read reads one field value.
func (p *addressList) read(value []byte) {
	p.scanner = scanner{text: value}
	p.groups, p.seen, p.glue, p.plain = nil, 0, false, !mayHoldWord(value)
	p.carry, p.cutOff, p.lost, p.inGroup, p.ats = false, false, false, false, 0
	before := p.unusable
	p.unusable = ""
	switch {
	case bytes.IndexByte(value, 0) >= 0:
		p.fail("a NUL") // some readers end here
		p.torn = true
	case !foldedWell(value):
		p.fail("a line break that is no fold")
		p.torn = true
	}
	for p.bad == "" && p.element() {
	}
	p.endGroup()
	p.broken = p.broken || p.unusable != "" && p.seen > 0 // it may be what a reader shows
	if p.bad != "" || p.unusable != "" || p.seen == 0 {
		p.search(value, p.bad != "" || p.glue || strings.HasPrefix(p.unusable, "["))
		p.broken = p.broken || p.bad != "" && bytes.Contains(value, []byte("<>")) // which some readers drop
		p.halfWord(value, false)
		if p.bad != "" {
			p.search(spoken(value), true)
		}
	}
	if p.fault == "" {
		p.fault = p.bad
	}
	if p.unusable == "" {
		p.unusable = before
	}
}

// foldedWell reports whether CR and LF occur in folds only (RFC 5322 section
// 2.2.3), or as the end of the value.
func foldedWell(value []byte) bool {
	value = bytes.TrimSuffix(value, []byte("\r\n"))
	for i, c := range value {
		switch c {
		case '\r':
			if i+1 == len(value) || value[i+1] != '\n' {
				return false
			}
		case '\n':
			if i == 0 || value[i-1] != '\r' || i+1 == len(value) || value[i+1] != ' ' && value[i+1] != '\t' {
				return false
			}
		}
	}
	return true
}

// element reads up to the next comma, semicolon or colon outside of an angle
// address: a mailbox, a group name, a piece of a display name with an unquoted
// comma, or nothing. It reports whether there is more.
func (p *addressList) element() bool {
	p.start, p.odd, p.oddAt, p.oddHere, p.carry = p.at, p.carry, p.at, false, false
	var (
		words    = false // something stood in the element already
		nameless = false // nothing stood before an at sign
		at, ats  = 0, 0  // the last at sign; their number
		plain    = false // an at sign is outside of encoded words
		run      = wordRun{joint: true, lost: len(p.text), apart: len(p.text)}
	)
	for p.bad == "" {
		behind := p.at
		switch p.next() {
		case tokWord, tokQuoted:
			run.word(p.from, behind, isSpokenAt(p.text[p.from:]))
			words = true
		case tokDot:
			if run.joint {
				p.strange(p.from)
			}
			words, run.joint, run.dot = true, true, true
		case tokAt:
			nameless = nameless || !words
			if run.joint {
				p.strange(p.from)
			}
			at, ats = p.from, ats+1
			run = wordRun{joint: true, lost: min(run.lost, at), apart: min(run.apart, at)}
			plain = plain || at >= p.pureEnd
			p.literal()
		case tokOpen: // whatever stood before it is a display name
			if p.oddName = p.odd; ats > 0 {
				p.strange(run.lost)
			}
			p.apart = run.apart
			return p.named(plain || ats > 0 && p.from < p.pureEnd)
		case tokClose:
			p.fail("a > without <")
		case tokColon:
			if p.oddHere {
				p.spokenAt(run.apart, p.from)
			}
			p.colon(words, ats)
			return true
		default: // comma, semicolon, end
			p.mailbox = p.mailbox || words
			if nameless {
				p.fail("an address without local part")
			}
			p.spokenAt(run.apart, p.from)
			return p.noAngle(at, ats, run.lost)
		}
	}
	return false
}

// colon ends an element that should be the name of a group.
func (p *addressList) colon(words bool, ats int) {
	if ats > 0 {
		p.fail("an address before a colon")
	}
	if !words {
		p.fail("a colon without a name")
	}
	p.groupName()
	p.astray(p.from)
	p.carry = p.odd
}

// noAngle ends an element without an angle address. Its last at sign stands at at.
func (p *addressList) noAngle(at, ats, lost int) bool {
	if p.bad != "" {
		return false
	}
	end := p.tok
	if ats == 0 {
		p.nothing(p.from)
	} else {
		if lost < at { // lost is where a word stands that no local part has there
			p.strange(lost)
		}
		p.bare(at, ats)
	}
	if end == tokSemicolon {
		p.endGroup()
		p.carry = true
	}
	return end != tokEnd
}

// nothing is an element without an address, up to end: perhaps one is in its
// quoted strings, comments and encoded words.
func (p *addressList) nothing(end int) {
	text := p.wholeWords(p.start, end)
	p.search(text, p.glue)
	p.behindQuotes(text)
	p.halfWord(text, false)
	p.astray(end)
}

// maxReread is how many octets of encoded words are looked at more than once in all
// From fields, as several elements lie in one; ours. With more of them From names too many
// domains. Words of the length that RFC 2047 section 2 allows do not come near it.
const maxReread = 1 << 20

// wholeWords is the text from start to end, and on to the end of an encoded word that
// begins before: readers that find encoded words first see what goes on behind a comma.
// It is empty once too much was read again.
func (p *addressList) wholeWords(start, end int) []byte {
	if p.wordEnd <= end {
		return p.text[start:end]
	}
	if p.reread += p.wordEnd - start; p.reread > maxReread {
		p.more = true
		return nil
	}
	return p.text[start:p.wordEnd]
}

// groupName ends the name of a group. Where it may be taken for an address, it
// is kept until there is an address in the group. A group in a group there is none (RFC
// 5322 section 3.4): some readers (Python's new policy) take its name for an author.
func (p *addressList) groupName() {
	if p.from < p.wordEnd { // no group for who finds encoded words first
		p.fail("a colon in an encoded word")
		return
	}
	nested := p.inGroup
	p.group, p.inGroup = true, true
	p.cutName(p.cut)
	name := p.text[p.start:p.from]
	switch {
	case nested:
		p.search(name, false)
	case hasAt(name):
		p.groups = append(p.groups, name)
	}
	p.besideGroup(name)
}

// endGroup is the end of a group, perhaps one without an address.
func (p *addressList) endGroup() {
	for _, name := range p.groups {
		p.search(name, false)
	}
	p.groups, p.inGroup = nil, false
}

// bare reads the domain of an address without angle brackets, which stands
// behind the at sign at at and must reach to the end of the element. Words before
// the local part cannot change the domain and are let through.
func (p *addressList) bare(at, ats int) {
	if ats > 1 {
		p.fail("several at signs in one address")
		return
	}
	p.localPart(p.start, at)
	wide := p.text[at] != '@'
	p.at = at + atSign(p.text[at:])
	name := p.domain()
	domainEnd := p.domainEnd
	if t := p.next(); t != tokComma && t != tokSemicolon && t != tokEnd {
		p.fail("text after an address")
	}
	switch {
	case name == "":
	case strings.Contains(name, "."):
		p.addMailbox(name)
	case !wide && len(p.short) < p.limit && !slices.Contains(p.short, name): // perhaps of a name: "Acme@Home, Inc."
		p.short = append(p.short, name)
	}
	p.besideBare(at, domainEnd)
	p.astray(p.from)
}

// addMailbox notes the domain of a mailbox that was read to its end.
func (p *addressList) addMailbox(name string) {
	p.add(name, asMailbox)
	p.seen++
	p.groups = nil
}

// localPart looks at what stands before the at sign of an address. Quoted
// strings and encoded words in it may be taken for an address (RFC 2047 section
// 5 rule 3 forbids the latter).
func (p *addressList) localPart(start, at int) {
	text := p.wholeWords(start, at)
	if bytes.IndexByte(text, '"') >= 0 || bytes.Contains(text, []byte("=?")) {
		p.search(withoutComments(text), false)
	}
}

// named reads the angle address behind a display name, which may hold an at
// sign, and what follows it. It reports whether there is another element.
func (p *addressList) named(ats bool) bool {
	open, cut := p.from, p.cut
	s := p.scanner
	empty := s.next() == tokClose
	name := p.angle()
	behind := p.at
	if empty || p.oddHere { // no display name for some readers (c-client)
		p.spokenAt(p.apart, open)
	}
	more := p.trailing()
	if p.bad != "" {
		return false
	}
	end := p.from
	if p.tok == tokSemicolon {
		p.carry = true
		defer p.endGroup()
	}
	if name == "" {
		p.glue = p.glue || ats
		p.nothing(end)
		// Some readers drop the brackets: "ceo@bank.e<>xample".
		p.broken = p.broken || nameLen(p.text[behind:end]) > 0
		return more
	}
	p.addMailbox(name)
	p.beside(angled{domain: name, open: open, behind: behind, end: end})
	p.astray(end)
	if bytes.Contains(p.text[behind:end], []byte("=?")) && p.showsAddress(p.text[behind:end]) {
		p.fail("an address after an angle address")
	}
	p.quotedLocalParts(p.text[p.start:open])
	if !ats {
		p.cutName(cut)
	}
	if ats || p.oddName {
		p.fronts(p.text[p.start:open], name, ats)
	}
	return more
}

// quotedLocalParts looks at the local part of an address in front of an angle
// address, where it is quoted or encoded.
func (p *addressList) quotedLocalParts(text []byte) {
	end := max(bytes.LastIndex(text, []byte("?=@"))+2, bytes.LastIndex(text, []byte("\"@"))+1)
	if end > 1 {
		p.search(withoutComments(text[:end]), false)
	}
}

// showsAddress reports whether a reader may see an address in text.
func (p *addressList) showsAddress(text []byte) (found bool) {
	f := finder{note: func(string) { found = true }, left: &p.left, plain: p.plain}
	f.search(text)
	return found || f.broken
}

// literal skips a domain literal, if there is one here, and returns it.
func (p *addressList) literal() []byte {
	p.skip()
	if p.bad != "" || p.at == len(p.text) || p.text[p.at] != '[' {
		return nil
	}
	start := p.at
	p.quotedRun(']', "a domain literal")
	return p.text[start:p.at]
}

// domain reads a domain behind an at sign and returns it, "" for one that is
// noted as unusable and for a literal. White space and comments around its dots
// (RFC 5322 section 4.4) are ignored; but some readers stop there, so what looks
// like a whole domain before them counts too.
func (p *addressList) domain() string {
	l := p.literal()
	p.domainEnd = p.at
	if l != nil {
		if p.bad == "" && !isAddressLiteral(l) {
			p.unusable = string(l[:min(len(l), 100)])
		}
		return ""
	}
	var name []byte
	for p.bad == "" {
		atom := p.atom()
		if len(atom) == 0 {
			p.fail("a domain with an empty label")
			return ""
		}
		if name = append(name, atom...); len(name) > maxName {
			name = name[:maxName+1] // longer than DNS carries, however it goes on
		}
		end := p.at
		p.domainEnd = end
		p.skip()
		if p.at == len(p.text) || p.text[p.at] != '.' {
			break
		}
		p.at++
		dot := p.at
		p.skip()
		gap := dot > end+1 || p.at > dot
		if p.at == len(p.text) || !isAtext(p.text[p.at]) && p.text[p.at] != '.' {
			break // a dot at the end
		}
		if gap && len(name) <= maxName && bytes.ContainsAny(name, dots) {
			p.addPart(string(name))
		}
		name = append(name, '.')
	}
	if p.bad != "" {
		return ""
	}
	d, err := domain.Normalize(string(name))
	if err != nil || nameLen(name) < len(name) { // IDNA lets brackets and quotes through
		p.unusable = string(name[:min(len(name), 100)])
		return ""
	}
	return d
}
