package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// ports is a DNS server that notes which port each question came from.
type ports struct {
	addr string
	mu   sync.Mutex
	list []string
}

// newPorts answers with what reply makes of a question; nil is silence.
func newPorts(t *testing.T, reply func(req *dns.Msg) [][]byte) *ports {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &ports{addr: conn.LocalAddr().String()}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			req := new(dns.Msg)
			if err := req.Unpack(buf[:n]); err != nil {
				t.Errorf("query does not unpack: %v", err)
				return
			}
			p.mu.Lock()
			p.list = append(p.list, peer.String())
			p.mu.Unlock()
			go func() {
				for _, b := range reply(req) {
					_, _ = conn.WriteTo(b, peer)
				}
			}()
		}
	}()
	return p
}

func (p *ports) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.list...)
}

func textAnswer(req *dns.Msg) *dns.Msg {
	return answer(req, req.Question[0].Name+` 60 IN TXT "x"`)
}

// ask looks up n names one after the other.
func (p *ports) ask(t *testing.T, r *resolver.Resolver, n int) {
	t.Helper()
	for i := range n {
		if _, err := r.Lookup(t.Context(), fmt.Sprintf("%s-%d.example", t.Name(), i), dns.TypeTXT); err != nil {
			t.Fatal(err)
		}
	}
}

// again runs a check up to five times, until it finds no fault, each time with scale
// twice as large. It is for what a machine that is busy, or a port that the kernel
// draws twice in a row, disturbs now and then; a fault of ours comes each time.
func again(t *testing.T, check func(scale time.Duration) error) {
	t.Helper()
	var err error
	for scale := time.Duration(1); scale <= 16; scale *= 2 {
		if err = check(scale); err == nil {
			return
		}
		t.Logf("scale %d: %v", scale, err)
	}
	t.Error(err)
}

func TestQuestionsShareASocketForAWhile(t *testing.T) {
	again(t, func(time.Duration) error {
		p := newPorts(t, func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) })
		r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
		start := time.Now()
		p.ask(t, r, 100)
		uses := map[string]int{}
		for _, port := range p.seen() {
			uses[port]++
		}
		if len(uses) < 4 {
			return fmt.Errorf("100 questions came from %d ports, want at most 32 from each", len(uses))
		}
		for port, n := range uses {
			if n > 32 {
				return fmt.Errorf("%d questions came from %s", n, port)
			}
		}
		if most := 8 + int(time.Since(start).Seconds()); len(uses) > most { // sockets grow old
			return fmt.Errorf("100 questions came from %d ports: sockets are not used again", len(uses))
		}
		return nil
	})
}

func TestQuestionsAtOnceHaveASocketEach(t *testing.T) {
	const n = 40
	var arrived sync.WaitGroup
	arrived.Add(n)
	p := newPorts(t, func(req *dns.Msg) [][]byte {
		arrived.Done()
		arrived.Wait() // all are under way
		return pack(textAnswer(req))
	})
	r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := r.Lookup(t.Context(), fmt.Sprintf("n%d.example", i), dns.TypeTXT); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	distinct := map[string]bool{}
	for _, port := range p.seen() {
		distinct[port] = true
	}
	if len(distinct) != n {
		t.Errorf("%d questions at once came from %d ports", n, len(distinct))
	}
}

// TestASocketThatWasGuessedAtIsNotUsedAgain: a datagram that answers another
// question may be an attempt to forge.
func TestASocketThatWasGuessedAtIsNotUsedAgain(t *testing.T) {
	again(t, func(time.Duration) error {
		p := newPorts(t, func(req *dns.Msg) [][]byte {
			forged := textAnswer(req)
			forged.Id++
			return pack(forged, textAnswer(req))
		})
		r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
		p.ask(t, r, 5)
		if got := r.Stats().Strays; got != 5 {
			t.Errorf("Strays = %d, want 5", got)
		}
		distinct := map[string]bool{}
		for _, port := range p.seen() {
			distinct[port] = true
		}
		if len(distinct) != 5 {
			return fmt.Errorf("5 questions came from %d ports, want one each", len(distinct))
		}
		return nil
	})
}

// TestASocketThatWasGivenUpIsNotUsedAgain: the answer may still come.
func TestASocketThatWasGivenUpIsNotUsedAgain(t *testing.T) {
	again(t, func(time.Duration) error {
		ctx, giveUp := context.WithCancel(t.Context())
		p := newPorts(t, func(req *dns.Msg) [][]byte {
			if ctx.Err() == nil { // the first question has come
				giveUp()
				return nil
			}
			return pack(textAnswer(req))
		})
		r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
		if _, err := r.Lookup(ctx, "late.example", dns.TypeTXT); !errors.Is(err, resolver.ErrTemporary) {
			t.Fatalf("error is %v, want a temporary one", err)
		}
		p.ask(t, r, 1)
		if seen := p.seen(); len(seen) != 2 || seen[0] == seen[1] {
			return fmt.Errorf("questions came from %v, want two ports", seen)
		}
		return nil
	})
}

func TestCloseLeavesNoSocketOpen(t *testing.T) {
	again(t, func(time.Duration) error {
		p := newPorts(t, func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) })
		r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
		p.ask(t, r, 1)
		port := p.seen()[0]
		if conn, err := net.ListenPacket("udp", port); err == nil {
			conn.Close()
			return fmt.Errorf("%s is free although its socket waits for questions", port)
		}
		r.Close()
		conn, err := net.ListenPacket("udp", port) // somebody else may have drawn it
		if err != nil {
			return fmt.Errorf("port of a socket after Close: %w", err)
		}
		return conn.Close()
	})
}
