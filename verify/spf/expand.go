package spf

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"alignd/domain"
)

// name expands a domain-spec to the name to ask for: lower case, no trailing
// dot, at most 253 octets. nil stands for the domain of the record. ok is
// false when the term can match nothing: the sender's local part is not ASCII
// and the name needs it (RFC 8616 section 4).
func (e *evaluation) name(spec *DomainSpec, current string) (name string, ok bool, stop *halt) {
	if spec == nil {
		return current, true, nil
	}
	if spec.pieces == nil {
		return spec.name, true, nil
	}
	for _, p := range spec.pieces {
		if (p.letter == 's' || p.letter == 'l') && !isASCII(e.local) {
			return "", false, nil
		}
	}
	// Only the right-hand end of a long name is asked for (truncate), so
	// only so much of it is built: a record of many macros costs no more.
	first, size := len(spec.pieces), 0
	for first > 0 && size <= domain.MaxLength+1 {
		first--
		n, stop := e.atLeast(spec.pieces[first], current)
		if stop != nil {
			return "", false, stop
		}
		size += n
	}
	buf := make([]byte, 0, 64)
	for _, p := range spec.pieces[first:] {
		if buf, stop = e.expand(buf, p, current); stop != nil {
			return "", false, stop
		}
	}
	return string(truncate(lower(buf))), true, nil
}

// truncate removes one trailing dot, then labels from the left until at most
// 253 octets are left (RFC 7208 section 7.3). A name that has no dot there
// stays too long, which DNS cannot carry.
func truncate(name []byte) []byte {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) <= domain.MaxLength {
		return name
	}
	tail := name[len(name)-domain.MaxLength-1:]
	for i, c := range tail {
		if c == '.' {
			return tail[i+1:]
		}
	}
	return tail
}

func lower(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

// atLeast is a lower bound of the octets that p expands to.
func (e *evaluation) atLeast(p piece, current string) (int, *halt) {
	if p.letter == 0 {
		return len(p.literal), nil
	}
	v, stop := e.value(p.letter, current)
	return len(p.keep(v)), stop
}

// expand appends what p stands for.
func (e *evaluation) expand(dst []byte, p piece, current string) ([]byte, *halt) {
	if p.letter == 0 {
		return append(dst, p.literal...), nil
	}
	v, stop := e.value(p.letter, current)
	if stop != nil {
		return dst, stop
	}
	from := len(dst)
	dst = p.transform(dst, v)
	if p.escape {
		dst = urlEscape(dst, from)
	}
	return dst, nil
}

// keep cuts value to the parts that the macro keeps, in their old order. With
// reverse these are the left-most ones. The cost is that of what is kept.
func (p piece) keep(value string) string {
	if p.parts == 0 {
		return value
	}
	left := p.parts
	if p.reverse {
		for i := 0; i < len(value); i++ {
			if p.parted(value[i]) {
				if left--; left == 0 {
					return value[:i]
				}
			}
		}
		return value
	}
	for i := len(value) - 1; i >= 0; i-- {
		if p.parted(value[i]) {
			if left--; left == 0 {
				return value[i+1:]
			}
		}
	}
	return value
}

func (p piece) parted(c byte) bool {
	if p.delims == "" {
		return c == '.'
	}
	return strings.IndexByte(p.delims, c) >= 0
}

// transform appends the parts of value that the macro keeps, joined by dots
// (RFC 7208 section 7.3).
func (p piece) transform(dst []byte, value string) []byte {
	value = p.keep(value)
	if !p.reverse {
		for i := 0; i < len(value); i++ {
			c := value[i]
			if p.parted(c) {
				c = '.'
			}
			dst = append(dst, c)
		}
		return dst
	}
	end := len(value)
	for i := len(value) - 1; i >= 0; i-- {
		if p.parted(value[i]) {
			dst = append(append(dst, value[i+1:end]...), '.')
			end = i
		}
	}
	return append(dst, value[:end]...)
}

// urlEscape escapes what is not "unreserved" (RFC 3986 section 2.3) from
// position from on.
func urlEscape(b []byte, from int) []byte {
	const digits = "0123456789ABCDEF"
	raw := string(b[from:])
	b = b[:from]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// value is what a macro letter stands for (RFC 7208 section 7.2).
func (e *evaluation) value(letter byte, current string) (string, *halt) {
	switch letter {
	case 's':
		return e.senderAddress(), nil
	case 'l':
		return e.local, nil
	case 'o':
		return e.senderDomain, nil
	case 'd':
		return current, nil
	case 'i':
		return e.dottedIP(), nil
	case 'p':
		return e.validatedName(current)
	case 'v':
		if e.ip.Is4() {
			return "in-addr", nil
		}
		return "ip6", nil
	case 'h':
		return asciiName(strings.TrimSuffix(e.helo, ".")), nil
	case 'c':
		return e.ip.String(), nil
	case 'r':
		if e.receiver == "" {
			return "unknown", nil
		}
		return e.receiver, nil
	}
	return strconv.FormatInt(e.now.Unix(), 10), nil // 't'
}

func (e *evaluation) senderAddress() string {
	if e.addressed == "" {
		e.addressed = e.local + "@" + e.senderDomain
	}
	return e.addressed
}

// dottedIP is %{i}: a dotted quad, or the nibbles of an IPv6 address with
// dots between them.
func (e *evaluation) dottedIP() string {
	if e.ip.Is4() {
		return e.ip.String()
	}
	if e.dotted == "" {
		e.dotted = nibbles(e.ip)
	}
	return e.dotted
}

func nibbles(ip netip.Addr) string {
	b := ip.As16()
	digits := strings.ToUpper(hex.EncodeToString(b[:]))
	return strings.Join(strings.Split(digits, ""), ".")
}

// asciiName turns U-labels into A-labels (RFC 8616 section 4) and leaves
// anything else as it is.
func asciiName(name string) string {
	if isASCII(name) {
		return name
	}
	if ascii, err := domain.Normalize(name); err == nil {
		return ascii
	}
	return name
}
