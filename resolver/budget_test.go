package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// counter counts what reaches a Lookuper, after before was called.
type counter struct {
	resolver.Lookuper
	n      atomic.Int32
	before func(ctx context.Context, n int32) error
}

func (c *counter) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	n := c.n.Add(1)
	if c.before != nil {
		if err := c.before(ctx, n); err != nil {
			return nil, err
		}
	}
	return c.Lookuper.Lookup(ctx, name, qtype)
}

func zone(t testing.TB, src string) *resolver.Zone {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(src), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestBudgetCountsDistinctQuestions(t *testing.T) {
	c := &counter{Lookuper: zone(t, zoneText)}
	b := resolver.NewBudget(c, resolver.BudgetOptions{MaxQueries: 3})
	var first *resolver.Answer
	for _, name := range []string{"example.com", "Example.COM", "example.com."} {
		a, err := b.Lookup(t.Context(), name, dns.TypeTXT)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = a
		}
		if a != first {
			t.Errorf("%s: another Answer for the same question", name)
		}
	}
	_, err1 := b.Lookup(t.Context(), "broken.example.com", dns.TypeTXT)
	_, err2 := b.Lookup(t.Context(), "broken.example.com", dns.TypeTXT)
	if err1 != err2 || !resolver.Temporary(err1) {
		t.Errorf("a failure changed within a message: %v, then %v", err1, err2)
	}
	if n := c.n.Load(); n != 2 || b.Used() != 2 {
		t.Errorf("%d look-ups, %d used, want 2", n, b.Used())
	}
}

func TestBudgetRefusesAndKeepsAReserve(t *testing.T) {
	b := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 2, Reserved: 1})
	ask := func(lk resolver.Lookuper, name string) error {
		_, err := lk.Lookup(t.Context(), name, dns.TypeTXT)
		return err
	}
	for i := range 5 {
		if err := ask(b, fmt.Sprintf("n%d.example", i)); errors.Is(err, resolver.ErrBudget) != (i >= 2) {
			t.Errorf("question %d: %v", i, err)
		}
	}
	if err := ask(b, "n4.example"); !errors.Is(err, resolver.ErrBudget) || resolver.Temporary(err) {
		t.Errorf("over budget: %v, want ErrBudget and not temporary", err)
	}
	reserve := b.Reserve()
	if err := ask(reserve, "n4.example"); err != nil {
		t.Errorf("the reserve refused a question that others were refused: %v", err)
	}
	if err := ask(b, "n4.example"); err != nil {
		t.Errorf("what was asked is known to all: %v", err)
	}
	if err := ask(reserve, "n5.example"); !errors.Is(err, resolver.ErrBudget) {
		t.Errorf("beyond the reserve: %v", err)
	}
	if err := ask(b.Reserve(), "n5.example"); err != nil {
		t.Errorf("one reserve used up another one: %v", err)
	}
	if err := ask(b, "bad..name"); !errors.Is(err, resolver.ErrName) {
		t.Errorf("a bad name: %v", err)
	}
	if b.Used() != 4 || b.Refused() != 5 {
		t.Errorf("used %d, refused %d", b.Used(), b.Refused())
	}
}

func TestReserveIsDrawnFirst(t *testing.T) {
	b := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 2, Reserved: 1})
	for i, lk := range []resolver.Lookuper{b.Reserve(), b} {
		if _, err := lk.Lookup(t.Context(), fmt.Sprintf("n%d.example", i), dns.TypeTXT); err != nil {
			t.Errorf("question %d: %v", i, err)
		}
	}
	none := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 1, Reserved: -1})
	for i := range 2 {
		if _, err := none.Reserve().Lookup(t.Context(), fmt.Sprintf("n%d.example", i), dns.TypeTXT); errors.Is(err, resolver.ErrBudget) != (i == 1) {
			t.Errorf("without reserve, question %d: %v", i, err)
		}
	}
}

func TestBudgetIsSharedByConcurrentAskers(t *testing.T) {
	c := &counter{Lookuper: zone(t, zoneText), before: func(context.Context, int32) error {
		time.Sleep(10 * time.Millisecond)
		return nil
	}}
	b := resolver.NewBudget(c, resolver.BudgetOptions{})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if _, err := b.Lookup(t.Context(), fmt.Sprintf("n%d.example", i%4), dns.TypeTXT); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := c.n.Load(); n != 4 || b.Used() != 4 {
		t.Errorf("%d look-ups, %d used, want 4", n, b.Used())
	}
}

