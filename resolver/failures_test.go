package resolver

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestTheBudgetListsWhatFailed(t *testing.T) {
	zone, err := ParseZone(strings.NewReader("lame.example. SERVFAIL\nslow.example. TIMEOUT\na.example. 60 TXT ok\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	b := NewBudget(zone, BudgetOptions{MaxQueries: 3})
	for _, name := range []string{"a.example", "lame.example", "slow.example", "one.too.many.example"} {
		_, _ = b.Lookup(context.Background(), name, dns.TypeTXT)
	}
	want := []Failure{
		{Name: "lame.example", Type: "TXT", RCode: "SERVFAIL", Why: "SERVFAIL"},
		{Name: "slow.example", Type: "TXT", Why: "timeout"},
		{Name: "one.too.many.example", Type: "TXT", Why: "refused by budget"},
	}
	if got := b.Failures(10); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := b.Failures(1); !slices.Equal(got, want[:1]) {
		t.Errorf("at most one: got %+v", got)
	}
}

func TestAnAnswerTellsItsAliasesAndTTL(t *testing.T) {
	zone, err := ParseZone(strings.NewReader("s1.example. 300 CNAME s2.example.\ns2.example. 60 CNAME keys.other.example.\nkeys.other.example. 900 TXT \"p=\"\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	a, err := zone.Lookup(context.Background(), "s1.example", dns.TypeTXT)
	if err != nil || !slices.Equal(a.CNAMEs, []string{"s2.example", "keys.other.example"}) || a.TTL != time.Minute {
		t.Errorf("zone: got %+v, %v", a, err)
	}
}
