package record

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// codec writes and reads the values of one type.
type codec interface {
	// zero reports whether a struct leaves v out: it then reads as zero. An empty
	// list is the same as none.
	zero(v reflect.Value) bool
	write(w *writer, v reflect.Value)
	read(r *reader, v reflect.Value) error
}

// structCodec is a struct: a map from the numbers of its fields to values.
type structCodec struct {
	name   string
	fields []fieldCodec // by number
}

type fieldCodec struct {
	key   uint64
	index int // of the struct's field, or gone
	name  string
	codec codec
	// nested: an all-zero struct is left out, as no reader can tell the difference.
	nested bool
}

// gone is the index of a field that the struct has no longer.
const gone = -1

var (
	codecs     = map[reflect.Type]codec{}
	recordPlan = codecOf(reflect.TypeFor[Record]()).(*structCodec)
)

// codecOf is made once for each type, before main starts; later calls only read.
// It panics on a type that records cannot hold, which a test finds.
func codecOf(t reflect.Type) codec {
	if c, ok := codecs[t]; ok {
		return c
	}
	c := newCodec(t)
	codecs[t] = c
	return c
}

func newCodec(t reflect.Type) codec {
	switch t {
	case reflect.TypeFor[time.Time]():
		return timeCodec{}
	case reflect.TypeFor[netip.Addr]():
		return addrCodec{}
	case reflect.TypeFor[[]string]():
		return stringsCodec{}
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolCodec{}
	case reflect.String:
		return stringCodec{}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intCodec{}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintCodec{}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesCodec{}
		}
	case reflect.Slice:
		return sliceCodec{t.Elem(), codecOf(t.Elem())}
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct {
			return pointerCodec{codecOf(t.Elem())}
		}
	case reflect.Struct:
		return newStructCodec(t)
	}
	panic(fmt.Sprintf("record: no encoding for %s", t))
}

func newStructCodec(t reflect.Type) codec {
	s := &structCodec{name: t.Name()}
	for key, name := range schema[t] {
		if name == "" {
			s.fields = append(s.fields, fieldCodec{key: uint64(key), index: gone})
			continue
		}
		f, ok := t.FieldByName(name)
		if !ok {
			panic(fmt.Sprintf("record: %s of schema.go has no field %s", t, name))
		}
		_, nested := codecOf(f.Type).(*structCodec)
		s.fields = append(s.fields, fieldCodec{uint64(key), f.Index[0], name, codecOf(f.Type), nested})
	}
	slices.SortFunc(s.fields, func(a, b fieldCodec) int { return int(a.key) - int(b.key) })
	return s
}

func (s *structCodec) write(w *writer, v reflect.Value) {
	head, n := len(w.dst), 0
	w.dst = append(w.dst, majorMap)
	for i := range s.fields {
		f := &s.fields[i]
		if f.index == gone {
			continue
		}
		fv := v.Field(f.index)
		if f.codec.zero(fv) {
			continue
		}
		start := len(w.dst)
		w.head(majorUint, f.key)
		value := len(w.dst)
		f.codec.write(w, fv)
		if f.nested && len(w.dst) == value+1 { // an empty map
			w.dst = w.dst[:start]
			continue
		}
		n++
	}
	if n < 24 {
		w.dst[head] |= byte(n)
		return
	}
	body := len(w.dst)
	w.head(majorMap, uint64(n))
	longer := slices.Clone(w.dst[body:])
	w.dst = slices.Replace(w.dst[:body], head, head+1, longer...)
}

func (*structCodec) zero(reflect.Value) bool { return false } // see fieldCodec.nested

func (s *structCodec) read(r *reader, v reflect.Value) error {
	n, err := r.count(majorMap)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	next := 0 // of s.fields: numbers come in ascending order, each once
	last := -1
	for range n {
		key, err := r.key(last)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		last = int(key)
		for next < len(s.fields) && s.fields[next].key < key {
			next++
		}
		if next == len(s.fields) || s.fields[next].key != key {
			return fmt.Errorf("field %d of %s: %w", key, s.name, ErrLater)
		}
		f := &s.fields[next]
		if f.index == gone {
			if err := r.skip(); err != nil {
				return fmt.Errorf("field %d of %s: %w", key, s.name, err)
			}
			continue
		}
		if err := f.codec.read(r, v.Field(f.index)); err != nil {
			return fmt.Errorf("%s.%s: %w", s.name, f.name, err)
		}
	}
	return nil
}

type boolCodec struct{}

func (boolCodec) zero(v reflect.Value) bool { return !v.Bool() }

func (boolCodec) write(w *writer, v reflect.Value) {
	if v.Bool() {
		w.dst = append(w.dst, valueTrue)
		return
	}
	w.dst = append(w.dst, valueFalse)
}

func (boolCodec) read(r *reader, v reflect.Value) error {
	b, err := r.bool()
	v.SetBool(b)
	return err
}

type stringCodec struct{}

func (stringCodec) zero(v reflect.Value) bool { return v.Len() == 0 }

func (stringCodec) write(w *writer, v reflect.Value) { w.text(v.String()) }

