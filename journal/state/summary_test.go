package state

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func times(n uint64) *tally {
	return &tally{n: [fields]uint64{nMessages: n}, first: noon.Unix(), last: noon.Unix()}
}

// check compares a summary with what is true.
func (s *summary) check(t *testing.T, name string, truth map[Key]uint64) {
	t.Helper()
	all, sum := uint64(0), s.rest.n[nMessages]
	for k, n := range truth {
		all += n
		if v := s.values[k]; v == nil && n > s.threshold {
			t.Errorf("%s: %v is absent, it has %d and the threshold is %d", name, k, n, s.threshold)
		}
	}
	for k, v := range s.values {
		sum += v.n[nMessages]
		if n := truth[k]; v.n[nMessages] > n || n > v.n[nMessages]+v.missed {
			t.Errorf("%s: %v has %d and may have missed %d, the truth is %d", name, k, v.n[nMessages], v.missed, n)
		}
		if v.missed > s.threshold {
			t.Errorf("%s: %v may have missed %d, the threshold is %d", name, k, v.missed, s.threshold)
		}
	}
	if sum != all {
		t.Errorf("%s: %d messages, want %d", name, sum, all)
	}
	if most := all / uint64(s.most); s.threshold > most {
		t.Errorf("%s: the threshold is %d, want a %dth of %d at most", name, s.threshold, s.most, all)
	}
}

// Whatever comes in which order, and however summaries are added up, the bounds hold that
// docs/stats.md promises.
func TestNoCountIsTooHighAndNoneLacksMoreThanItsShare(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 100 {
		day, truth := newSummary(), map[Key]uint64{}
		day.most = 10
		for range 1 + random.IntN(5) {
			hour, here := newSummary(), map[Key]uint64{}
			hour.most = 10
			kind := random.IntN(3)
			for i := range random.IntN(2000) {
				k := random.IntN(100)
				switch kind {
				case 0: // few are frequent
					k = int(random.ExpFloat64() * 8)
				case 1: // a flood of new ones, and some that come again just after they left
					if k = 1000 + i; i%25 == 0 {
						k = i / 25 % 3
					}
				}
				key := Key{Text: fmt.Sprint(k)}
				hour.add(key, times(1))
				here[key]++
				truth[key]++
			}
			hour.check(t, fmt.Sprintf("round %d, an hour", round), here)
			hour.shorten()
			hour.check(t, fmt.Sprintf("round %d, an hour that is over", round), here)
			day.merge(hour)
			day.shorten()
			day.check(t, fmt.Sprintf("round %d, the day", round), truth)
		}
	}
}

// A flood of forged Author Domains, each new, hides none that writes much, nor those few
// messages that pass.
func TestAFloodOfForgeriesHidesNobody(t *testing.T) {
	s := newSummary()
	honest := func(i int) Key { return Key{Text: fmt.Sprintf("honest%d.example", i)} }
	pass := times(1)
	pass.n[nPass] = 1
	for i := range 300_000 {
		s.add(Key{Text: fmt.Sprintf("forged%d.test", i)}, times(1))
		if i%1000 == 0 {
			s.add(Key{Text: "shop.example"}, pass)
		}
		if i == 150_000 {
			for h := range 3000 {
				s.add(honest(h), pass)
			}
		}
	}
	if len(s.values) > 2*Most {
		t.Errorf("%d values", len(s.values))
	}
	v := s.values[Key{Text: "shop.example"}]
	if v == nil || v.n[nMessages]+v.missed < 300 || v.missed > 30 {
		t.Fatalf("%+v", v)
	}
	t.Logf("shop.example: %d to %d of 300, threshold %d, %d in the rest", v.n[nMessages], v.n[nMessages]+v.missed, s.threshold, s.rest.n[nMessages])
	// As long as the threshold is low, who passed stays before who was forged as often.
	s = newSummary()
	for h := range 3000 {
		s.add(honest(h), pass)
	}
	for i := range 19_000 {
		s.add(Key{Text: fmt.Sprintf("forged%d.test", i)}, times(1))
	}
	s.shorten()
	for h := range 3000 {
		if s.values[honest(h)] == nil {
			t.Fatalf("%v is hidden", honest(h))
		}
	}
}

func TestSummariesAreReadAsTheyWereWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		s := newSummary()
		s.threshold, s.rest = random.Uint64N(100), *times(random.Uint64N(3))
		if s.rest.n[nMessages] == 0 {
			s.rest = tally{}
		}
		for range random.IntN(40) {
			v := &value{missed: random.Uint64N(3)}
			for i := range v.n {
				v.n[i] = random.Uint64() >> random.IntN(64) * random.Uint64N(2)
			}
			if v.n[nMessages] > 0 {
				v.first, v.last = random.Int64N(1<<40)-1<<39, random.Int64N(1<<33)
			}
			s.values[Key{fmt.Sprint(random.IntN(50)), string([]byte{0xff, 0, byte(random.IntN(3))})}] = v
		}
		data := s.encode(noon)
		got, err := decodeSummary(data)
		if err != nil || got.threshold != s.threshold || got.rest != s.rest || !reflect.DeepEqual(got.values, s.values) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, s)
		}
	}
}

// What a later version counts besides is passed over.
func TestNumbersOfALaterVersionArePassedOver(t *testing.T) {
	e := encoder{start: noon.Unix(), out: []byte{encodingVersion}}
	e.out = append(e.out, 0, 0, 0) // start 0, threshold, no rest
	e.number(1)
	e.text("a.example")
	e.text("")
	e.number(0)
	e.number(1<<nMessages | 1<<nFail | 1<<fields | 1<<(fields+3))
	e.out = append(e.out, 5, 2, 77, 78, 2, 4)
	s, err := decodeSummary(packer.EncodeAll(e.out, nil))
	if err != nil {
		t.Fatal(err)
	}
	if v := s.values[Key{Text: "a.example"}]; v == nil || v.n[nMessages] != 5 || v.n[nFail] != 2 || v.first != 1 || v.last != 2 {
		t.Errorf("%+v", v)
	}
}

func FuzzSummary(f *testing.F) {
	s := newSummary()
	s.add(Key{"a.example", "192.0.2.0/24"}, times(3))
	data, _ := unpack(s.encode(noon))
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeSummary(packer.EncodeAll(data, nil))
		if err != nil {
			return
		}
		again, err := decodeSummary(s.encode(time.Unix(0, 0)))
		if err != nil || !reflect.DeepEqual(again.values, s.values) || again.rest != s.rest {
			t.Fatalf("%+v\nread back %+v, %v", s, again, err)
		}
	})
}
