package dkim

import (
	"bytes"
	"encoding/base64"
	"math"
	"strings"
)

// keyword returns which of the words value is, compared case-insensitively,
// or "".
func keyword(value []byte, words ...string) string {
	for _, w := range words {
		if len(w) == len(value) && bytes.EqualFold(value, []byte(w)) {
			return w
		}
	}
	return ""
}

// parseNumber reads digits; a number above 63 bits becomes the largest one.
func parseNumber(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64 / 10 // stays there
			continue
		}
		n = 10*n + int64(c-'0')
	}
	if n >= math.MaxInt64/10 {
		n = math.MaxInt64
	}
	return n, true
}

// decodeBase64 reads a base64string without its white space (RFC 6376 section
// 2.10), whose padding may be short: the ABNF has one, two or no "=".
func decodeBase64(b []byte) ([]byte, bool) {
	for range 2 {
		b = bytes.TrimSuffix(b, []byte("="))
	}
	if len(b) == 0 {
		return nil, false
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(b)))
	n, err := base64.RawStdEncoding.Decode(out, b)
	return out[:n], err == nil
}

// splitNames reads a colon-separated list of field names into lower case; all
// share one string. Empty names are left out.
func splitNames(list []byte) ([]string, bool) {
	lower := stripAroundColons(list)
	count := 1
	for i, c := range lower {
		switch {
		case c == ':':
			count++
		case c <= ' ' || c >= 0x7f:
			return nil, false
		case 'A' <= c && c <= 'Z':
			lower[i] += 'a' - 'A'
		}
	}
	names := make([]string, 0, count)
	rest, more := string(lower), true
	for more {
		var n string
		if n, rest, more = strings.Cut(rest, ":"); n != "" {
			names = append(names, n)
		}
	}
	return names, true
}

// stripAroundColons removes the FWS next to colons; white space elsewhere
// stays and is then refused.
func stripAroundColons(list []byte) []byte {
	out := make([]byte, 0, len(list))
	for i := 0; i < len(list); {
		if !isSpace(list[i]) {
			out = append(out, list[i])
			i++
			continue
		}
		j := i
		for j < len(list) && isSpace(list[j]) {
			j++
		}
		if j < len(list) && list[j] != ':' && len(out) > 0 && out[len(out)-1] != ':' {
			out = append(out, ' ')
		}
		i = j
	}
	return out
}

// decodeQP decodes dkim-quoted-printable (RFC 6376 section 2.11), in which
// white space is ignored. A "=" that no two hex digits follow stands for itself,
// where section 2.11 wants =3D: signers that write addresses of bounces
// (bounce-user=example.org@a.example) leave it so, and the part before the "@"
// proves nothing.
func decodeQP(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if isSpace(c) {
			continue
		}
		if c == '=' && i+2 < len(b) {
			if hi, lo := hexDigit(b[i+1]), hexDigit(b[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		out = append(out, c)
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
