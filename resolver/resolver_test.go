package resolver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

var zoneText = `
example.com       60  TXT   "v=spf1 " "-all"
example.com       60  MX    10 mx.example.com
example.com       60  SOA   ns.example.com admin.example.com 1 2 3 4 120
mx.example.com    60  A     192.0.2.1
zero.example.com  0   TXT   "ttl zero"
alias.example.com 30  CNAME mx.example.com
dangling.example.com 60 CNAME nothing.example.com
loop1.example.com 60  CNAME loop2.example.com
loop2.example.com 60  CNAME loop1.example.com
broken.example.com    SERVFAIL
slow.example.com      TIMEOUT
big.example.com   60  TXT "` + big + `"
xn--bcher-kva.example.com 60 TXT "u-label"
odd\ \"n\\ame\195\040.example.com 60 TXT "odd octets"
`

var big = strings.Repeat("0123456789", 400)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func serve(t testing.TB, src string) *dnsserver.Server {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(src), "zone")
	if err != nil {
		t.Fatal(err)
	}
	s, err := dnsserver.ServeZone(z, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newResolver(t testing.TB, opts resolver.Options) *resolver.Resolver {
	t.Helper()
	if opts.Timeout == 0 {
		opts.Timeout = 5 * time.Second // a loaded machine must not fail a test
		opts.Attempts = 1
	}
	if opts.Deadline == 0 { // of a server that is silent on purpose
		opts.Deadline = min(6*opts.Timeout, 15*time.Second)
	}
	r, err := resolver.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// show gives an outcome in one line.
func show(a *resolver.Answer, err error) string {
	var e *resolver.Error
	switch {
	case errors.As(err, &e):
		return fmt.Sprintf("%v: %s", e.Err, e.Why)
	case err != nil:
		return "not an *Error: " + err.Error()
	}
	s := dns.RcodeToString[a.RCode]
	if a.NameExists {
		s += " exists"
	}
	for _, v := range a.TXT {
		s += fmt.Sprintf(" %q", v)
	}
	for _, v := range a.Addrs {
		s += " " + v.String()
	}
	for _, v := range a.MX {
		s += fmt.Sprintf(" %d %s", v.Preference, v.Host)
	}
	for _, v := range a.PTR {
		s += " " + v
	}
	return s
}

func TestLookup(t *testing.T) {
	server := serve(t, zoneText)
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, Timeout: time.Second})
	tests := []struct {
		name, ask string
		qtype     uint16
		want      string // a prefix for errors
	}{
		{name: "strings of one TXT record are joined", ask: "Example.COM.", qtype: dns.TypeTXT, want: `NOERROR exists "v=spf1 -all"`},
		{name: "MX", ask: "example.com", qtype: dns.TypeMX, want: "NOERROR exists 10 mx.example.com"},
		{name: "a CNAME is followed", ask: "alias.example.com", qtype: dns.TypeA, want: "NOERROR exists 192.0.2.1"},
		{name: "a CNAME to a name without the type", ask: "alias.example.com", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "a CNAME to nowhere exists and is NXDOMAIN", ask: "dangling.example.com", qtype: dns.TypeTXT, want: "NXDOMAIN exists"},
		{name: "NXDOMAIN", ask: "nothing.example.com", qtype: dns.TypeTXT, want: "NXDOMAIN"},
		{name: "NODATA", ask: "mx.example.com", qtype: dns.TypeTXT, want: "NOERROR exists"},
		{name: "SERVFAIL is temporary", ask: "broken.example.com", qtype: dns.TypeTXT, want: "temporary DNS failure: SERVFAIL from 127.0.0.1:"},
		{name: "silence is temporary", ask: "slow.example.com", qtype: dns.TypeTXT, want: "temporary DNS failure: timeout from 127.0.0.1:"},
		{name: "an answer longer than a datagram comes over TCP", ask: "big.example.com", qtype: dns.TypeTXT, want: fmt.Sprintf("NOERROR exists %q", big)},
		{name: "a U-label is asked as an A-label (RFC 8616)", ask: "Bücher.example.com", qtype: dns.TypeTXT, want: `NOERROR exists "u-label"`},
		{name: "odd octets in a name are asked as they are", ask: "odd \"n\\ame\xc3(.example.com", qtype: dns.TypeTXT, want: `NOERROR exists "odd octets"`},
		{name: "an empty label is no name", ask: "a..example.com", qtype: dns.TypeTXT, want: "not a DNS name: empty label"},
		{name: "another type is not asked", ask: "example.com", qtype: dns.TypeSOA, want: "temporary DNS failure: record type is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := show(r.Lookup(t.Context(), tt.ask, tt.qtype))
			if got != tt.want && !(strings.HasSuffix(tt.want, ":") && strings.HasPrefix(got, tt.want)) {
				t.Errorf("%s %q\n got %s\nwant %s", dns.TypeToString[tt.qtype], tt.ask, got, tt.want)
			}
		})
	}
}

