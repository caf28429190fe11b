package record

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// A Decoder reads what Decode reads, and refuses what it refuses.
func TestADecoderReadsWhatDecodeReads(t *testing.T) {
	d := new(Decoder)
	g := newGenerator(7)
	records := []*Record{ordinary(), new(Record)}
	for range 300 {
		records = append(records, g.record())
	}
	g.filled, g.maxList = true, 2
	for range 20 {
		records = append(records, g.record())
	}
	for _, r := range records {
		sameByBoth(t, d, Append(nil, r))
	}
	for _, r := range slices.Backward(records) { // in other memory
		sameByBoth(t, d, Append(nil, r))
	}
}

func sameByBoth(t *testing.T, d *Decoder, b []byte) {
	t.Helper()
	want, wrong := Decode(b)
	got, err := d.Decode(b)
	if (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
		t.Fatalf("% x: %v, and by Decode %v", b, err, wrong)
	}
	if err == nil && !Equal(want, got) {
		t.Fatalf("% x: %s", b, difference(want, got))
	}
}

// Damage of any octet is found by both, or reads as the same.
func TestADecoderRefusesWhatDecodeRefuses(t *testing.T) {
	d := new(Decoder)
	whole := Append(nil, ordinary())
	for i := range whole {
		for _, x := range []byte{0x01, 0x20, 0x80, 0xff} {
			b := append([]byte(nil), whole...)
			b[i] ^= x
			sameByBoth(t, d, b)
		}
		sameByBoth(t, d, whole[:i])
	}
	sameByBoth(t, d, append(whole, 0))
}

// Records of real mail are read the fast way, and so is each field of a record: a new
// one needs no step here, unless it is of a kind that there was not.
func TestADecoderKnowsEachField(t *testing.T) {
	d := new(Decoder)
	if d.fast(Append(nil, ordinary())) == nil {
		t.Error("an ordinary record is left to Decode")
	}
	all, seen := newPlanner(), map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || typ == reflect.TypeFor[time.Time]() || typ.PkgPath() == "net/netip" {
			return
		}
		seen[typ] = true
		p := all.of(typ)
		for i := range typ.NumField() {
			f := typ.Field(i)
			switch n := keyOf(f); {
			case n < 1 || n > maxKey:
				t.Errorf("%s.%s: the number %d is above maxKey, %d", typ, f.Name, n, maxKey)
			case p.byKey[n].op == unknownField:
				t.Errorf("%s.%s: a Decoder has no step for %s", typ, f.Name, f.Type)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Record]())
	if len(all.pools) > maxPools {
		t.Errorf("maxPools is %d, %d are needed", maxPools, len(all.pools))
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(Append(nil, ordinary()))
	f.Add(Append(nil, newGenerator(3).record()))
	f.Add([]byte{0x82, Version, 0xa1, 1, 0xa1, 4, 0xfb, 0x41, 0xd6, 0, 0, 0, 0, 0, 1})
	d := new(Decoder)
	f.Fuzz(func(t *testing.T, b []byte) { sameByBoth(t, d, b) })
}

func BenchmarkDecoder(b *testing.B) {
	in := Append(nil, ordinary())
	d := new(Decoder)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

// What Another read stays as it was while others are read, until Reset.
func TestADecoderKeepsRecordsUntilReset(t *testing.T) {
	d := new(Decoder)
	g := newGenerator(9)
	for range 3 {
		var want []*Record
		var got []*Record
		for range 300 {
			r := g.record()
			b := Append(nil, r)
			w, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			have, err := d.Another(b)
			if err != nil {
				t.Fatal(err)
			}
			clear(b)
			want, got = append(want, w), append(got, have)
		}
		for i := range want {
			if !Equal(want[i], got[i]) {
				t.Fatalf("record %d of 300 changed: %s", i, difference(want[i], got[i]))
			}
		}
		d.Reset()
	}
}
