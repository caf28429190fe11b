package record

import (
	"math"
	"net/netip"
	"reflect"
	"time"
)

// Decoder reads many records, one after the other, in a fraction of the time that Decode
// takes. What it reads is what Decode reads: it knows the form in which Append writes,
// and leaves everything else, also every fault, to Decode. It uses its memory again: a
// record is good until Decode or Reset is called; its strings stay. It is for one
// goroutine.
type Decoder struct {
	s  string // the record: all strings of what is read share its memory
	at int
	ok bool // so far
	// recs are memory for records, of which made are in use.
	recs []Record
	made int
	// words are memory for lists of strings, used of it are taken; pools for other lists
	// and for what is pointed to, one for each type.
	words []string
	used  int
	pools [maxPools]pool
}

// pool is memory of one type.
type pool struct {
	all  reflect.Value // a slice; what is behind used is free
	used int
}

// Decode reads a record as the function Decode does. b is not kept.
func (d *Decoder) Decode(b []byte) (*Record, error) {
	d.Reset()
	return d.Another(b)
}

// Reset takes back the memory of all records.
func (d *Decoder) Reset() {
	d.made, d.used = 0, 0
	for i := range d.pools {
		d.pools[i].used = 0
	}
}

// Another is Decode beside the records that were read since Reset, which stay good.
func (d *Decoder) Another(b []byte) (*Record, error) {
	if rec := d.fast(b); rec != nil {
		return rec, nil
	}
	return Decode(b)
}

// fast is nil where the record is not just as Append writes it.
func (d *Decoder) fast(b []byte) *Record {
	if len(b) < 3 || len(b) > MaxSize || b[0] != pairHead || b[1] != Version {
		return nil
	}
	d.s, d.at, d.ok = string(b), 2, true
	if d.made == len(d.recs) {
		d.recs, d.made = make([]Record, more(1, d.made)), 0
	}
	rec := &d.recs[d.made]
	d.made++
	*rec = Record{}
	d.fields(planOfRecord, reflect.ValueOf(rec).Elem())
	if !d.ok || d.at != len(d.s) || checkIndexes(rec) != nil {
		return nil
	}
	return rec
}

// take returns n zero entries of the pool of s, whose type of slice is of.
func (d *Decoder) take(s *step, of reflect.Type, n int) reflect.Value {
	p := &d.pools[s.pool]
	if !p.all.IsValid() || p.all.Len()-p.used < n { // what was taken stays with who has it
		size := max(n, poolSize)
		if p.all.IsValid() {
			size = max(n, more(poolSize, p.all.Len()))
		}
		p.all, p.used = reflect.MakeSlice(of, size, size), 0
	}
	list := p.all.Slice3(p.used, p.used+n, p.used+n)
	p.used += n
	list.Clear()
	return list
}

// maxPools is above the number of types of lists and pointers; a test holds it so.
// poolSize is how many entries memory is taken for at once.
const (
	maxPools = 32
	poolSize = 128
	// mostPool is the most entries that memory is taken for at once, unless one list
	// has more.
	mostPool = 2048
)

// more is how many entries memory is taken for where that for so many did not do.
func more(least, had int) int { return max(least, min(2*had, mostPool)) }

// CBOR's major types (RFC 8949 section 3.1).
const (
	majorUint   = 0
	majorNeg    = 1
	majorOctets = 2
	majorArray  = 4
	majorMap    = 5
)

// head reads the head of an item: its major type and argument.
func (d *Decoder) head() (major byte, arg uint64) {
	if d.at >= len(d.s) {
		d.ok = false
		return 0, 0
	}
	first := d.s[d.at]
	d.at++
	major = first >> 5
	info := first & 31
	if info < 24 {
		return major, uint64(info)
	}
	if info > 27 {
		d.ok = false
		return 0, 0
	}
	n := 1 << (info - 24)
	if len(d.s)-d.at < n {
		d.ok = false
		return 0, 0
	}
	for range n {
		arg = arg<<8 | uint64(d.s[d.at])
		d.at++
	}
	return major, arg
}

// length reads the head of an item of a major type whose length is at most most.
func (d *Decoder) length(of byte, most int) int {
	major, arg := d.head()
	if major != of || arg > uint64(most) {
		d.ok = false
		return 0
	}
	return int(arg)
}

// fields reads a map into the fields of a struct that is zero. Keys ascend, as Append
// writes them, so none is there twice.
func (d *Decoder) fields(p *plan, v reflect.Value) {
	last := uint64(0)
	for range d.length(majorMap, maxKey) {
		major, key := d.head()
		if major != majorUint || key <= last || key > maxKey {
			d.ok = false
		}
		if !d.ok {
			return
		}
		last = key
		s := &p.byKey[key]
		d.field(s, v.Field(s.field))
	}
}

