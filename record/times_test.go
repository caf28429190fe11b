package record

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTimesAreKeptToTheMicrosecond(t *testing.T) {
	sydney := time.FixedZone("AEST", 10*3600)
	for _, c := range []struct {
		name       string
		time, want time.Time
	}{
		{name: "zero is not looked up", time: time.Time{}, want: time.Time{}},
		{name: "zero of another zone", time: time.Time{}.In(sydney), want: time.Time{}},
		{name: "a microsecond", time: time.Unix(1782898200, 123_456_000), want: time.Unix(1782898200, 123_456_000)},
		{name: "less is rounded", time: time.Unix(1782898200, 123_456_789), want: time.Unix(1782898200, 123_457_000)},
		{name: "up to the next second", time: time.Unix(1782898200, 999_999_999), want: time.Unix(1782898201, 0)},
		{name: "the instant, not the zone", time: time.Unix(1782898200, 1000).In(sydney), want: time.Unix(1782898200, 1000)},
		{name: "the last microsecond before 2106", time: time.Unix(farTime-1, 999_999_000), want: time.Unix(farTime-1, 999_999_000)},
		{name: "before 1970", time: time.Unix(-12345, 999_999_000), want: time.Unix(-12345, 999_999_000)},
		{name: "a far second", time: time.Unix(farTime+1, 999_999_000), want: time.Unix(farTime+1, 0)},
		{name: "1970", time: time.Unix(0, 0), want: time.Unix(0, 0)},
		{name: "t= of twelve digits, the year 33658 (RFC 6376 section 3.5)", time: time.Unix(999_999_999_999, 0), want: time.Unix(999_999_999_999, 0)},
		{name: "the last second that a time has", time: time.Unix(math.MaxInt64, 0), want: time.Unix(math.MaxInt64, 0)},
		{name: "the first", time: time.Unix(math.MinInt64, 0), want: time.Unix(math.MinInt64, 0)},
		{name: "the year -290000", time: time.Unix(-1<<43, 0), want: time.Unix(-1<<43, 0)},
	} {
		r := ordinary()
		r.Evidence.Time, r.Evidence.FirstSeen = c.time, c.time
		r.Evidence.DKIM[1].Signed, r.Evidence.DKIM[1].Expires = c.time, c.time
		r.Evidence.Received[1].Time = c.time
		back, err := Decode(Append(nil, r))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		eachTime(back, func(got *time.Time) {
			if got.Location() != time.UTC {
				t.Errorf("%s: in %v", c.name, got.Location())
			}
		})
		ev := &back.Evidence
		for _, got := range []time.Time{ev.Time, ev.FirstSeen, ev.DKIM[1].Signed, ev.DKIM[1].Expires, ev.Received[1].Time} {
			if !got.Equal(c.want) || got.IsZero() != c.want.IsZero() {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
		if !r.Evidence.Time.Equal(c.time) || !r.Evidence.DKIM[1].Signed.Equal(c.time) || !r.Evidence.Received[1].Time.Equal(c.time) {
			t.Errorf("%s: the record itself was changed", c.name)
		}
	}
}

// TestEveryMicrosecondIsKept tries the fractions of the seconds at which a float
// has the fewest octets for them.
func TestEveryMicrosecondIsKept(t *testing.T) {
	r := new(Record)
	for _, second := range []int64{0, 1 << 30, 1782898200, farTime - 1, -farTime} {
		for us := int64(0); us < 1_000_000; us += 997 {
			r.Evidence.Time = time.Unix(second, us*1000)
			back, err := Decode(Append(nil, r))
			if err != nil || !back.Evidence.Time.Equal(r.Evidence.Time) {
				t.Fatalf("%v: got %v, %v", r.Evidence.Time, back.Evidence.Time, err)
			}
		}
	}
}

func TestEachTimeVisitsAllTimes(t *testing.T) {
	g := newGenerator(2)
	g.filled, g.maxList = true, 1
	r := g.record()
	want, got := 0, 0
	walkValues(reflect.ValueOf(r).Elem(), "Record", func(_ string, v reflect.Value) {
		if v.Type() == reflect.TypeFor[time.Time]() {
			want++
		}
	})
	if eachTime(r, func(*time.Time) { got++ }); got != want {
		t.Errorf("%d of %d", got, want)
	}
}

// The time of a record is read as Decode reads it, wherever it stands, and from what
// damage leaves nothing is read that is not there.
func TestTheTimeAlone(t *testing.T) {
	g := newGenerator(11)
	records := []*Record{ordinary(), new(Record)}
	for range 300 {
		records = append(records, g.record())
	}
	far := ordinary()
	far.Evidence.QueueID = strings.Repeat("q", 2*timeWithin)
	for _, r := range append(records, far) {
		b := Append(nil, r)
		want, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := TimeOf(b); err != nil || !got.Equal(want.Evidence.Time) {
			t.Fatalf("% x: %v, %v, and by Decode %v", b, got, err, want.Evidence.Time)
		}
	}
	whole := Append(nil, ordinary())
	if _, soon := timeAtBegin(whole); !soon {
		t.Error("an ordinary record is decoded for its time")
	}
	for _, b := range [][]byte{nil, {}, whole[:2], whole[:5], []byte("not a record")} {
		if at, err := TimeOf(b); err == nil {
			t.Errorf("% x: %v", b, at)
		}
	}
}
