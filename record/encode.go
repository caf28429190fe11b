package record

import (
	"bytes"

	"github.com/fxamacker/cbor/v2"
)

// MaxSize is the most octets that an encoded record takes; ours. Append cuts
// what is longer, and Decode refuses it.
const MaxSize = 64 << 10

// maxEntries is the most entries of a list; ours. Append cuts what is longer, and
// Decode refuses it, so that a few octets cannot ask for much memory.
const maxEntries = 4096

// pairHead begins an array of two (RFC 8949 section 3.1). The version follows, in
// one octet while it is below 24.
const pairHead = 0x82

var encoding = must(encodeOptions().UserBufferEncMode())

// encodeOptions are those of RFC 8949 section 4.2.1 with strings as byte strings,
// as mail may hold any octet, and times in seconds since 1970.
func encodeOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.String = cbor.StringToByteString
	o.Time = cbor.TimeUnixDynamic
	o.TagsMd = cbor.TagsForbidden
	return o
}

// must is for options that are constant: a wrong one fails every test.
func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

// Append appends r as it is kept (see Kept) to dst and returns the longer slice.
// It never fails and adds at most MaxSize octets. r is not changed. It is safe
// for concurrent use.
//
// The encoding is CBOR (RFC 8949), deterministic (section 4.2.1): an array of
// Version and a map. Structs are maps with the numbers of their tags as keys,
// without fields that are zero; strings are byte strings; a time is its seconds
// since 1970, an integer or a float; an address is its 4 or 16 octets followed by
// its zone.
func Append(dst []byte, r *Record) []byte {
	dst, _ = keep(dst, r)
	return dst
}

// Kept is r in the form in which Append writes it and Decode reads it: with the
// short form of each b=, with times to the microsecond, and cut where it would be
// longer than MaxSize, which Cut then tells. It is r itself when nothing is to be
// done. What it points to may be shared with r.
func Kept(r *Record) *Record {
	_, kept := keep(nil, r)
	return kept
}

// keep appends r and returns the form that it wrote.
func keep(dst []byte, r *Record) ([]byte, *Record) {
	r = withKeptTimes(withShortSignatures(r))
	longer, ok := encode(dst, r)
	if !ok {
		r = cut(r)
		longer, _ = encode(dst, r)
	}
	return longer, r
}

// encode appends r as it is, whatever its size. It reports whether Decode takes it.
func encode(dst []byte, r *Record) ([]byte, bool) {
	buf := bytes.NewBuffer(append(dst, pairHead, Version))
	err := encoding.MarshalToBuffer(r, buf) // no value of a Record's types fails
	return buf.Bytes(), err == nil && readable(buf.Bytes()[len(dst):])
}

// readable reports whether b is not too long, nor one of its lists. An entry takes
// an octet at least, so in a short record all lists are short.
func readable(b []byte) bool {
	return len(b) <= MaxSize && (len(b) <= maxEntries || strict.Wellformed(b) == nil)
}

// size is how many octets what v points to takes, or more than MaxSize when it
// cannot be kept.
func size(v any) int {
	b, err := encoding.Marshal(v)
	if err != nil || !readable(b) {
		return MaxSize + len(b)
	}
	return len(b)
}
