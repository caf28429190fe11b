package resolver_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

var sink *resolver.Answer

func BenchmarkLookupCached(b *testing.B) {
	server := serve(b, zoneText)
	r := newResolver(b, resolver.Options{Servers: []string{server.Addr()}, MinTTL: time.Hour})
	run := func(b *testing.B, lk resolver.Lookuper) {
		b.ReportAllocs()
		for b.Loop() {
			sink, _ = lk.Lookup(b.Context(), "example.com", dns.TypeTXT)
		}
	}
	b.Run("one asker", func(b *testing.B) { run(b, r) })
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = r.Lookup(b.Context(), "example.com", dns.TypeTXT)
			}
		})
	})
}

// BenchmarkBudgetPerMessage is what a message of ten questions, five of them
// asked twice, pays for its budget over a warm cache.
func BenchmarkBudgetPerMessage(b *testing.B) {
	server := serve(b, "*.example.com 3600 TXT x\n")
	r := newResolver(b, resolver.Options{Servers: []string{server.Addr()}})
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("n%d.example.com", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		budget := resolver.NewBudget(r, resolver.BudgetOptions{})
		for _, n := range names {
			sink, _ = budget.Lookup(b.Context(), n, dns.TypeTXT)
		}
		for _, n := range names[:5] {
			sink, _ = budget.Lookup(b.Context(), n, dns.TypeTXT)
		}
	}
}

// BenchmarkLookupUncached includes the loopback server in the same process.
func BenchmarkLookupUncached(b *testing.B) {
	server := serve(b, "*.example.com 0 TXT \"v=spf1 -all\"\n")
	r := newResolver(b, resolver.Options{Servers: []string{server.Addr()}})
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if sink, err = r.Lookup(b.Context(), "n.example.com", dns.TypeTXT); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSocket is what a fresh socket costs a question: opening, binding to
// a port of the kernel's choice, and closing.
func BenchmarkSocket(b *testing.B) {
	addr := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 53}
	for b.Loop() {
		c, err := net.DialUDP("udp", nil, addr)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
