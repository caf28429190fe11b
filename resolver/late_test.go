package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// delayed answers the first question after first, later ones after later; zero is
// never.
func delayed(first, later time.Duration, answer func(*dns.Msg) [][]byte) func(*dns.Msg) [][]byte {
	var n atomic.Int32
	return func(req *dns.Msg) [][]byte {
		after := later
		if n.Add(1) == 1 {
			after = first
		}
		if after == 0 {
			return nil
		}
		time.Sleep(after)
		return answer(req)
	}
}

func rcoded(rcode int) func(*dns.Msg) [][]byte {
	return func(req *dns.Msg) [][]byte {
		m := answer(req)
		m.Rcode = rcode
		return pack(m)
	}
}

// A recursive server may need longer for a name that it never heard of than a try
// lasts. It answers each try on its own.
func TestAnAnswerThatComesLateIsAnAnswer(t *testing.T) {
	const try = 200 * time.Millisecond // times the scale; so are all times
	text := func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) }
	for _, row := range []struct {
		name         string
		first, later time.Duration
		answer       func(*dns.Msg) [][]byte
		want         string
		within       time.Duration
	}{
		{name: "while the second try is under way", first: 300 * time.Millisecond, answer: text, want: `NOERROR exists "x"`, within: 2 * try},
		{name: "each answer as late as the first", first: 500 * time.Millisecond, later: 500 * time.Millisecond, answer: text, want: `NOERROR exists "x"`, within: 3 * try},
		{name: "after the last try", first: 900 * time.Millisecond, answer: text, want: `NOERROR exists "x"`, within: 6 * try},
		{name: "to a later try only", later: 500 * time.Millisecond, answer: text, want: `NOERROR exists "x"`, within: 5 * try},
		{name: "a name that does not exist", first: 300 * time.Millisecond, answer: rcoded(dns.RcodeNameError), want: "NXDOMAIN", within: 2 * try},
		{name: "a failure ends the asking", first: 300 * time.Millisecond, answer: rcoded(dns.RcodeServerFailure), want: "temporary DNS failure: SERVFAIL", within: 3 * try},
		{name: "a server that knows no EDNS", first: 300 * time.Millisecond, later: time.Millisecond, want: `NOERROR exists "x"`, within: 4 * try,
			answer: func(req *dns.Msg) [][]byte {
				if req.IsEdns0() != nil {
					return rcoded(dns.RcodeFormatError)(req)
				}
				return text(req)
			}},
		{name: "somebody's guess at the ID before it", first: 300 * time.Millisecond, want: `NOERROR exists "x"`, within: 2 * try,
			answer: func(req *dns.Msg) [][]byte {
				forged := answer(req, req.Question[0].Name+` 60 IN TXT "forged"`)
				forged.Id++
				other := answer(req, `other.example. 60 IN TXT "forged"`)
				other.Question[0].Name = "other.example."
				return pack(forged, other, textAnswer(req))
			}},
		{name: "nothing but guesses", first: 300 * time.Millisecond, want: "temporary DNS failure: timeout", within: 8 * try,
			answer: func(req *dns.Msg) [][]byte {
				forged := answer(req, req.Question[0].Name+` 60 IN TXT "forged"`)
				forged.Id++
				return pack(forged)
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			again(t, func(scale time.Duration) error {
				p := newPorts(t, delayed(scale*row.first, scale*row.later, row.answer))
				r := newResolver(t, resolver.Options{Servers: []string{p.addr}, Timeout: scale * try, Attempts: 3})
				start := time.Now()
				got := show(r.Lookup(t.Context(), "late.example", dns.TypeTXT))
				if took := time.Since(start); !strings.HasPrefix(got, row.want) || took > scale*(row.within+try) {
					return fmt.Errorf("after %v: %s\nwant %s within %v", took, got, row.want, scale*row.within)
				}
				if asked := r.Stats().Sent; !strings.HasPrefix(row.want, "temporary") {
					if again := show(r.Lookup(t.Context(), "late.example", dns.TypeTXT)); again != got || r.Stats().Sent != asked {
						t.Errorf("asked again: %s, %d questions after %d; want the answer kept", again, r.Stats().Sent, asked)
					}
				}
				return nil
			})
		})
	}
}

func TestALateTruncatedAnswerIsAskedForOverTCP(t *testing.T) {
	again(t, func(scale time.Duration) error {
		h := newHostile(t, delayed(scale*300*time.Millisecond, 0, truncatedAnswer), func(req *dns.Msg) [][]byte {
			return [][]byte{framed(pack(textAnswer(req))[0])}
		})
		r := newResolver(t, resolver.Options{Servers: []string{h.addr}, Timeout: scale * 200 * time.Millisecond, Attempts: 3})
		if got := show(r.Lookup(t.Context(), "late.example", dns.TypeTXT)); got != `NOERROR exists "x"` {
			return errors.New(got)
		}
		return nil
	})
}

// A slow first server still gives the answer where the second one knows none.
func TestALateAnswerOfAnotherServerCounts(t *testing.T) {
	dead := newPorts(t, func(*dns.Msg) [][]byte { return nil })
	broken := newPorts(t, rcoded(dns.RcodeServerFailure))
	for _, second := range []*ports{dead, broken} {
		again(t, func(scale time.Duration) error {
			slow := newPorts(t, delayed(scale*500*time.Millisecond, 0, func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) }))
			r := newResolver(t, resolver.Options{Servers: []string{slow.addr, second.addr}, Timeout: scale * 200 * time.Millisecond, Attempts: 2})
			if got := show(r.Lookup(t.Context(), "late.example", dns.TypeTXT)); got != `NOERROR exists "x"` {
				return errors.New(got)
			}
			return nil
		})
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("left out: counting open files (needs /proc):", err)
	}
	return len(list)
}

// What is read on takes slots of questions, at most half of them, and ends with those
// who wait.
func TestSocketsReadOnAreBounded(t *testing.T) {
	const slots = 8
	dead := newPorts(t, func(*dns.Msg) [][]byte { return nil })
	before := openFiles(t)
	r := newResolver(t, resolver.Options{Servers: []string{dead.addr}, Timeout: 20 * time.Millisecond, Attempts: 10, Deadline: time.Minute, MaxInFlight: slots})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var most atomic.Int32
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { _, _ = r.Lookup(ctx, fmt.Sprintf("n%d.example", i), dns.TypeTXT) })
	}
	for ctx.Err() == nil {
		most.Store(max(most.Load(), int32(openFiles(t)-before)))
		time.Sleep(5 * time.Millisecond)
	}
	wg.Wait()
	if n := most.Load(); n > slots+4 { // and some of the runtime's own
		t.Errorf("%d files open at once, want at most %d", n, slots)
	}
	r.Close()
	if after := openFiles(t); after > before+2 {
		t.Errorf("%d files open after it, %d before", after, before)
	}
}
