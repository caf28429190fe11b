package relay

import (
	"net/netip"
	"strings"
)

// address reads [IP], [IPv6:IP], IP, and each of them with a port: [IP]:25,
// [IP:25], IP:25. An unspecified address is none.
func address(s string) (ip netip.Addr, bracketed, ok bool) {
	if strings.HasPrefix(s, "[") {
		inner, port, closed := strings.Cut(s[1:], "]")
		if !closed || port != "" && !isPort(port) {
			return netip.Addr{}, true, false
		}
		s, bracketed = inner, true
	}
	ip, ok = parse(s)
	return ip, bracketed, ok
}

// parse reads an address, with or without the tag of RFC 5321 section 4.1.3 and
// a port.
func parse(s string) (netip.Addr, bool) {
	const tag = "IPv6:"
	if len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		s = s[len(tag):]
	}
	if isWord(s) {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(s)
	if err != nil { // what can be an address as a whole is no address with a port
		i := strings.LastIndexByte(s, ':')
		if i < 0 || !isPort(s[i:]) {
			return netip.Addr{}, false
		}
		if ip, err = netip.ParseAddr(s[:i]); err != nil {
			return netip.Addr{}, false
		}
	}
	ip = ip.Unmap().WithZone("")
	return ip, !ip.IsUnspecified()
}

// isWord finds what is no address without reading it, as most of a field is: it has
// no colon and is not of digits and dots alone.
func isWord(s string) bool {
	word := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ':':
			return false
		case c != '.' && (c < '0' || c > '9'):
			word = true
		}
	}
	return word
}

// isPort matches ":" and digits.
func isPort(s string) bool {
	return len(s) > 1 && s[0] == ':' && strings.Trim(s[1:], "0123456789") == ""
}

// addressesIn finds everything in text that is an address or looks much like
// one; what looks like one and cannot be read is the zero Addr. A number inside
// a name, such as 192.0.2.1.pool.example, is none.
func addressesIn(text string) []netip.Addr {
	var found []netip.Addr
	for i := 0; i < len(text); i++ {
		start := i
		for i < len(text) && ofAddress(text[i]) {
			i++
		}
		token := strings.TrimRight(text[start:i], ".")
		if token == "" || isWord(token) {
			continue
		}
		if ip, ok := parse(token); ok {
			found = append(found, ip)
		} else if resembles(token) {
			found = append(found, netip.Addr{})
		}
	}
	return found
}

// ofAddress reports whether c may stand in a name or an address.
func ofAddress(c byte) bool {
	switch {
	case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c >= 0x80:
		return true
	}
	return c == '.' || c == ':' || c == '-' || c == '_'
}

// resembles finds addresses in a spelling that is not read: 192.000.002.001,
// 0.0.0.0, IPv6 with too many groups. A time of day has two colons.
func resembles(s string) bool {
	if strings.Trim(s, "0123456789.:") == "" && strings.Count(s, ".") >= 3 {
		return true
	}
	return strings.Trim(s, "0123456789abcdefABCDEF.:") == "" && (strings.Count(s, ":") > 2 || strings.Contains(s, "::"))
}