func TestCacheKeepsAnswersForTheirTTL(t *testing.T) {
	tests := []struct {
		name, ask string
		qtype     uint16
		within    time.Duration // still cached then
		beyond    time.Duration // asked again then
	}{
		{name: "an answer lives for its TTL", ask: "example.com", qtype: dns.TypeTXT, within: 59 * time.Second, beyond: 61 * time.Second},
		{name: "behind a CNAME the least TTL counts", ask: "alias.example.com", qtype: dns.TypeA, within: 29 * time.Second, beyond: 31 * time.Second},
		{name: "NXDOMAIN lives for the SOA's MINIMUM", ask: "nothing.example.com", qtype: dns.TypeTXT, within: 119 * time.Second,
			beyond: 121 * time.Second},
		{name: "MaxTTL cuts", ask: "long.example.org", qtype: dns.TypeTXT, within: 59 * time.Minute, beyond: 61 * time.Minute},
		{name: "NegativeTTL cuts", ask: "no.example.org", qtype: dns.TypeTXT, within: 9 * time.Minute, beyond: 11 * time.Minute},
		{name: "a failure lives for a second", ask: "broken.example.com", qtype: dns.TypeTXT, within: 900 * time.Millisecond,
			beyond: 1100 * time.Millisecond},
		{name: "TTL zero is not kept", ask: "zero.example.com", qtype: dns.TypeTXT, within: -1},
	}
	src := zoneText + `
example.org      86400 SOA ns.example.com admin.example.com 1 2 3 4 86400
long.example.org 86400 TXT "long"
`
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, strings.Replace(src, "example.com       60  SOA", "example.com      300  SOA", 1))
			c := &clock{now: time.Unix(1e9, 0)}
			r := newResolver(t, resolver.Options{
				Servers: []string{server.Addr()}, Clock: c.Now, MaxTTL: time.Hour, NegativeTTL: 10 * time.Minute,
			})
			ask := func(want int) {
				t.Helper()
				_, _ = r.Lookup(t.Context(), tt.ask, tt.qtype)
				if got := server.Queries(); got != want {
					t.Errorf("after %v: %d queries, want %d", c.Now().Sub(time.Unix(1e9, 0)), got, want)
				}
			}
			ask(1)
			if tt.within >= 0 {
				c.Advance(tt.within)
				ask(1)
				c.Advance(-tt.within)
			}
			c.Advance(tt.beyond)
			ask(2)
		})
	}
}

func TestAnAnswerOfAServerTellsItsAliasesAndTTL(t *testing.T) {
	srv := serve(t, zoneText)
	r := newResolver(t, resolver.Options{Servers: []string{srv.Addr()}})
	a, err := r.Lookup(context.Background(), "alias.example.com", dns.TypeA)
	if err != nil || !slices.Equal(a.CNAMEs, []string{"mx.example.com"}) || a.TTL != 30*time.Second {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestNXDOMAINHoldsForAllTypes(t *testing.T) {
	server := serve(t, zoneText)
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}})
	for _, qtype := range []uint16{dns.TypeTXT, dns.TypeA, dns.TypeMX, dns.TypeA} {
		a, err := r.Lookup(t.Context(), "nothing.example.com", qtype)
		if err != nil || !a.NXDomain() || a.NameExists || a.Type != qtype {
			t.Errorf("%s: %+v, %v", dns.TypeToString[qtype], a, err)
		}
	}
	if n := server.Queries(); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	server := serve(t, "*.example.com 3600 TXT \""+strings.Repeat("x", 200)+"\"\n")
	tests := []struct {
		name string
		opts resolver.Options
		most int
	}{
		{name: "by entries", opts: resolver.Options{CacheSize: 50}, most: 50},
		{name: "by octets", opts: resolver.Options{CacheBytes: 64 << 10}, most: 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Servers = []string{server.Addr()}
			r := newResolver(t, tt.opts)
			for i := range 500 {
				if _, err := r.Lookup(t.Context(), fmt.Sprintf("n%d.example.com", i), dns.TypeTXT); err != nil {
					t.Fatal(err)
				}
			}
			n := r.Stats().Entries
			for range 200 { // eviction runs beside
				if n <= tt.most+10 {
					return
				}
				time.Sleep(50 * time.Millisecond)
				n = r.Stats().Entries
			}
			t.Errorf("%d entries, want about %d", n, tt.most)
		})
	}
}

