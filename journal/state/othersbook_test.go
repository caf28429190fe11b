package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// From memory comes what the database adds up to, whatever is asked, also of reports that
// came since, took the place of others, and were forgotten.
func TestOthersInMemoryAreThoseOfTheDatabase(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s, plain, memory := context.Background(), open(), open(), Remembered{}
		s.Remember(&memory)
		random := rand.New(rand.NewPCG(1, 2))
		day := noon.Truncate(24 * time.Hour)
		text := func(e *Elsewhere, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.MarshalIndent(e, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		compare := func(when string) {
			t.Helper()
			for _, q := range []ElsewhereQuery{
				{}, {Unproven: true}, {Since: day.AddDate(0, 0, -3)}, {Since: day.AddDate(0, 0, -5).Add(7 * time.Hour), Until: day.AddDate(0, 0, -2).Add(time.Hour)},
				{Author: "a1.example"}, {Author: "a1.example", Unproven: true, Since: day.AddDate(0, 0, -6)}, {Reporter: "r2.example"}, {Network: "192.0.2.0/24", Unproven: true}, {Network: "10.9.9.0/24"},
				{Until: day.AddDate(0, 0, -20)},
			} {
				if got, want := text(s.Elsewhere(ctx, q)), text(plain.Elsewhere(ctx, q)); got != want {
					at := 0
					for at < min(len(got), len(want)) && got[at] == want[at] {
						at++
					}
					at = max(0, at-300)
					t.Fatalf("%s, %+v:\n%.600s\nwant\n%.600s", when, q, got[at:], want[at:])
				}
			}
		}
		add := func(i int, change func(*Other)) error {
			o := randomOther(random, day, i)
			if change != nil {
				change(o)
			}
			return plain.AddOther(ctx, o)
		}
		compare("empty")
		for i := range 40 {
			if err := add(i, nil); err != nil && !errors.Is(err, ErrStored) {
				t.Fatal(err)
			}
			if i%10 == 9 {
				compare(fmt.Sprint(i+1, " reports"))
			}
		}
		// One without proof gives way to the true one, which has as many rows and messages.
		same := func(trust Trust) func(o *Other) {
			return func(o *Other) {
				*o = *reported(func(o *Other) { o.Trust, o.Sender, o.ReportID = trust, "", "same" })
			}
		}
		if err := add(0, same(TrustUnknown)); err != nil {
			t.Fatal(err)
		}
		compare("one without proof")
		if err := add(0, same(TrustVouched)); err != nil {
			t.Fatal(err)
		}
		compare("the true one")
		plain.others = 4 * 24 * time.Hour
		if err := plain.forgetOthers(ctx, noon); err != nil {
			t.Fatal(err)
		}
		compare("forgotten ones")
		if days := len(memory.book.days); days == 0 || len(memory.list) > 0 {
			t.Errorf("%d days are in memory, and %d answers", days, len(memory.list))
		}
	})
}

// randomOther is report i of some reporters about some domains on one of eight days.
func randomOther(random *rand.Rand, day time.Time, i int) *Other {
	start := day.AddDate(0, 0, -random.IntN(8)).Add(time.Duration(random.IntN(20)) * time.Hour)
	o := &Other{Domain: "own.example", Org: fmt.Sprintf("r%d.example", i%4), ReportID: fmt.Sprint(i), Start: start, Until: start.Add(23 * time.Hour), Stored: noon, Trust: TrustVouched}
	o.Reporter = o.Org
	if random.IntN(3) == 0 {
		o.Trust = TrustUnknown
	}
	for range random.IntN(6) {
		n := random.IntN(5)
		o.Rows = append(o.Rows, OtherRow{Source: fmt.Sprintf("192.0.%d.%d", n, random.IntN(200)), Network: fmt.Sprintf("192.0.%d.0/24", n), Author: fmt.Sprintf("a%d.example", random.IntN(3)),
			DKIM: random.IntN(2) == 0, SPF: random.IntN(3) == 0, Disposition: []string{"none", "quarantine", "reject", ""}[random.IntN(4)],
			Signers: []string{"", "s1.example", "s1.example s2.example"}[random.IntN(3)], Sender: []string{"", "m.example"}[random.IntN(2)], Messages: int64(1 + random.IntN(1000))})
	}
	return o
}

// Days are in memory as far as there is room, those that are asked for first, and are read
// again only where they changed.
func TestOthersInMemoryHaveABound(t *testing.T) {
	defer func(was int64) { maxBookOthers = was }(maxBookOthers)
	maxBookOthers = 7
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s, memory := context.Background(), open(), Remembered{}
		s.Remember(&memory)
		for i := range 4 { // three rows each
			if err := s.AddOther(ctx, reported(func(o *Other) {
				o.Start, o.ReportID = o.Start.AddDate(0, 0, -i), fmt.Sprint(i)
			})); err != nil {
				t.Fatal(err)
			}
		}
		day := reported(nil).Start
		two := ElsewhereQuery{Since: day.AddDate(0, 0, -1)}
		if e := elsewhere(t, s, two); e.Reports != 2 || len(memory.book.days) != 2 {
			t.Fatalf("%d reports, %d days in memory", e.Reports, len(memory.book.days))
		}
		had := memory.book.days[day.Unix()]
		if e := elsewhere(t, s, two); e.Reports != 2 || memory.book.days[day.Unix()] != had {
			t.Errorf("%d reports; a day that did not change was read again", e.Reports)
		}
		if e := elsewhere(t, s, ElsewhereQuery{Since: day.AddDate(0, 0, -3), Until: day.AddDate(0, 0, -1)}); e.Reports != 2 || len(memory.book.days) != 2 || memory.book.days[day.Unix()] != nil {
			t.Errorf("%d reports of two earlier days, %d days in memory", e.Reports, len(memory.book.days))
		}
		if e := elsewhere(t, s, ElsewhereQuery{}); e.Reports != 4 || len(memory.list) != 1 {
			t.Errorf("%d reports of all days, %d answers are remembered", e.Reports, len(memory.list))
		}
	})
}

// Who gives up while another reads leaves, and the next one reads.
func TestWhoGivesUpDoesNotWaitForOthersInMemory(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		s, memory := open(), Remembered{}
		s.Remember(&memory)
		if err := memory.book.turn.take(t.Context()); err != nil { // as one who reads
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.Elsewhere(ctx, ElsewhereQuery{})
			ended <- err
		}()
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("it waits for the other")
		}
		memory.book.turn.leave()
		if _, err := s.Elsewhere(t.Context(), ElsewhereQuery{}); err != nil {
			t.Error(err)
		}
	})
}