func (d *Decoder) field(s *step, v reflect.Value) {
	switch s.op {
	case readString:
		v.SetString(d.text())
	case readBool:
		d.bool(v)
	case readInt:
		d.int(s, v)
	case readUint:
		major, n := d.head()
		if d.ok = d.ok && major == majorUint && n>>s.bits == 0; d.ok {
			v.SetUint(n)
		}
	case readStrings:
		d.strings(v)
	case readOctets:
		d.octets(v)
	case readTime:
		*v.Addr().Interface().(*time.Time) = d.time()
	case readAddr:
		d.addr(v)
	case readStruct:
		d.fields(s.elem, v)
	case readPointer:
		p := d.take(s, s.list, 1).Index(0)
		d.fields(s.elem, p)
		v.Set(p.Addr())
	case readStructs:
		d.structs(s, v)
	case readValues:
		d.values(s, v)
	default:
		d.ok = false
	}
}

func (d *Decoder) text() string {
	n := d.length(majorOctets, len(d.s)-d.at)
	if len(d.s)-d.at < n {
		d.ok = false
	}
	if !d.ok {
		return ""
	}
	d.at += n
	return d.s[d.at-n : d.at]
}

func (d *Decoder) bool(v reflect.Value) {
	const yes = 0xf5 // RFC 8949 section 3.3; false is left out
	if d.at >= len(d.s) || d.s[d.at] != yes {
		d.ok = false
		return
	}
	d.at++
	v.SetBool(true)
}

func (d *Decoder) int(s *step, v reflect.Value) {
	major, n := d.head()
	if d.ok = d.ok && major <= majorNeg && n < 1<<(s.bits-1); !d.ok {
		return
	}
	if major == majorNeg {
		v.SetInt(-1 - int64(n))
		return
	}
	v.SetInt(int64(n))
}

// entries reads the head of a list. An empty one is left to Decode, as Append leaves
// it out.
func (d *Decoder) entries() int {
	n := d.length(majorArray, min(maxEntries, len(d.s)-d.at))
	d.ok = d.ok && n > 0
	if !d.ok {
		return 0
	}
	return n
}

func (d *Decoder) structs(s *step, v reflect.Value) {
	n := d.entries()
	if n == 0 {
		return
	}
	list := d.take(s, s.list, n)
	for i := 0; i < n && d.ok; i++ {
		d.fields(s.elem, list.Index(i))
	}
	v.Set(list)
}

func (d *Decoder) values(s *step, v reflect.Value) {
	n := d.entries()
	if n == 0 {
		return
	}
	list := d.take(s, s.list, n)
	for i := 0; i < n && d.ok; i++ {
		d.field(&s.elem.byKey[0], list.Index(i))
	}
	v.Set(list)
}

// strings is what values does for most lists, in less time.
func (d *Decoder) strings(v reflect.Value) {
	n := d.entries()
	if n == 0 {
		return
	}
	if len(d.words)-d.used < n {
		d.words, d.used = make([]string, max(n, more(poolSize, len(d.words)))), 0
	}
	words := d.words[d.used : d.used+n : d.used+n]
	d.used += n
	for i := 0; i < n && d.ok; i++ {
		words[i] = d.text()
	}
	*v.Addr().Interface().(*[]string) = words
}

// octets reads an array of octets, of which hashes are the most.
func (d *Decoder) octets(v reflect.Value) {
	s := d.text()
	if d.ok = d.ok && len(s) == v.Len(); !d.ok {
		return
	}
	if h, ok := v.Addr().Interface().(*[32]byte); ok {
		copy(h[:], s)
		return
	}
	reflect.Copy(v, reflect.ValueOf([]byte(s)))
}

// time reads the seconds since 1970, an integer or a float of 64 bits.
func (d *Decoder) time() time.Time {
	const float64Head = 0xfb
	if d.at < len(d.s) && d.s[d.at] == float64Head {
		_, bits := d.head()
		seconds := math.Float64frombits(bits)
		if d.ok = d.ok && math.Abs(seconds) <= farTime; !d.ok {
			return time.Time{}
		}
		whole, part := math.Modf(seconds)
		return keptTime(time.Unix(int64(whole), int64(part*1e9)))
	}
	major, n := d.head()
	if d.ok = d.ok && major == majorUint && n < 1<<62; !d.ok {
		return time.Time{}
	}
	return keptTime(time.Unix(int64(n), 0))
}

func (d *Decoder) addr(v reflect.Value) {
	a := v.Addr().Interface().(*netip.Addr)
	switch s := d.text(); len(s) {
	case 4:
		*a = netip.AddrFrom4([4]byte([]byte(s)))
	case 16:
		*a = netip.AddrFrom16([16]byte([]byte(s)))
	default:
		d.ok = d.ok && len(s) > 16 && a.UnmarshalBinary([]byte(s)) == nil
	}
}