func TestOneMessageTakesAFewSlotsOnly(t *testing.T) {
	var now, most atomic.Int32
	c := &counter{Lookuper: zone(t, zoneText), before: func(context.Context, int32) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
		return nil
	}}
	b := resolver.NewBudget(c, resolver.BudgetOptions{Parallel: 4})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := b.Lookup(t.Context(), fmt.Sprintf("n%d.example", i), dns.TypeTXT); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > 4 {
		t.Errorf("%d questions at a time, want 4 at most", n)
	}
}

// hang lets names of slow.example hang until their asker gives up.
type hang struct {
	resolver.Lookuper
	started chan struct{} // told of each that hangs
}

func (h hang) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if strings.HasSuffix(name, "slow.example") {
		h.started <- struct{}{}
		<-ctx.Done()
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "timeout"}
	}
	return h.Lookuper.Lookup(ctx, name, qtype)
}

// A question that was never asked says nothing about its name: were it a
// permanent error, DNS that is slow for all names would have a good message
// with many signatures refused.
func TestWaitingInVainIsATemporaryError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := hang{zone(t, zoneText), make(chan struct{}, 1)}
	b := resolver.NewBudget(h, resolver.BudgetOptions{Parallel: 1})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _, _ = b.Lookup(ctx, "slow.example", dns.TypeTXT) })
	<-h.started
	wg.Go(func() {
		if _, err := b.Lookup(ctx, "key.example", dns.TypeTXT); !resolver.Temporary(err) {
			t.Errorf("got %v, want a temporary error", err)
		}
	})
	time.Sleep(20 * time.Millisecond)
	cancel()
	wg.Wait()
	if _, err := b.Lookup(t.Context(), "key.example", dns.TypeTXT); err != nil {
		t.Errorf("asked again with time left: %v", err)
	}
}

func TestOneLaneDoesNotWaitForAnother(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := hang{zone(t, zoneText), make(chan struct{}, 1)}
	b := resolver.NewBudget(h, resolver.BudgetOptions{Parallel: 1, MaxQueries: 15})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i, lk := range []resolver.Lookuper{b, b.Lane(resolver.Own{Parallel: 1}), b.Reserve()} {
		wg.Go(func() { _, _ = lk.Lookup(ctx, fmt.Sprintf("n%d.slow.example", i), dns.TypeTXT) })
		<-h.started
	}
	lane := b.Lane(resolver.Own{Parallel: 2})
	wg.Go(func() { _, _ = lane.Lookup(ctx, "n3.slow.example", dns.TypeTXT) })
	<-h.started
	for _, name := range []string{"example.com", "n4.example", "n5.example"} {
		if _, err := lane.Lookup(t.Context(), name, dns.TypeTXT); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := lane.Lookup(t.Context(), "n6.example", dns.TypeTXT); !errors.Is(err, resolver.ErrBudget) {
		t.Errorf("a lane goes over the budget of the message: %v", err)
	}
}

// What the lane that lends leaves is for all. Who needs it waits for its end, and is
// refused where nothing is left or its own time is up.
func TestALaneLendsWhatItLeaves(t *testing.T) {
	ask := func(ctx context.Context, lk resolver.Lookuper, n int) error {
		_, err := lk.Lookup(ctx, fmt.Sprintf("n%d.example", n), dns.TypeTXT)
		return err
	}
	b := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 6})
	first := b.Lane(resolver.Own{Questions: 4, Lends: true, Parallel: 1})
	b.Hold(1)
	second := b.Lane(resolver.Own{Parallel: 1, Most: 4})
	if err := ask(t.Context(), first, 0); err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), second, 1); err != nil {
		t.Errorf("the one that is for all: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ask(over, second, 2); !errors.Is(err, resolver.ErrBudget) {
		t.Errorf("without time to wait: %v", err)
	}
	later := make(chan error)
	go func() { later <- ask(t.Context(), second, 3) }()
	select {
	case err := <-later:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	first.Done()
	first.Done()
	if err := <-later; err != nil {
		t.Errorf("after the end of the other lane: %v", err)
	}
	for n, want := range map[int]bool{0: true, 1: true, 3: true} {
		if err := ask(t.Context(), second, n); (err == nil) != want {
			t.Errorf("what was asked is known: question %d: %v", n, err)
		}
	}
	for n := 4; n < 8; n++ { // two more are its own to ask, of the two that are left
		if err := ask(t.Context(), second, n); errors.Is(err, resolver.ErrBudget) != (n >= 6) {
			t.Errorf("question %d: %v", n, err)
		}
	}
	reserve := b.Reserve() // one was held, none is left, the rest comes on top
	for n := 10; n < 10+resolver.DefaultReserved; n++ {
		if err := ask(t.Context(), reserve, n); err != nil {
			t.Errorf("reserved question %d: %v", n, err)
		}
	}
	if err := ask(t.Context(), reserve, 30); !errors.Is(err, resolver.ErrBudget) {
		t.Errorf("beyond the reserve: %v", err)
	}
}

// The lane that lends often ends because the time of the message does.
func TestWhoWaitedUntilHisTimeEndedIsRefused(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			b := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 4})
			first := b.Lane(resolver.Own{Questions: 4, Lends: true})
			second := b.Lane(resolver.Own{})
			ctx, cancel := context.WithCancel(t.Context())
			refused := make(chan error, 1)
			go func() {
				_, err := second.Lookup(ctx, "example.com", dns.TypeTXT)
				refused <- err
			}()
			synctest.Wait()
			cancel()
			first.Done()
			if err := <-refused; !errors.Is(err, resolver.ErrBudget) {
				t.Errorf("got %v, want ErrBudget", err)
			}
		})
	}
}

