package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"alignd/evidence"
)

var update = flag.Bool("update", false, "write golden files")

func TestEveryFieldHasItsPlaceInTheEncoding(t *testing.T) {
	for _, typ := range recordTypes() {
		for _, fault := range tagFaults(typ, retired[typ]) {
			t.Error(fault)
		}
	}
	for typ := range retired {
		if !slices.Contains(recordTypes(), typ) {
			t.Errorf("retired numbers of %s, which is no part of a record", typ)
		}
	}
}

var tagForm = regexp.MustCompile(`^([1-9][0-9]{0,2}),keyasint,(omitempty|omitzero)$`)

// tagFaults lists what is wrong with the tags of a struct.
func tagFaults(typ reflect.Type, gone []int) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	used := map[int]string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		switch number, ok := fieldNumber(f); {
		case !f.IsExported():
			fault("%s.%s is not exported, so it would not be kept", typ, f.Name)
		case !ok:
			fault("%s.%s has no number: give it a tag like `cbor:\"%d,keyasint,omitempty\"` with a number that was never used, and a row in docs/evidence.md",
				typ, f.Name, typ.NumField()+len(gone))
		case used[number] != "":
			fault("%s.%s has the number %d of %s", typ, f.Name, number, used[number])
		case slices.Contains(gone, number):
			fault("%s.%s has the number %d of a field that went", typ, f.Name, number)
		default:
			used[number] = f.Name
		}
	}
	// A zero field that is written would be read back, but costs octets in each record.
	if b, err := encoding.Marshal(reflect.Zero(typ).Interface()); err != nil || string(b) != "\xa0" {
		fault("%s: the zero value is written as % x, %v: omitempty or omitzero of a field is the wrong one", typ, b, err)
	}
	return faults
}

