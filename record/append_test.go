package record

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

// What encode writes is what the library writes.
func TestEncodeWritesWhatTheLibraryWrites(t *testing.T) {
	g := newGenerator(11)
	records := []*Record{ordinary(), new(Record)}
	for range 500 {
		records = append(records, g.record())
	}
	g.filled, g.maxList = true, 2
	for range 50 {
		records = append(records, g.record())
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1, 0), time.Unix(0, 500_000_000), time.Unix(1, 1000), time.Unix(1795893883, 316143000), time.Unix(1<<40, 0)} {
		r := ordinary()
		r.Evidence.Time, r.Evidence.FirstSeen = at, at.In(time.FixedZone("", 3600))
		records = append(records, r)
	}
	byUs := 0
	for _, r := range records {
		want, _ := encodeByLibrary([]byte("before"), r)
		got, _ := encode([]byte("before"), r)
		if !bytes.Equal(got, want) {
			t.Fatalf("%+v:\n got %x\nwant %x", r, got, want)
		}
		if _, ok := appendRecord(nil, r); ok {
			byUs++
		}
	}
	if byUs < len(records)*9/10 {
		t.Errorf("%d of %d records are left to the library", len(records)-byUs, len(records))
	}
}

// Each field of a record is of a kind that shapes know.
func TestShapesKnowEachField(t *testing.T) {
	made := map[reflect.Type]*shape{}
	newShape(reflect.TypeFor[Record](), made)
	for typ, s := range made {
		for _, f := range s.fields {
			if f.kind == notKnown {
				t.Errorf("%s.%s is left to the library", typ, typ.Field(f.index).Name)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	r := ordinary()
	buf := make([]byte, 0, 4096)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = encode(buf[:0], r)
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = encodeByLibrary(buf[:0], r)
		}
	})
}