func TestAskerWhoGaveUpDoesNotDecideForOthers(t *testing.T) {
	entered := make(chan struct{})
	c := &counter{Lookuper: zone(t, zoneText), before: func(ctx context.Context, n int32) error {
		if n > 1 {
			return nil
		}
		close(entered)
		<-ctx.Done()
		return &resolver.Error{Err: resolver.ErrTemporary, Why: "gave up"}
	}}
	b := resolver.NewBudget(c, resolver.BudgetOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := b.Lookup(ctx, "example.com", dns.TypeTXT); !resolver.Temporary(err) {
			t.Errorf("the asker who gave up: %v", err)
		}
	})
	<-entered
	for range 3 {
		wg.Go(func() {
			if a, err := b.Lookup(t.Context(), "example.com", dns.TypeTXT); err != nil || a.Void() {
				t.Errorf("the patient asker: %+v, %v", a, err)
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	cancel()
	wg.Wait()
	if b.Used() != 1 {
		t.Errorf("%d used, want 1", b.Used())
	}
}

func TestPanicInALookupLeavesNobodyWaiting(t *testing.T) {
	entered := make(chan struct{})
	c := &counter{Lookuper: zone(t, zoneText), before: func(context.Context, int32) error {
		close(entered)
		time.Sleep(10 * time.Millisecond)
		panic("boom")
	}}
	b := resolver.NewBudget(c, resolver.BudgetOptions{})
	go func() {
		defer func() { _ = recover() }()
		_, _ = b.Lookup(context.Background(), "example.com", dns.TypeTXT)
	}()
	<-entered
	if _, err := b.Lookup(t.Context(), "example.com", dns.TypeTXT); !resolver.Temporary(err) {
		t.Errorf("got %v, want a temporary error", err)
	}
}

func TestQuestions(t *testing.T) {
	b := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 6})
	for _, q := range []struct {
		name  string
		qtype uint16
	}{
		{"example.com", dns.TypeTXT}, {"example.com", dns.TypeMX}, {"mx.example.com", dns.TypeA},
		{"mx.example.com", dns.TypeTXT}, {"no.example.com", dns.TypeTXT}, {"slow.example.com", dns.TypeTXT},
		{"one.more.example", dns.TypeTXT},
	} {
		_, _ = b.Lookup(t.Context(), q.name, q.qtype)
	}
	want := []resolver.Question{
		{Name: "example.com", Type: "TXT", Outcome: "NOERROR", Answers: []string{"v=spf1 -all"}},
		{Name: "example.com", Type: "MX", Outcome: "NOERROR", Answers: []string{"10 mx.example.com."}},
		{Name: "mx.example.com", Type: "A", Outcome: "NOERROR", Answers: []string{"192.0.2.1"}},
		{Name: "mx.example.com", Type: "TXT", Outcome: "NODATA"},
		{Name: "no.example.com", Type: "TXT", Outcome: "NXDOMAIN"},
		{Name: "slow.example.com", Type: "TXT", Outcome: "timeout"},
		{Name: "one.more.example", Type: "TXT", Outcome: "refused by budget"},
	}
	got := b.Questions()
	for i := range got {
		if got[i].Elapsed != 0 {
			t.Errorf("%s: time was measured without being asked for", got[i].Name)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTimedQuestionsTellTheirTime(t *testing.T) {
	c := &counter{Lookuper: zone(t, zoneText), before: func(context.Context, int32) error {
		time.Sleep(2 * time.Millisecond)
		return nil
	}}
	b := resolver.NewBudget(c, resolver.BudgetOptions{Timed: true})
	_, _ = b.Lookup(t.Context(), "example.com", dns.TypeTXT)
	if d := b.Questions()[0].Elapsed; d < 2*time.Millisecond {
		t.Errorf("elapsed %v", d)
	}
}