// fieldNumber is the number of a field in the encoding.
func fieldNumber(f reflect.StructField) (int, bool) {
	m := tagForm.FindStringSubmatch(f.Tag.Get("cbor"))
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

func TestFaultsOfTagsAreFound(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  reflect.Type
		want string
	}{
		{name: "no tag", want: "no number", typ: reflect.TypeFor[struct{ A string }]()},
		{name: "no number", want: "no number", typ: reflect.TypeFor[struct {
			A string `cbor:"a,omitempty"`
		}]()},
		{name: "a name of digits", want: "no number", typ: reflect.TypeFor[struct {
			A string `cbor:"1,omitempty"`
		}]()},
		{name: "a number twice", want: "number 1 of A", typ: reflect.TypeFor[struct {
			A string `cbor:"1,keyasint,omitempty"`
			B string `cbor:"1,keyasint,omitempty"`
		}]()},
		{name: "a number of a field that went", want: "9 of a field that went", typ: reflect.TypeFor[struct {
			A string `cbor:"9,keyasint,omitempty"`
		}]()},
		{name: "a time is never empty", want: "the wrong one", typ: reflect.TypeFor[struct {
			A time.Time `cbor:"1,keyasint,omitempty"`
		}]()},
	} {
		if got := strings.Join(tagFaults(c.typ, []int{9}), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// recordTypes are all structs of a record.
func recordTypes() []reflect.Type {
	var list []reflect.Type
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(t.Elem())
		case reflect.Struct:
			if t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[netip.Addr]() || slices.Contains(list, t) {
				return
			}
			list = append(list, t)
			for i := range t.NumField() {
				walk(t.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[Record]())
	return list
}

func TestWhatIsWrittenIsReadBackEqual(t *testing.T) {
	for seed := range uint64(2000) {
		g := newGenerator(seed)
		g.filled = seed%10 == 0
		r := g.record()
		b := Append(nil, r)
		back, err := Decode(b)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want := withKeptTimes(withShortSignatures(r)) // what fits is kept whole, but for those
		if len(b) > MaxSize/2 {
			t.Fatalf("seed %d: generated a record of %d octets, which may have been cut", seed, len(b))
		}
		if !Equal(want, back) {
			t.Fatalf("seed %d: %s", seed, difference(want, back))
		}
		if again := Append(nil, back); !bytes.Equal(again, b) {
			t.Fatalf("seed %d: written again it is not the same", seed)
		}
	}
}

// difference names the first value that is not equal.
func difference(a, b *Record) string {
	values := map[string][]string{}
	for _, r := range []*Record{a, b} {
		walkValues(reflect.ValueOf(r).Elem(), "Record", func(path string, v reflect.Value) {
			values[path] = append(values[path], fmt.Sprintf("%#v", v))
		})
	}
	for path, list := range values {
		half := len(list) / 2
		if len(list)%2 != 0 || !slices.Equal(list[:half], list[half:]) {
			return fmt.Sprintf("%s: wrote and read %q", path, list)
		}
	}
	return "lists of different lengths"
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Record)
		want   bool
	}{
		{name: "nothing changed", change: func(*Record) {}, want: true},
		{name: "an empty list is none", change: func(r *Record) { r.Evidence.Failed = []evidence.FailedQuestion{} }, want: true},
		{name: "the same instant in another zone", want: true,
			change: func(r *Record) { r.Evidence.Time = r.Evidence.Time.In(time.FixedZone("x", 7200)) }},
		{name: "a nanosecond later", change: func(r *Record) { r.Evidence.Time = r.Evidence.Time.Add(1) }},
		{name: "an IPv4-mapped address is another one",
			change: func(r *Record) { r.Evidence.Client.Peer = netip.AddrFrom16(r.Evidence.Client.Peer.As16()) }},
		{name: "a check that was not made", change: func(r *Record) { r.Evidence.SPF.HELO = nil }},
		{name: "an octet that is no text", change: func(r *Record) { r.Evidence.MailFrom = "j\xf6rg@bank.example" }},
		{name: "one entry less", change: func(r *Record) { r.Evidence.DKIM = r.Evidence.DKIM[:1] }},
	} {
		r := ordinary()
		c.change(r)
		if got := Equal(ordinary(), r); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestEveryFieldIsCompared(t *testing.T) {
	g := newGenerator(5)
	g.filled, g.maxList = true, 1
	r := g.record()
	b := Append(nil, r)
	other, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	r, _ = Decode(b)
	walkValues(reflect.ValueOf(other).Elem(), "Record", func(path string, v reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		if v.SetZero(); !v.Equal(old) && Equal(r, other) {
			t.Errorf("%s may differ", path)
		}
		v.Set(old)
	})
}

func TestAnOctetThatIsNoTextIsKept(t *testing.T) {
	r := ordinary()
	r.Evidence.MailFrom = "j\xf6rg@bank.example"
	back, err := Decode(Append(nil, r))
	if err != nil || back.Evidence.MailFrom != "j\xf6rg@bank.example" {
		t.Errorf("got %q, %v", back.Evidence.MailFrom, err)
	}
}

func TestTheZeroRecordIsReadBack(t *testing.T) {
	b := Append(nil, new(Record))
	if want := []byte{0x82, Version, 0xa0}; !bytes.Equal(b, want) {
		t.Errorf("got % x, want % x", b, want)
	}
	back, err := Decode(b)
	if err != nil || !Equal(back, new(Record)) {
		t.Errorf("got %+v, %v", back, err)
	}
	if back.Evidence.Has(evidence.SectionDKIM) || back.Evidence.Has(evidence.SectionDMARC) {
		t.Error("an empty record looked at something")
	}
}

func TestAppendAppends(t *testing.T) {
	b := Append([]byte("before"), ordinary())
	rest, ok := bytes.CutPrefix(b, []byte("before"))
	if _, err := Decode(rest); !ok || err != nil {
		t.Errorf("%v", err)
	}
}

func TestAppendAndDecodeAreSafeForConcurrentUse(t *testing.T) {
	r := ordinary()
	want := Append(nil, r)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if b := Append(nil, r); !bytes.Equal(b, want) {
					t.Error("another encoding")
				}
				if back, err := Decode(want); err != nil || !Equal(r, back) {
					t.Error("another record", err)
				}
			}
		})
	}
	all.Wait()
}

// TestRecordsAreDeterministicCBOR reads records as any tool would, without their
// types, and writes them again in the form of RFC 8949 section 4.2.1.
func TestRecordsAreDeterministicCBOR(t *testing.T) {
	o := cbor.CoreDetEncOptions()
	o.String = cbor.StringToByteString
	write := must(o.EncMode())
	for seed := range uint64(300) {
		r := newGenerator(seed).record()
		if seed == 0 {
			r = ordinary()
		}
		b := Append(nil, r)
		var any []any
		if err := cbor.Unmarshal(b, &any); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again, err := write.Marshal(any)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("seed %d: got % x, want % x", seed, b, again)
		}
	}
}

