package resolver_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// observed gathers what Options.Observe is told.
type observed struct {
	mu   sync.Mutex
	list []resolver.Asked
}

func (o *observed) observe(q resolver.Asked) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, q)
}

func (o *observed) outcomes() []resolver.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []resolver.Outcome
	for _, q := range o.list {
		list = append(list, q.Outcome)
	}
	return list
}

// await waits for n outcomes: who asked may hear of the end a moment before.
func (o *observed) await(t *testing.T, n int) []resolver.Outcome {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(o.outcomes()) < n && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	return o.outcomes()
}

func TestEachQuestionIsObservedWithItsOutcome(t *testing.T) {
	text := func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) }
	for _, row := range []struct {
		name   string
		answer func(*dns.Msg) [][]byte
		stream func(*dns.Msg) [][]byte
		want   resolver.Outcome
	}{
		{name: "an answer", answer: text, want: "NOERROR"},
		{name: "no such name", answer: rcoded(dns.RcodeNameError), want: "NXDOMAIN"},
		{name: "SERVFAIL", answer: rcoded(dns.RcodeServerFailure), want: "SERVFAIL"},
		{name: "REFUSED", answer: rcoded(dns.RcodeRefused), want: "REFUSED"},
		{name: "an RCODE that few know", answer: rcoded(dns.RcodeNotZone), want: "other RCODE"},
		{name: "an RCODE that nobody knows", answer: rcoded(14), want: "other RCODE"},
		{name: "silence", answer: func(*dns.Msg) [][]byte { return nil }, want: "timeout"},
		{name: "more records promised than there are", answer: func(req *dns.Msg) [][]byte {
			return changed(textAnswer(req), func(b []byte) []byte { b[7]++; return b })
		}, want: "malformed"},
		{name: "truncated, and TCP is closed", answer: func(req *dns.Msg) [][]byte { return truncatedAnswer(req) }, want: "unreachable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHostile(t, row.answer, row.stream)
			var o observed
			r := newResolver(t, resolver.Options{Servers: []string{h.addr}, Timeout: 300 * time.Millisecond, Attempts: 1, Observe: o.observe})
			_, _ = r.Lookup(t.Context(), "a.example", dns.TypeTXT)
			_, _ = r.Lookup(t.Context(), "a.example", dns.TypeTXT) // from the cache: no question
			if got := o.await(t, 1); !slices.Equal(got, []resolver.Outcome{row.want}) {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if !slices.Contains(resolver.Outcomes(), row.want) {
				t.Errorf("%q is none of Outcomes", row.want)
			}
			if o.list[0].Took <= 0 || o.list[0].Took > 10*time.Second {
				t.Errorf("it took %v", o.list[0].Took)
			}
		})
	}
}

// What nobody waits for any more says nothing of the servers.
func TestAQuestionThatIsGivenUpIsObservedAsAbandoned(t *testing.T) {
	server := serve(t, "*.slow.example TIMEOUT\n")
	var o observed
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, MaxInFlight: 1, Timeout: 10 * time.Second, Observe: o.observe})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range []string{"a.slow.example", "b.slow.example"} { // one of them waits for the slot of the other
		wg.Go(func() { _, _ = r.Lookup(ctx, name, dns.TypeTXT) })
	}
	wg.Wait()
	want := []resolver.Outcome{resolver.OutcomeAbandoned, resolver.OutcomeAbandoned}
	if got := o.await(t, 2); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProbeAsksWhateverTheCacheHas(t *testing.T) {
	server := serve(t, "a.example 3600 TXT x\nbroken.example SERVFAIL\nslow.example TIMEOUT\n")
	r := newResolver(t, resolver.Options{Servers: []string{server.Addr()}, Timeout: 200 * time.Millisecond, Attempts: 1})
	for n := range 3 {
		if err := r.Probe(t.Context(), "a.example", dns.TypeTXT); err != nil {
			t.Fatal(err)
		}
		if got := server.Queries(); got != n+1 {
			t.Errorf("%d questions after %d probes", got, n+1)
		}
	}
	if err := r.Probe(t.Context(), "none.example", dns.TypeTXT); err != nil {
		t.Errorf("NXDOMAIN is an answer: %v", err)
	}
	for _, name := range []string{"broken.example", "slow.example", "no..name"} {
		if err := r.Probe(t.Context(), name, dns.TypeTXT); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s := r.Stats(); s.Entries != 0 || s.Hits != 0 || s.Misses != 0 {
		t.Errorf("a probe left %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Probe(ctx, "a.example", dns.TypeTXT); err == nil {
		t.Error("answered though nobody waits")
	}
	r.Close()
	if err := r.Probe(t.Context(), "a.example", dns.TypeTXT); err == nil {
		t.Error("answered after Close")
	}
}