func TestQuestionsUnderWayAreShared(t *testing.T) {
	again(t, func(scale time.Duration) error {
		server := serve(t, zoneText)
		server.SetDelay(scale * 100 * time.Millisecond)
		r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}})

		impatient, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := r.Lookup(impatient, "example.com", dns.TypeTXT)
			first <- err
		}()
		time.Sleep(scale * 10 * time.Millisecond)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if a, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT); err != nil || a.Void() {
					t.Errorf("a patient caller got %v, %v", a, err)
				}
			})
		}
		time.Sleep(scale * 20 * time.Millisecond)
		cancel()
		err := <-first
		wg.Wait()
		if !resolver.Temporary(err) {
			return fmt.Errorf("the caller who gave up got %v, want a temporary error", err)
		}
		if n := server.Queries(); n != 1 {
			return fmt.Errorf("%d queries, want 1", n)
		}
		return nil
	})
}

func TestCloseEndsQuestionsUnderWay(t *testing.T) {
	server := serve(t, zoneText)
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, Timeout: 10 * time.Second, Attempts: 3})
	result := make(chan error)
	go func() {
		_, err := r.Lookup(t.Context(), "slow.example.com", dns.TypeTXT)
		result <- err
	}()
	time.Sleep(20 * time.Millisecond)
	start := time.Now()
	r.Close()
	if err := <-result; !resolver.Temporary(err) {
		t.Errorf("got %v, want a temporary error", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
	if _, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT); !resolver.Temporary(err) {
		t.Errorf("after Close: got %v, want a temporary error", err)
	}
}

func TestQuestionsInFlightAreBounded(t *testing.T) {
	server := serve(t, "*.example.com 60 TXT x\n")
	server.SetDelay(20 * time.Millisecond)
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, MaxInFlight: 1})
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if _, err := r.Lookup(t.Context(), fmt.Sprintf("n%d.example.com", i), dns.TypeTXT); err != nil {
				t.Errorf("a question that waited its turn failed: %v", err)
			}
		})
	}
	wg.Wait()
	if d := time.Since(start); d < 4*20*time.Millisecond {
		t.Errorf("four questions, one at a time, took %v", d)
	}
}

// Our own overload is a temporary failure, and no longer remembered than one.
func TestAQuestionThatFoundNoSlotInTimeIsAskedAgainSoon(t *testing.T) {
	server := serve(t, "*.slow.example TIMEOUT\n*.example.com 60 TXT x\n")
	c := &clock{now: time.Unix(1e9, 0)}
	r := newResolver(t, resolver.Options{
		Servers: []string{server.Addr()}, Clock: c.Now, MaxInFlight: 1, Timeout: 10 * time.Second, Deadline: 200 * time.Millisecond,
	})
	// An answer takes half the time of a question. One that waits for the slot of
	// another question from early on has less left.
	server.SetDelay(100 * time.Millisecond)
	ask := func(name string) error {
		_, err := r.Lookup(t.Context(), name, dns.TypeTXT)
		if err != nil && !resolver.Temporary(err) {
			t.Errorf("got %v, want a temporary failure", err)
		}
		return err
	}
	overloaded := func(n int) (name string, failed bool) {
		var wg sync.WaitGroup
		defer wg.Wait()
		asked := server.Queries()
		wg.Go(func() { _ = ask(fmt.Sprintf("n%d.slow.example", n)) })
		for server.Queries() == asked {
			time.Sleep(time.Millisecond)
		}
		name = fmt.Sprintf("n%d.example.com", n)
		return name, ask(name) != nil
	}
	name, failed := "", false
	for n := 0; !failed; n++ { // once, unless the machine is slow
		if name, failed = overloaded(n); n == 50 {
			t.Fatal("no question was kept waiting for too long")
		}
	}
	sent := r.Stats().Sent
	if err := ask(name); err == nil || r.Stats().Sent != sent {
		t.Errorf("asked again within FailureTTL: %v", err)
	}
	c.Advance(1100 * time.Millisecond)
	server.SetDelay(0)
	if err := ask(name); err != nil {
		t.Errorf("after FailureTTL: %v", err)
	}
}

func TestAQuestionThatNobodyWaitsForEnds(t *testing.T) {
	server := serve(t, "*.slow.example TIMEOUT\nexample.com 60 TXT x\n")
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, MaxInFlight: 2, Timeout: 10 * time.Second})
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := r.Lookup(ctx, fmt.Sprintf("n%d.slow.example", i), dns.TypeTXT); !resolver.Temporary(err) {
			t.Errorf("got %v, want a temporary error", err)
		}
		cancel()
	}
	start := time.Now()
	if _, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("after questions that were given up: %v in %v", err, time.Since(start))
	}
}