func TestWhatALaterVersionWroteIsRefused(t *testing.T) {
	zero := Append(nil, new(Record))
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{name: "a later schema version", b: []byte{0x82, Version + 1, 0xa0},
			want: fmt.Sprintf("record: schema version above %d: written by a later version of alignd", Version)},
		{name: "a schema version of two octets", b: []byte{0x82, 0x18, 24, 0xa0},
			want: fmt.Sprintf("record: schema version above %d: written by a later version of alignd", Version)},
		{name: "a field of Record that is not known", b: []byte{0x82, Version, 0xa1, 0x17, 0xf5},
			want: "record: a field that is not known: written by a later version of alignd"},
		{name: "a field of Message that is not known", b: []byte{0x82, Version, 0xa1, 1, 0xa1, 0x19, 3, 0xe7, 0xf5},
			want: "record: a field that is not known: written by a later version of alignd"},
	} {
		r, err := Decode(c.b)
		if r != nil || !errors.Is(err, ErrLater) || err.Error() != c.want {
			t.Errorf("%s: got %v, %v", c.name, r, err)
		}
	}
	if _, err := Decode(zero); errors.Is(err, ErrLater) {
		t.Error(err)
	}
}

func TestAFieldThatWentIsPassedOver(t *testing.T) {
	type now struct {
		A string `cbor:"1,keyasint,omitempty"`
		B string `cbor:"3,keyasint,omitempty"`
	}
	for _, value := range []string{"\x05", "\x38\xff", "\xf5", "\x43abc", "\x82\x01\xa1\x01\x80", "\xa1\x01\x82\xf4\xf5"} {
		written := []byte("\xa3\x01\x41a\x02" + value + "\x03\x41b")
		var got now
		if err := unmarshal(written, Version-1, &got); err != nil || got != (now{A: "a", B: "b"}) {
			t.Errorf("% x: got %v, %v", value, got, err)
		}
		if err := unmarshal(written, Version, &got); !errors.Is(err, ErrLater) {
			t.Errorf("% x: under the present version the field is a later one, got %v", value, err)
		}
	}
	for _, cut := range []string{"\x82\x01", "\x5f", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if err := unmarshal([]byte("\xa1\x02"+cut), Version-1, new(now)); err == nil {
			t.Errorf("% x was passed over", cut)
		}
	}
}

func TestTruncatedAndCorruptRecordsAreRefused(t *testing.T) {
	whole := Append(nil, ordinary())
	for n := range whole {
		if r, err := Decode(whole[:n]); err == nil || r != nil || errors.Is(err, ErrLater) {
			t.Fatalf("the first %d octets: %v, %v", n, r, err)
		}
	}
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{name: "nothing", b: nil, want: "no pair"},
		{name: "octets after the end", b: append(slices.Clone(whole), 0), want: "extraneous"},
		{name: "too long", b: make([]byte, MaxSize+1), want: "at most 65536"},
		{name: "version 0", b: []byte{0x82, 0, 0xa0}, want: "no schema version"},
		{name: "no pair", b: []byte{0x83, 1, 0xa0, 0}, want: "no pair"},
		{name: "a map of indefinite length", b: []byte{0x82, 1, 0xbf, 0xff}, want: "indefinite-length"},
		{name: "a list of 2^64-1 entries", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 16, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255},
			want: "too large"},
		{name: "a string of 2^64-1 octets", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 2, 0x5b, 255, 255, 255, 255, 255, 255, 255, 255},
			want: "too large"},
		{name: "a string that is longer than the record", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 2, 0x5a, 0, 0, 255, 255}, want: "EOF"},
		{name: "a list of more than 4096 entries", b: append([]byte{0x82, 1, 0xa1, 1, 0xa1, 13, 0x99, 0x10, 1}, bytes.Repeat([]byte{0xa0}, 4097)...),
			want: "exceeded max number of elements"},
		{name: "17 levels", b: append([]byte{0x82, 1}, bytes.Repeat([]byte{0xa1, 1}, 17)...), want: "max nested level"},
		{name: "a field twice", b: []byte{0x82, 1, 0xa2, 1, 0xa0, 1, 0xa0}, want: "duplicate map key"},
		{name: "a tag", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 4, 0xc1, 0}, want: "tag"},
		{name: "a time that is no number", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 4, 0xf9, 0x7e, 0}, want: "NaN"},
		{name: "a time in the infinite", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 4, 0xf9, 0x7c, 0}, want: "infinity"},
		{name: "a time of 2^80 seconds", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 4, 0xfa, 0x67, 0x80, 0, 0}, want: "overflows"},
		{name: "text for a number", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 1, 0x41, 'x'}, want: "cannot unmarshal byte string"},
		{name: "a port of 65536", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 6, 0xa1, 3, 0x1a, 0, 1, 0, 0}, want: "overflows uint16"},
		{name: "an address of five octets", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 6, 0xa1, 1, 0x45, 1, 2, 3, 4, 5}, want: "unexpected slice size"},
		{name: "an aligned signature that is not there", b: []byte{0x82, 1, 0xa1, 1, 0xa1, 19, 0x81, 0xa1, 16, 0x81, 0},
			want: "an aligned signature 0 of 0"},
	} {
		r, err := Decode(c.b)
		if err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v; want an error with %q", c.name, r, err, c.want)
		}
	}
}

