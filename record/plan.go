package record

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// plan is how a struct is read: a step for each number of a field.
type plan struct {
	byKey [maxKey + 1]step
}

// maxKey is above all numbers of fields that there are.
const maxKey = 63

type step struct {
	op    op
	field int   // index in the struct
	elem  *plan // of a struct, a pointer to one, or the entries of a list
	bits  int   // of an integer
	pool  int
	list  reflect.Type // of the pool
}

type op uint8

const (
	unknownField op = iota
	readBool
	readInt
	readUint
	readString
	readStrings
	readOctets
	readTime
	readAddr
	readStruct
	readPointer
	readStructs
	readValues // a list of what the first step of elem reads
)

// planner makes the plans of types, each once, and numbers the pools.
type planner struct {
	plans map[reflect.Type]*plan
	pools map[reflect.Type]int
}

var planOfRecord = newPlanner().of(reflect.TypeFor[Record]())

func newPlanner() *planner {
	return &planner{map[reflect.Type]*plan{}, map[reflect.Type]int{}}
}

func (r *planner) of(t reflect.Type) *plan {
	if p := r.plans[t]; p != nil {
		return p
	}
	p := new(plan)
	r.plans[t] = p
	for i := range t.NumField() {
		s := r.step(t.Field(i).Type)
		s.field = i
		p.byKey[keyOf(t.Field(i))] = s
	}
	return p
}

// keyOf is the number of a field. A test holds each below maxKey.
func keyOf(f reflect.StructField) int {
	number, _, _ := strings.Cut(f.Tag.Get("cbor"), ",")
	n, _ := strconv.Atoi(number)
	return n
}

func (r *planner) step(t reflect.Type) step {
	switch t {
	case reflect.TypeFor[time.Time]():
		return step{op: readTime}
	case reflect.TypeFor[netip.Addr]():
		return step{op: readAddr}
	case reflect.TypeFor[[]string]():
		return step{op: readStrings}
	}
	switch t.Kind() {
	case reflect.Bool:
		return step{op: readBool}
	case reflect.String:
		return step{op: readString}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return step{op: readInt, bits: t.Bits()}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return step{op: readUint, bits: t.Bits()}
	case reflect.Struct:
		return step{op: readStruct, elem: r.of(t)}
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct {
			return r.pooled(step{op: readPointer, elem: r.of(t.Elem())}, reflect.SliceOf(t.Elem()))
		}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return step{op: readOctets}
		}
	case reflect.Slice:
		return r.listStep(t)
	}
	return step{} // left to Decode
}

// listStep is that of a list of structs, or of plain values.
func (r *planner) listStep(t reflect.Type) step {
	switch e := r.step(t.Elem()); e.op {
	case readStruct:
		return r.pooled(step{op: readStructs, elem: e.elem}, t)
	case readString, readInt:
		return r.pooled(step{op: readValues, elem: &plan{[maxKey + 1]step{e}}}, t)
	}
	return step{}
}

// pooled gives s the pool of a type of slices.
func (r *planner) pooled(s step, list reflect.Type) step {
	n, ok := r.pools[list]
	if !ok {
		n = len(r.pools)
		r.pools[list] = n
	}
	s.pool, s.list = n, list
	return s
}
