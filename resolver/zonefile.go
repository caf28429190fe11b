package resolver

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/miekg/dns"
)

const (
	// maxZone is the longest zone file, in octets. The number is ours.
	maxZone = 64 << 20
	// defaultTTL is that of records without TTL in a file without $TTL, in seconds.
	defaultTTL = 300
	// Private record types (RFC 6895 section 3.1) that carry the pseudo-types
	// through the parser. Their data are the names of the types that fail.
	typeSERVFAIL, typeTIMEOUT = 0xFFA0, 0xFFA1
)

// ParseZone reads a zone file: the master format of RFC 1035 section 5 and two
// pseudo-types,
//
//	broken.example  SERVFAIL     ; every question for the name fails
//	slow.example    TIMEOUT TXT  ; questions for these types get no answer
//
// Where the file also has records of the name, those are still answered and a
// bare pseudo-type fails the other types only, as in the zones of the public
// SPF suites; with types it fails those, records or not.
//
// Names are relative to $ORIGIN, which is the root at first, so a file needs
// neither $ORIGIN nor trailing dots. A TXT string longer than 255 octets is
// split, a TXT record without strings holds the empty one; $INCLUDE is refused.
// An error names file and line.
func ParseZone(r io.Reader, file string) (*Zone, error) {
	src, err := rewritePseudo(io.LimitReader(r, maxZone+1), file)
	if err != nil {
		return nil, err
	}
	p := dns.NewZoneParser(strings.NewReader(src), ".", file)
	p.SetDefaultTTL(defaultTTL)
	wire := make([]byte, dns.MaxMsgSize)
	z := &Zone{nodes: map[string]*node{".": {}}}
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if err := z.add(rr, wire); err != nil {
			return nil, fmt.Errorf("%s: record %q: %w", file, rr.Header().Name, err)
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return z, nil
}

// add puts rr into the zone. wire is scratch space.
func (z *Zone) add(rr dns.RR, wire []byte) error {
	if rr.Header().Class != dns.ClassINET {
		return errors.New("class is not IN")
	}
	rr, err := normal(rr, wire)
	if err != nil {
		return err
	}
	n := z.ensure(rr.Header().Name)
	switch t := rr.Header().Rrtype; t {
	case typeSERVFAIL, typeTIMEOUT:
		raw, err := hex.DecodeString(rr.(*dns.RFC3597).Rdata)
		if err != nil {
			return err
		}
		if n.fail == nil {
			n.fail = make(map[uint16]failure)
		}
		for name := range strings.FieldsSeq(string(raw)) {
			n.fail[dns.StringToType[name]] = map[uint16]failure{typeSERVFAIL: fails, typeTIMEOUT: stays}[t]
		}
	default:
		if n.records == nil {
			n.records = make(map[uint16][]dns.RR)
		}
		n.records[t] = append(n.records[t], rr)
		z.redirects = z.redirects || t == dns.TypeDNAME
	}
	return nil
}

// ensure returns the node of name; it and its ancestors exist from now on.
func (z *Zone) ensure(name string) *node {
	n := z.nodes[name]
	if n == nil {
		n = new(node)
		z.nodes[name] = n
		if name != "." {
			z.ensure(parentOf(name))
		}
	}
	return n
}

// normal gives rr the form it would have in a message: one spelling for each
// name, and nothing that cannot be sent.
func normal(rr dns.RR, wire []byte) (dns.RR, error) {
	end, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return nil, err
	}
	rr, _, err = dns.UnpackRR(wire[:end], 0)
	if err != nil {
		return nil, err
	}
	rr.Header().Name = asAsked(rr.Header().Name)
	switch rr := rr.(type) {
	case *dns.CNAME:
		rr.Target = asAsked(rr.Target)
	case *dns.DNAME:
		rr.Target = asAsked(rr.Target)
	}
	return rr, nil
}

// asAsked gives a name the spelling that Lookup would ask it in: lower case,
// U-labels as A-labels.
func asAsked(name string) string {
	if s, ok := text(name); ok {
		if s, why := canonical(s); why == "" {
			return presentation(s)
		}
	}
	return lower(name)
}

// rewritePseudo turns each pseudo-record into one of unknown type (RFC 3597),
// in its own line, so that owner, $ORIGIN, TTL and line numbers stay the
// parser's business.
func rewritePseudo(r io.Reader, file string) (string, error) {
	var out strings.Builder
	in := bufio.NewReader(r)
	open := lexState{}
	for number := 1; ; number++ {
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading zone %s: %w", file, err)
		}
		if out.Len() > maxZone {
			return "", fmt.Errorf("zone %s: more than %d octets", file, maxZone)
		}
		if open == (lexState{}) {
			rewritten, why := rewriteLine(line)
			if why != "" {
				return "", fmt.Errorf("%s: %s at line: %d", file, why, number)
			}
			line = rewritten
		}
		open = open.after(line)
		out.WriteString(line)
		if err != nil {
			return out.String(), nil
		}
	}
}

// lexState is what of a line reaches into the next.
type lexState struct {
	parens int
	quoted bool
}

func (s lexState) after(line string) lexState {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"':
			s.quoted = !s.quoted
		case s.quoted:
		case c == ';':
			return s
		case c == '(':
			s.parens++
		case c == ')':
			s.parens--
		}
	}
	return s
}

// rewriteLine rewrites line if its type is a pseudo-type, or if it is a text
// without strings. The owner is never taken for a type, even when it is called
// so.
func rewriteLine(line string) (rewritten, why string) {
	body, _, _ := strings.Cut(line, ";")
	rest := strings.TrimLeft(body, " \t")
	if rest == body { // the line begins with its owner
		_, rest = field(body)
	}
	for {
		word, after := field(rest)
		pseudo := uint16(0)
		switch {
		case word == "":
			return line, ""
		case strings.EqualFold(word, string(fails)):
			pseudo = typeSERVFAIL
		case strings.EqualFold(word, string(stays)):
			pseudo = typeTIMEOUT
		case isText(word) && strings.TrimSpace(after) == "":
			return strings.TrimRight(body, " \t\r\n") + " \"\"\n", ""
		case isTTLOrClass(word):
			rest = after
			continue
		default:
			return line, ""
		}
		before, types := body[:len(body)-len(rest)], failing(after)
		if types == "" {
			return "", fmt.Sprintf("%s takes record types, not %q", strings.ToUpper(word), strings.TrimSpace(after))
		}
		return fmt.Sprintf("%s TYPE%d \\# %d %x\n", before, pseudo, len(types), types), ""
	}
}

// failing are the types that the data of a pseudo-type names. No data, or what
// a writer puts where there is none, is every type; empty means that data names
// something else.
func failing(data string) string {
	data = strings.ToUpper(strings.TrimSpace(strings.ReplaceAll(data, ",", " ")))
	switch data {
	case "", ".", `""`, "*", "TRUE":
		return "ANY"
	}
	for name := range strings.FieldsSeq(data) {
		if _, known := dns.StringToType[name]; !known {
			return ""
		}
	}
	return data
}

// isText reports whether word is a type whose data are strings.
func isText(word string) bool {
	return strings.EqualFold(word, "TXT") || strings.EqualFold(word, "SPF")
}

// field splits off the first word; it may hold white space after a backslash.
func field(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ' ', '\t', '\r', '\n':
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func isTTLOrClass(word string) bool {
	_, class := dns.StringToClass[strings.ToUpper(word)]
	return class || word != "" && isDigit(word[0])
}