// TestAFewOctetsDoNotTakeMuchMemory reads records that are nothing but empty
// entries, which take an octet each in the encoding and a struct each in memory.
func TestAFewOctetsDoNotTakeMuchMemory(t *testing.T) {
	empty := strings.Repeat("\xa0", maxEntries)
	results := "\xa1\x09\xa1\x02\x99\x10\x00" + empty // an ARC Set with 4096 results
	for _, c := range []struct {
		name, b string
		fails   bool
		most    int64
	}{
		{name: "65280 signatures", fails: true, most: 1 << 20, b: "\xa1\x01\xa1\x10\x99\xff\x00" + strings.Repeat("\xa0", 0xff00)},
		{name: "4096 signatures, Author Domains, hops and ARC Sets, 45056 results: the worst", most: 8 << 20,
			b: "\xa1\x01\xa4\x10\x99\x10\x00" + empty + "\x12\xa1\x06\x99\x10\x00" + strings.Repeat(results, 11) +
				strings.Repeat("\xa0", maxEntries-11) + "\x13\x99\x10\x00" + empty + "\x16\x99\x10\x00" + empty},
	} {
		b := []byte("\x82\x01" + c.b)
		if len(b) > MaxSize {
			t.Fatalf("%s: %d octets", c.name, len(b))
		}
		got := testing.Benchmark(func(bench *testing.B) {
			for bench.Loop() {
				if _, err := Decode(b); (err != nil) != c.fails {
					bench.Fatal(err)
				}
			}
		})
		t.Logf("%s: %d octets of memory, %v", c.name, got.AllocedBytesPerOp(), time.Duration(got.NsPerOp()))
		if n := got.AllocedBytesPerOp(); n == 0 || n > c.most {
			t.Errorf("%s: took %d octets", c.name, n)
		}
	}
}

func TestGoldenRecordsOfEachVersionStayReadable(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	files, err := filepath.Glob("testdata/v*.cbor")
	if err != nil || len(files) < 2*Version {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if filepath.Base(file) == fmt.Sprintf("v%d-ordinary.cbor", Version) && !Equal(r, ordinary()) {
			t.Errorf("%s: %s", file, difference(r, ordinary()))
		}
		if r.Evidence.Token == "" || r.Verdict.Disposition == "" {
			t.Errorf("%s: read back without its content", file)
		}
	}
}

// writeGolden writes the records of the present version.
func writeGolden(t *testing.T) {
	g := newGenerator(7)
	g.filled, g.maxList, g.maxString = true, 2, 12
	g.rng.Uint64()
	for name, r := range map[string]*Record{"ordinary": ordinary(), "every-field": g.record()} {
		file := filepath.Join("testdata", fmt.Sprintf("v%d-%s.cbor", Version, name))
		if err := os.WriteFile(file, Append(nil, r), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, ordinary()))
	f.Add(Append(nil, new(Record)))
	f.Add(Append(nil, newGenerator(3).record()))
	f.Add([]byte{0x82, Version + 1, 0xa0})
	f.Add([]byte{0x82, 1, 0xa1, 1, 0xa1, 16, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		written := Append(nil, r)
		back, err := Decode(written)
		if err != nil {
			t.Fatalf("% x: read, written, not read: %v", b, err)
		}
		if kept := Kept(r); !Equal(kept, back) {
			t.Fatalf("% x: %s", b, difference(kept, back))
		}
		if !json.Valid(JSON(r, Rendering{})) {
			t.Fatalf("% x: no JSON", b)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r := ordinary()
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = Append(dst[:0], r)
	}
	b.ReportMetric(float64(len(dst)), "octets")
}

func BenchmarkDecode(b *testing.B) {
	in := Append(nil, ordinary())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}