func TestPoliciesHaveSlotsOfTheirOwn(t *testing.T) {
	server := serve(t, "*.slow.example TIMEOUT\n_dmarc.example.com 60 TXT x\n")
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, MaxInFlight: 1, Timeout: 10 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range 5 {
		wg.Go(func() { _, _ = r.Lookup(ctx, fmt.Sprintf("n%d.slow.example", i), dns.TypeTXT) })
	}
	for server.Queries() == 0 {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	if _, err := r.Lookup(t.Context(), "_dmarc.example.com", dns.TypeTXT); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("while other names are slow: %v in %v", err, time.Since(start))
	}
}

// tripwire is a clock that panics when a method of Resolver asks for the time,
// and a log handler that panics at debug messages when no method is named.
type tripwire struct {
	slog.Handler
	method string
	armed  atomic.Bool
}

func (w *tripwire) now() time.Time {
	if w.armed.Load() && w.method != "" && strings.Contains(string(debug.Stack()), "resolver.(*Resolver)."+w.method+"(") {
		panic("boom")
	}
	return time.Now()
}

func (w *tripwire) Handle(ctx context.Context, rec slog.Record) error {
	if w.armed.Load() && w.method == "" && rec.Level == slog.LevelDebug {
		panic("boom")
	}
	return w.Handler.Handle(ctx, rec)
}

func TestAPanicAroundAnAnswerLeavesNobodyWaiting(t *testing.T) {
	server := serve(t, zoneText)
	server.SetDelay(20 * time.Millisecond)
	for _, tt := range []struct {
		name, ask, method, want, log string
	}{
		{name: "reading the answer", ask: "example.com", method: "ask", want: "temporary DNS failure: internal error", log: "while reading"},
		{name: "keeping the answer", ask: "example.com", method: "keep", want: `NOERROR exists "v=spf1 -all"`, log: "while keeping"},
		{name: "logging a failure", ask: "broken.example.com", want: "temporary DNS failure: SERVFAIL from " + server.Addr(),
			log: "while keeping"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			wire := &tripwire{method: tt.method, Handler: slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})}
			r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, Clock: wire.now, Logger: slog.New(wire)})
			wire.armed.Store(true)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if got := show(r.Lookup(t.Context(), tt.ask, dns.TypeTXT)); got != tt.want {
						t.Errorf("got %s, want %s", got, tt.want)
					}
				})
			}
			wg.Wait()
			wire.armed.Store(false)
			if got := show(r.Lookup(t.Context(), "mx.example.com", dns.TypeA)); got != "NOERROR exists 192.0.2.1" {
				t.Errorf("the next question: %s", got)
			}
			if got := show(r.Lookup(t.Context(), "example.com", dns.TypeTXT)); got != `NOERROR exists "v=spf1 -all"` {
				t.Errorf("the same question again: %s", got) // the panic is not kept as an answer
			}
			r.Close()
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log: got %s, want %q", log.String(), tt.log)
			}
		})
	}
}

// SPF's macros can put the local part of MAIL FROM into a name (RFC 7208 section 7.2).
func TestALineOfAFailureHasNoName(t *testing.T) {
	server := serve(t, zoneText)
	var log bytes.Buffer
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_, _ = r.Lookup(t.Context(), "broken.example.com", dns.TypeTXT)
	r.Close()
	if want := `err="TXT: temporary DNS failure: SERVFAIL from ` + server.Addr() + `"`; !strings.Contains(log.String(), want) || strings.Contains(log.String(), "broken") {
		t.Errorf("got %s, want %s and no name", log.String(), want)
	}
}

// TestManyAskers is for the race detector: a small cache, many names, callers
// who give up, and a zone that changes.
func TestManyAskers(t *testing.T) {
	server := serve(t, zoneText)
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, CacheSize: 10})
	names := []string{"example.com", "mx.example.com", "alias.example.com", "broken.example.com", "nothing.example.com", "zero.example.com"}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+j%5)*time.Millisecond)
				name := names[(i+j)%len(names)]
				if j%2 == 0 {
					name = fmt.Sprintf("n%d.%s", j%20, name)
				}
				a, err := r.Lookup(ctx, name, dns.TypeTXT)
				if err != nil && !resolver.Temporary(err) || err == nil && a.Name != name {
					t.Errorf("%s: %+v, %v", name, a, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}
