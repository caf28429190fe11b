package record

import (
	"encoding/binary"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What encode appends is what the library writes under encodeOptions, in a third of the
// time, as each message waits for it. A test compares the two octet by octet; a type that
// shapes do not know leaves the whole record to the library.

// shape is how a struct is written: its fields by number, which is their order in a
// deterministic map of small keys (RFC 8949 section 4.2.1).
type shape struct {
	fields []field
	// never: a field of this type is never left out as empty, as one of its own has no
	// omitempty.
	never bool
}

// field is one of a struct.
type field struct {
	index int
	key   []byte // as encoded
	omit  omit
	kind  kind
	elem  *shape // of a struct, a pointer to one, or the entries of a list
}

// omit says when a field is left out.
type omit uint8

const (
	omitNever omit = iota
	omitEmpty
	omitZero
)

// kind is how a value is written.
type kind uint8

const (
	notKnown kind = iota
	aBool
	anInt
	aUint
	aString
	strs // a list of string
	ints // of integers
	aList
	octets // an array of them
	aTime
	anAddr
	aStruct
	aPointer
	structs
)

var shapeOfRecord = newShape(reflect.TypeFor[Record](), map[reflect.Type]*shape{})

func newShape(t reflect.Type, made map[reflect.Type]*shape) *shape {
	if s := made[t]; s != nil {
		return s
	}
	s := &shape{}
	made[t] = s
	for i := range t.NumField() {
		tag := strings.Split(t.Field(i).Tag.Get("cbor"), ",")
		number, err := strconv.Atoi(tag[0])
		f := field{index: i, key: appendHead(nil, 0, uint64(number))}
		if err != nil || number < 1 || !slices.Contains(tag, "keyasint") {
			f.kind = notKnown
		} else {
			f.kind, f.elem = kindOf(t.Field(i).Type, made)
		}
		switch {
		case slices.Contains(tag, "omitempty"):
			f.omit = omitEmpty
		case slices.Contains(tag, "omitzero"):
			f.omit = omitZero
		}
		s.never = s.never || f.omit != omitEmpty
		s.fields = append(s.fields, f)
	}
	slices.SortFunc(s.fields, func(a, b field) int { return slices.Compare(a.key, b.key) })
	return s
}

func kindOf(t reflect.Type, made map[reflect.Type]*shape) (kind, *shape) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return aTime, nil
	case reflect.TypeFor[netip.Addr]():
		return anAddr, nil
	case reflect.TypeFor[[]string]():
		return strs, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return aBool, nil
	case reflect.String:
		return aString, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return anInt, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return aUint, nil
	case reflect.Struct:
		return aStruct, newShape(t, made)
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return octets, nil
		}
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct {
			return aPointer, newShape(t.Elem(), made)
		}
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.Struct:
			if k, elem := kindOf(t.Elem(), made); k == aStruct {
				return structs, elem
			}
		case reflect.Int:
			return ints, nil
		case reflect.String:
			return aList, nil
		}
	}
	return notKnown, nil
}

// CBOR's major types, in the upper bits of a head (RFC 8949 section 3.1).
const (
	headUint  = 0 << 5
	headNeg   = 1 << 5
	headBytes = 2 << 5
	headArray = 4 << 5
	headMap   = 5 << 5
)

// appendHead appends the shortest head (RFC 8949 section 4.2.1).
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// writing is a record while it is written.
type writing struct {
	b      []byte
	failed bool // the library is to write it
}

// structOf writes v, which can be addressed. Its head is written last, as it says how
// many fields are there.
func (w *writing) structOf(s *shape, v reflect.Value) {
	start, n := len(w.b), 0
	w.b = append(w.b, headMap)
	for i := range s.fields {
		f := &s.fields[i]
		fv := v.Field(f.index)
		if f.absent(fv) {
			continue
		}
		before := len(w.b)
		w.b = append(w.b, f.key...)
		w.value(f, fv)
		if f.kind == aStruct && f.omit == omitEmpty && !f.elem.never && w.b[len(w.b)-1] == headMap && len(w.b) == before+len(f.key)+1 {
			w.b = w.b[:before] // all of its fields are left out
			continue
		}
		n++
	}
	if n < 24 {
		w.b[start] |= byte(n)
		return
	}
	var head [9]byte
	w.b = slices.Replace(w.b, start, start+1, appendHead(head[:0], headMap, uint64(n))...)
}

