package spf

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/resolver"
)

// cached is a Lookuper that costs next to nothing, so that the benchmarks
// measure evaluation. Records are parsed once, as with the resolver's cache.
type cached map[question]*resolver.Answer

func (c cached) Lookup(_ context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	return c[question{name, qtype}], nil
}

// warm runs c once on f and keeps what was asked.
func warm(f *fakeDNS, c Check) cached {
	MailFrom(context.Background(), f, c)
	return cached(f.answers)
}

var sink evidence.SPFCheck

// hostileMacros is a record of many macros with a long sender: the cost must
// stay that of reading what is kept.
func hostileMacros() string {
	return "v=spf1 " + strings.Repeat("exists:"+strings.Repeat("%{l1r-}%{h}", 100)+".%{s} ", 10) + "-all"
}

func BenchmarkMailFrom(b *testing.B) {
	includes := []string{"example.com TXT v=spf1 " + strings.Repeat("include:_%d.example.net ", 10) + "-all"}
	args := make([]any, 10)
	for i := range args {
		args[i] = i
		includes = append(includes, fmt.Sprintf("_%d.example.net TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.%d ip6:2001:db8::/32 -all", i, i))
	}
	includes[0] = fmt.Sprintf(includes[0], args...)
	long := strings.Repeat("x-", 500) + "@example.com"
	for _, bb := range []struct {
		name   string
		zone   []string
		sender string
	}{
		{name: "ip4", zone: []string{"example.com TXT v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.1 -all"}, sender: "user@example.com"},
		{name: "includes=10", zone: includes, sender: "user@example.com"},
		{name: "mx", zone: []string{"example.com TXT v=spf1 mx -all", "example.com MX mx.example.com", "mx.example.com A 192.0.2.1"},
			sender: "user@example.com"},
		{name: "macro", zone: []string{"example.com TXT v=spf1 exists:%{ir}.%{v}.%{l1r+-}.%{d2} -all"}, sender: "user+tag@example.com"},
		{name: "hostile macros", zone: []string{"example.com TXT " + hostileMacros()}, sender: long},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := Check{IP: netip.MustParseAddr("192.0.2.1"), HELO: "mx.example.com", MailFrom: bb.sender}
			lk := warm(zone(bb.zone...), c)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				sink = MailFrom(ctx, lk, c)
			}
		})
	}
}

func BenchmarkParseRecord(b *testing.B) {
	for _, bb := range []struct{ name, txt string }{
		{name: "usual", txt: "v=spf1 include:_spf.example.net ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx ~all"},
		{name: "longest", txt: ("v=spf1 " + strings.Repeat("a:%{d}/24 ", maxPublished))[:maxPublished]},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseRecord(bb.txt); err != nil && bb.name == "usual" {
					b.Fatal(err)
				}
			}
		})
	}
}