func (stringCodec) read(r *reader, v reflect.Value) error {
	s, err := r.text()
	v.SetString(s)
	return err
}

type intCodec struct{}

func (intCodec) zero(v reflect.Value) bool { return v.Int() == 0 }

func (intCodec) write(w *writer, v reflect.Value) { w.int(v.Int()) }

func (intCodec) read(r *reader, v reflect.Value) error {
	n, err := r.int()
	if err != nil {
		return err
	}
	if v.OverflowInt(n) {
		return r.corrupt("a number out of range")
	}
	v.SetInt(n)
	return nil
}

type uintCodec struct{}

func (uintCodec) zero(v reflect.Value) bool { return v.Uint() == 0 }

func (uintCodec) write(w *writer, v reflect.Value) { w.head(majorUint, v.Uint()) }

func (uintCodec) read(r *reader, v reflect.Value) error {
	n, err := r.uint()
	if err != nil {
		return err
	}
	if v.OverflowUint(n) {
		return r.corrupt("a number out of range")
	}
	v.SetUint(n)
	return nil
}

// bytesCodec is an array of octets: a byte string of its length.
type bytesCodec struct{}

func (bytesCodec) zero(v reflect.Value) bool { return v.IsZero() }

func (bytesCodec) write(w *writer, v reflect.Value) {
	w.head(majorBytes, uint64(v.Len()))
	w.dst = append(w.dst, v.Slice(0, v.Len()).Bytes()...)
}

func (bytesCodec) read(r *reader, v reflect.Value) error {
	s, err := r.text()
	if err != nil {
		return err
	}
	if len(s) != v.Len() {
		return r.corrupt("a byte string of another length")
	}
	copy(v.Slice(0, v.Len()).Bytes(), s)
	return nil
}

type stringsCodec struct{}

func (stringsCodec) zero(v reflect.Value) bool { return v.Len() == 0 }

func (stringsCodec) write(w *writer, v reflect.Value) {
	list := *v.Addr().Interface().(*[]string)
	w.list(len(list), reflect.TypeFor[string]())
	for _, s := range list {
		w.text(s)
	}
}

func (stringsCodec) read(r *reader, v reflect.Value) error {
	n, err := r.list(reflect.TypeFor[string]())
	if err != nil {
		return err
	}
	list := make([]string, n)
	for i := range list {
		if list[i], err = r.text(); err != nil {
			return err
		}
	}
	*v.Addr().Interface().(*[]string) = list
	return nil
}

// sliceCodec is a list of any other type.
type sliceCodec struct {
	elem  reflect.Type
	codec codec
}

func (sliceCodec) zero(v reflect.Value) bool { return v.Len() == 0 }

func (s sliceCodec) write(w *writer, v reflect.Value) {
	w.list(v.Len(), s.elem)
	for i := range v.Len() {
		s.codec.write(w, v.Index(i))
	}
}

func (s sliceCodec) read(r *reader, v reflect.Value) error {
	n, err := r.list(s.elem)
	if err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		if err := s.codec.read(r, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// pointerCodec is a struct that may be absent: nil is left out by the struct
// that holds it.
type pointerCodec struct{ codec codec }

func (pointerCodec) zero(v reflect.Value) bool { return v.IsNil() }

func (p pointerCodec) write(w *writer, v reflect.Value) { p.codec.write(w, v.Elem()) }

func (p pointerCodec) read(r *reader, v reflect.Value) error {
	v.Set(reflect.New(v.Type().Elem()))
	return p.codec.read(r, v.Elem())
}

// timeCodec keeps the instant, not the zone. A hostile t= of a signature may lie
// beyond the year 9999, which text forms of a time do not take.
type timeCodec struct{}

func (timeCodec) zero(v reflect.Value) bool { return v.Addr().Interface().(*time.Time).IsZero() }

func (timeCodec) write(w *writer, v reflect.Value) {
	t := v.Addr().Interface().(*time.Time)
	if t.Nanosecond() != 0 {
		w.head(majorArray, 2)
		w.int(t.Unix())
		w.int(int64(t.Nanosecond()))
		return
	}
	w.int(t.Unix())
}

func (timeCodec) read(r *reader, v reflect.Value) error {
	seconds, nanoseconds, err := r.time()
	if err != nil {
		return err
	}
	*v.Addr().Interface().(*time.Time) = time.Unix(seconds, nanoseconds).UTC()
	return nil
}

type addrCodec struct{}

func (addrCodec) zero(v reflect.Value) bool { return !v.Addr().Interface().(*netip.Addr).IsValid() }

func (addrCodec) write(w *writer, v reflect.Value) {
	b, _ := v.Addr().Interface().(*netip.Addr).MarshalBinary() // it cannot fail
	w.text(string(b))
}

func (addrCodec) read(r *reader, v reflect.Value) error {
	s, err := r.text()
	if err != nil {
		return err
	}
	if err := v.Addr().Interface().(*netip.Addr).UnmarshalBinary([]byte(s)); err != nil {
		return r.corrupt("no address")
	}
	return nil
}