// absent: the field is left out.
func (f *field) absent(v reflect.Value) bool {
	switch f.omit {
	case omitNever:
		return false
	case omitZero:
		if f.kind == aTime {
			return v.Addr().Interface().(*time.Time).IsZero()
		}
		return v.IsZero()
	}
	switch f.kind {
	case aBool:
		return !v.Bool()
	case anInt:
		return v.Int() == 0
	case aUint:
		return v.Uint() == 0
	case aString, strs, ints, aList, structs:
		return v.Len() == 0
	case aPointer:
		return v.IsNil()
	}
	return false
}

func (w *writing) value(f *field, v reflect.Value) {
	switch f.kind {
	case aBool:
		w.bool(v.Bool())
	case anInt:
		w.int(v.Int())
	case aUint:
		w.b = appendHead(w.b, headUint, v.Uint())
	case aString:
		w.string(v.String())
	case aTime:
		w.time(v.Addr().Interface().(*time.Time))
	case anAddr:
		w.addr(v.Addr().Interface().(*netip.Addr))
	case octets:
		w.b = append(appendHead(w.b, headBytes, uint64(v.Len())), v.Bytes()...)
	case aStruct:
		w.structOf(f.elem, v)
	case aPointer:
		if v.IsNil() {
			w.failed = true
			return
		}
		w.structOf(f.elem, v.Elem())
	case strs, aList, ints, structs:
		w.list(f, v)
	default:
		w.failed = true
	}
}

func (w *writing) list(f *field, v reflect.Value) {
	if v.IsNil() {
		w.failed = true // the library writes a null
		return
	}
	w.b = appendHead(w.b, headArray, uint64(v.Len()))
	if f.kind == strs {
		for _, s := range *v.Addr().Interface().(*[]string) {
			w.string(s)
		}
		return
	}
	for i := range v.Len() {
		switch e := v.Index(i); f.kind {
		case aList:
			w.string(e.String())
		case ints:
			w.int(e.Int())
		default:
			w.structOf(f.elem, e)
		}
	}
}

func (w *writing) bool(yes bool) {
	if yes {
		w.b = append(w.b, 0xf5)
	} else {
		w.b = append(w.b, 0xf4)
	}
}

func (w *writing) int(n int64) {
	if n < 0 {
		w.b = appendHead(w.b, headNeg, uint64(-1-n))
	} else {
		w.b = appendHead(w.b, headUint, uint64(n))
	}
}

func (w *writing) string(s string) { w.b = append(appendHead(w.b, headBytes, uint64(len(s))), s...) }

// time writes the seconds since 1970, an integer, or a float of 64 bits. One that a
// shorter float holds is left to the library.
func (w *writing) time(t *time.Time) {
	u := t.UTC().Round(time.Microsecond)
	secs, nsecs := u.Unix(), u.Nanosecond()
	if nsecs == 0 {
		if w.failed = w.failed || t.IsZero(); !w.failed {
			w.int(secs)
		}
		return
	}
	f := float64(secs) + float64(nsecs)/1e9
	if float64(float32(f)) == f {
		w.failed = true
		return
	}
	w.b = binary.BigEndian.AppendUint64(append(w.b, 0xfb), math.Float64bits(f))
}

func (w *writing) addr(a *netip.Addr) {
	octets, err := a.MarshalBinary()
	if err != nil {
		w.failed = true
		return
	}
	w.b = append(appendHead(w.b, headBytes, uint64(len(octets))), octets...)
}

// appendRecord appends the map of r; ok is false where the library is to do so.
func appendRecord(dst []byte, r *Record) (_ []byte, ok bool) {
	w := writing{b: dst}
	w.structOf(shapeOfRecord, reflect.ValueOf(r).Elem())
	return w.b, !w.failed
}
