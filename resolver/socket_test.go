package resolver_test

import (
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

// RFC 5452 section 9.2: who forges answers must find no port to aim at. The kernel
// draws one of its range (ip_local_port_range, 28,232 by default) for each question, so
// that of 2,000 some 70 have had their port before.
func TestEachQuestionHasAPortOfItsOwn(t *testing.T) {
	again(t, func(time.Duration) error {
		const n = 2000
		p := newPorts(t, func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) })
		r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
		p.ask(t, r, n)
		seen, distinct := p.seen(), map[string]bool{}
		same := 0
		for i, port := range seen {
			distinct[port] = true
			if i > 0 && port == seen[i-1] {
				same++
			}
		}
		if len(distinct) < n*9/10 || same > 2 {
			return fmt.Errorf("%d questions came from %d ports, %d from that of the one before", n, len(distinct), same)
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

func TestAGuessIsPassedOver(t *testing.T) {
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
}

func TestAnAnsweredQuestionLeavesNoSocketOpen(t *testing.T) {
	again(t, func(time.Duration) error {
		p := newPorts(t, func(req *dns.Msg) [][]byte { return pack(textAnswer(req)) })
		r := newResolver(t, resolver.Options{Servers: []string{p.addr}})
		p.ask(t, r, 1)
		conn, err := net.ListenPacket("udp", p.seen()[0]) // somebody else may have drawn it
		if err != nil {
			return fmt.Errorf("port of a question that was answered: %w", err)
		}
		return conn.Close()
	})
}
