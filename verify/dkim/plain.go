package dkim

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// Patterns for stopAt: one octet in all eight places.
const (
	ones  = math.MaxUint64 / 255
	highs = ones << 7
)

// zeros marks with the high bit each octet of x that is zero, exactly.
func zeros(x uint64) uint64 { return ^((x&^highs + ^uint64(highs)) | x | ^uint64(highs)) }

// How many octets are looked at before it is asked whether those that follow have
// white space at all, and of how many that is asked at once: lines of text have, and
// an attachment has none for long.
const (
	stretch = 128
	window  = 512
)

// plain returns how many octets from the start of p, which is neither white space nor
// a CR, stay as they are in relaxed form; the run may cross line ends, but does
// not end in one, as it may be followed by empty lines to the end. It stops at a
// TAB, at a space that white space, a CR or the end of p follows, and at the
// end of p. What it passes over is hashed as it stands, so stopping too late
// could only make a genuine signature fail.
func plain(p []byte) int {
	for i := 0; i < len(p); {
		at, found := stopAt(p, i, min(i+stretch, len(p)))
		if found {
			return beforeLineEnds(p[:at])
		}
		for i = at; len(p)-i >= window && !hasWSP(p[i:i+window]); {
			i += window
		}
	}
	n := len(p)
	if p[n-1] == '\r' {
		n--
	}
	return beforeLineEnds(p[:n])
}

func hasWSP(p []byte) bool { return bytes.IndexByte(p, ' ') >= 0 || bytes.IndexByte(p, '\t') >= 0 }

// stopAt looks in p from i on for what plain stops at, up to end or some octets
// further. It looks at eight octets at a time; TAB and CR differ in one bit only. What
// that saves is in docs/performance.md.
func stopAt(p []byte, i, end int) (at int, found bool) {
	for ; i < end && i <= len(p)-9; i += 8 { // in this form the compiler checks no bounds
		w := binary.LittleEndian.Uint64(p[i : i+8 : i+8])
		if (w-ones*'!')&^w&highs == 0 {
			continue // nothing up to a space
		}
		sp := zeros(w ^ ones*' ')
		ends := sp | zeros((w&^(ones*4))^ones*'\t') // what a word ends with: space, TAB or CR
		stop := sp&(ends>>8) | zeros(w^ones*'\t')
		if sp>>63 != 0 && endsWord(p[i+8]) {
			stop |= 1 << 63
		}
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)/8, true
		}
	}
	for ; i < end; i++ {
		if p[i] == '\t' || p[i] == ' ' && (i+1 == len(p) || endsWord(p[i+1])) {
			return i, true
		}
	}
	return i, false
}

func endsWord(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// beforeLineEnds returns how long p is without the line ends that it ends in.
func beforeLineEnds(p []byte) int {
	n := len(p)
	for n >= 2 && p[n-1] == '\n' && p[n-2] == '\r' {
		n -= 2
	}
	return n
}
