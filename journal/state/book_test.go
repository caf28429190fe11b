package state

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
)

func bookAt(t *testing.T, s *State, old *Book, now time.Time) *Book {
	t.Helper()
	b, err := s.RenewBook(context.Background(), old, now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A book says what the counts say, whether it was read as a whole or renewed, of hours that
// are settled, in the making, of several hosts, and settled late.
func TestABookSaysWhatIsCounted(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s, other := open(), open()
		r := rand.New(rand.NewPCG(1, 2))
		now := noon
		n := [2]int{}
		some := func(from time.Time, span time.Duration, count int) {
			for h, s := range []*State{s, other} {
				for range count / 2 {
					m := mail{at: from.Add(time.Duration(r.Int64N(int64(span)))), author: fmt.Sprintf("d%d.example", r.IntN(4)), client: fmt.Sprintf("192.0.%d.1", r.IntN(6)),
						result: []evidence.Result{evidence.Pass, evidence.Fail, evidence.None}[r.IntN(3)], told: []policy.Delivery{policy.Deliver, policy.Refuse}[r.IntN(2)]}
					if r.IntN(2) == 0 {
						m.dkim = evidence.Pass
					}
					n[h]++
					take(t, s, spool.ID{byte(h + 1)}, m.raw(n[h]))
				}
				s.tidied = time.Time{}
				if err := s.Tidy(ctx, now); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, ago := range []int{20, 9, 2, 1} {
			some(now.AddDate(0, 0, -ago), 3*time.Hour, 50)
		}
		book := bookAt(t, s, nil, now)
		same(t, s, book, now, "all of it")
		for i := range 4 {
			now = now.Add(13 * time.Hour)
			some(now.Add(-3*time.Hour), 3*time.Hour, 20)
			if i == 2 { // a host that was away
				some(now.AddDate(0, 0, -15), time.Hour, 5)
			}
			book = bookAt(t, s, book, now)
			same(t, s, book, now, fmt.Sprint("renewed ", i))
			if fresh := bookAt(t, s, nil, now); !reflect.DeepEqual(fresh.Senders(SenderQuery{Trend: true}), book.Senders(SenderQuery{Trend: true})) {
				t.Errorf("renewed %d: it is not as if it were read anew", i)
			}
		}
	})
}

// same compares a book with the counts of some spans.
func same(t *testing.T, s *State, b *Book, now time.Time, name string) {
	t.Helper()
	for _, days := range []int{1, 7, 30} {
		found := b.Senders(SenderQuery{Days: days, Trend: true})
		pairs, err := s.Pairs(context.Background(), PairQuery{Since: found.Since, Until: now.Add(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if len(pairs) != len(found.List) || found.All != len(pairs) {
			t.Fatalf("%s, %d days: %d pairs, counted are %d", name, days, len(found.List), len(pairs))
		}
		for _, p := range found.List {
			i := slices.IndexFunc(pairs, func(q Pair) bool { return q.Author == p.Author && q.Infrastructure == p.Infrastructure })
			if i < 0 {
				t.Fatalf("%s: %+v is not counted", name, p)
			}
			q := &pairs[i]
			if p.Messages != q.Messages || p.Pass != q.Pass || p.Fail != q.Fail || p.Refused != q.Refused || p.Honest > q.FailDKIM+q.FailSPF || !p.Last.Equal(q.Last) {
				t.Errorf("%s, %d days: %+v, counted is %+v", name, days, p, q)
			}
			sum, fail := uint64(0), uint64(0)
			for i := range p.Trend {
				sum, fail = sum+p.Trend[i], fail+p.TrendFail[i]
			}
			if sum != p.Messages || fail != p.Fail || len(p.Trend) != days {
				t.Errorf("%s: the trend %v has %d messages, not %d", name, p.Trend, sum, p.Messages)
			}
		}
	}
	for _, d := range b.Days("d1.example", "192.0.2.0/24", 30) {
		hours, err := s.PairHours(context.Background(), "d1.example", "192.0.2.0/24", d.Begin)
		if err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for _, h := range hours {
			sum += h.Messages
		}
		if sum != d.Messages {
			t.Errorf("%s: %s has %d messages by hours, %d by day", name, d.Begin, sum, d.Messages)
		}
	}
}

// What an admin is to see first comes first, however many others there are.
func TestWhatMattersComesFirst(t *testing.T) {
	var batch []journal.Raw
	send := func(days, each int, newest int, m mail) {
		for d := range days {
			for range each {
				m.at = noon.AddDate(0, 0, -newest-d)
				batch = append(batch, m.raw(len(batch)+1))
			}
		}
	}
	send(40, 1, 0, mail{author: "own.example", client: "192.0.2.1", result: evidence.Pass})                           // own servers
	send(10, 2, 0, mail{author: "own.example", client: "198.51.100.1", result: evidence.Fail, dkim: evidence.Pass})   // vendor, for long
	send(1, 9, 0, mail{author: "own.example", client: "198.51.101.1", result: evidence.Fail, dkim: evidence.Pass})    // vendor, since today
	send(1, 30, 20, mail{author: "own.example", client: "198.51.102.1", result: evidence.Fail, dkim: evidence.Pass})  // a burst, long ago
	send(8, 9, 20, mail{author: "own.example", client: "198.51.103.1", result: evidence.Fail, dkim: evidence.Fail})   // forgeries without any proof
	send(20, 5, 0, mail{author: "other.example", client: "198.51.104.1", result: evidence.Fail, dkim: evidence.Pass}) // vendor of somebody else
	send(20, 9, 0, mail{author: "other.example", client: "198.51.105.1", result: evidence.Pass, dkim: evidence.Pass}) // their own servers
	for i := range 5 {                                                                                                // households, some of which sign
		send(4, 2+4*min(1, i), 2*i, mail{author: "own.example", client: "198.51.107.1", result: evidence.Fail, dkim: []evidence.Result{evidence.Pass, evidence.Fail}[min(1, i)]})
	}
	send(30, 20, 5, mail{author: "notown.example", client: "198.51.106.1", result: evidence.Fail, dkim: evidence.Fail}) // forgeries
	for i := range 300 {                                                                                                // forgeries from everywhere, half with a signature of their own
		m := mail{author: []string{"own.example", "other.example"}[i%2], client: fmt.Sprintf("203.%d.%d.1", i/200, i%200), result: evidence.Fail, told: policy.Refuse}
		if i%4 < 2 {
			m.dkim = evidence.Pass
		}
		send(1+i%4, 1, i%30, m)
	}
	s := fileAt(t, t.TempDir()+"/state.db")
	take(t, s, spool.ID{1}, batch...)
	if err := s.Tidy(context.Background(), noon); err != nil {
		t.Fatal(err)
	}
	b := bookAt(t, s, nil, noon.Add(time.Hour))
	q := SenderQuery{Days: 30, Own: func(author string) bool { return author == "own.example" }, Limit: 10}
	found := b.Senders(q)
	var got []string
	for _, p := range found.List {
		got = append(got, fmt.Sprintf("%s %s %s %t %d", p.Author, p.Infrastructure, p.Kind, p.New, p.Honest))
	}
	want := []string{
		"own.example 198.51.100.0/24 steady false 20",
		"own.example 198.51.101.0/24 new true 9",
		"own.example 198.51.102.0/24  false 30",
		"own.example 198.51.107.0/24  false 8",
		"own.example 198.51.103.0/24  false 0",
		"own.example 192.0.2.0/24  false 0",
		"other.example 198.51.104.0/24 steady false 100",
		"notown.example 198.51.106.0/24  false 0",
		"other.example 198.51.105.0/24  false 0",
	}
	if !slices.Equal(got[:9], want) {
		t.Errorf("got\n%q\nwant\n%q", got[:9], want)
	}
	if p := found.List[9]; p.Kind != SenderOnce || !p.Own {
		t.Errorf("then comes %+v", p)
	}
	if found.Single.Pairs != 300 || found.All != 309 {
		t.Errorf("%+v of %d", found.Single, found.All)
	}
	q.Limit = 0
	if all := b.Senders(q).List; !reflect.DeepEqual(all[:10], found.List) {
		t.Error("with a limit there are others")
	}
	q.Kinds = []SenderKind{SenderSteady}
	if x := b.Senders(q); x.All != 2 || len(x.List) != 2 {
		t.Errorf("of one kind: %+v", x)
	}
	q.Kinds, q.OwnOnly, q.Author = nil, true, "other.example"
	if x := b.Senders(q); x.All != 0 {
		t.Errorf("own ones of others: %+v", x)
	}
}
