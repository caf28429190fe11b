package resolver_test

import (
	"testing"

	"github.com/miekg/dns"

	"alignd/resolver"
)

func TestReadyAnswersWhatIsCachedAndAsksNothing(t *testing.T) {
	srv := serve(t, zoneText)
	r := newResolver(t, resolver.Options{Servers: []string{srv.Addr()}})
	b := resolver.NewBudget(r, resolver.BudgetOptions{})
	views := []resolver.Lookuper{r, b, b.Reserve()}
	for _, lk := range views {
		ready := resolver.NewReady(lk)
		if a, err := ready.Lookup(t.Context(), "example.com", dns.TypeTXT); a != nil || !resolver.Temporary(err) || ready.Complete() {
			t.Errorf("%T, not cached: got %v, %v, complete %v", lk, a, err, ready.Complete())
		}
	}
	if n := r.Stats().Sent; n != 0 || b.Used() != 0 {
		t.Errorf("%d questions sent, %d of the budget used", n, b.Used())
	}
	want, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT)
	if err != nil {
		t.Fatal(err)
	}
	for _, lk := range views {
		ready := resolver.NewReady(lk)
		if a, err := ready.Lookup(t.Context(), "Example.com.", dns.TypeTXT); a != want || err != nil || !ready.Complete() {
			t.Errorf("%T, cached: got %v, %v, complete %v", lk, a, err, ready.Complete())
		}
	}
	if b.Used() != 1 || len(b.Questions()) != 1 {
		t.Errorf("what was known does not count as asked once: %d used, %v", b.Used(), b.Questions())
	}
}

func TestReadyLeavesRefusalsToTheBudget(t *testing.T) {
	b := resolver.NewBudget(zone(t, zoneText), resolver.BudgetOptions{MaxQueries: 1, Reserved: -1})
	ready := resolver.NewReady(b)
	for _, name := range []string{"example.com", "www.example.com"} {
		ready.Lookup(t.Context(), name, dns.TypeA)
	}
	if ready.Complete() || b.Used() != 1 || b.Refused() != 0 {
		t.Errorf("complete %v, %d used, %d refused", ready.Complete(), b.Used(), b.Refused())
	}
	if _, err := b.Lookup(t.Context(), "www.example.com", dns.TypeA); err == nil || b.Refused() != 1 {
		t.Errorf("got %v, %d refused", err, b.Refused())
	}
}

// A Lookuper that cannot tell what it knows is asked only by Lookup.
func TestReadyKnowsNothingOfOthers(t *testing.T) {
	c := &counter{Lookuper: zone(t, zoneText)}
	ready := resolver.NewReady(c)
	if _, err := ready.Lookup(t.Context(), "example.com", dns.TypeTXT); err == nil || ready.Complete() || c.n.Load() != 0 {
		t.Errorf("got %v, complete %v, asked %d", err, ready.Complete(), c.n.Load())
	}
}
