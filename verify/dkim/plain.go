package dkim

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Patterns for plain: one octet in all eight places.
const (
	ones  = math.MaxUint64 / 255
	highs = ones << 7
)

// zeros marks with the high bit each octet of x that is zero, exactly.
func zeros(x uint64) uint64 { return ^((x&^highs + ^uint64(highs)) | x | ^uint64(highs)) }

// plain returns how many octets from the start of p, which is no CR, stay as
// they are in relaxed form; the run may cross line ends, but does not end in
// one, as it may be followed by empty lines to the end. It stops at a TAB, at a
// space that white space, a CR or the end of p follows, and at a CR that may
// end a line with an empty one behind it. It may stop too early, but for the
// first octet only at white space. What it passes over is hashed as it stands, so
// stopping too late could only make a genuine signature fail.
//
// It looks at eight octets at a time; TAB and CR differ in one bit only. What that
// saves is in docs/performance.md.
func plain(p []byte) int {
	i := 0
	for ; i <= len(p)-10; i += 8 { // in this form the compiler checks no bounds
		w := binary.LittleEndian.Uint64(p[i : i+8 : i+8])
		if (w-ones*'!')&^w&highs == 0 {
			continue // nothing up to a space
		}
		ctl := zeros((w &^ (ones * 4)) ^ ones*'\t') // TAB and CR
		sp := zeros(w ^ ones*' ')
		stop := sp & ((sp | ctl) >> 8)
		if sp>>63 != 0 && endsWord(p[i+8]) {
			stop |= 1 << 63
		}
		if ctl != 0 {
			cr := zeros(w ^ ones*'\r')
			second := cr >> 16 // CR two octets on: an empty line
			if p[i+8] == '\r' {
				second |= 1 << 55
			}
			if p[i+9] == '\r' {
				second |= 1 << 63
			}
			stop |= ctl&^cr | cr&second
		}
		if stop != 0 {
			return wholeLine(p, i+bits.TrailingZeros64(stop)/8)
		}
	}
	for ; i < len(p); i++ {
		switch p[i] {
		case '\t':
			return wholeLine(p, i)
		case '\r':
			if i+2 >= len(p) || p[i+2] == '\r' {
				return i
			}
		case ' ':
			if i+1 == len(p) || endsWord(p[i+1]) {
				return wholeLine(p, i)
			}
		}
	}
	return i
}

func endsWord(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// wholeLine leaves a line end right before i to the caller.
func wholeLine(p []byte, i int) int {
	if i >= 2 && p[i-1] == '\n' && p[i-2] == '\r' {
		return i - 2
	}
	return i
}
