package resolver_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// hostile answers each datagram with the datagrams that reply returns, and
// each TCP message with those of stream.
type hostile struct {
	addr    string
	queries atomic.Int32
}

func newHostile(t testing.TB, reply, stream func(req *dns.Msg) [][]byte) *hostile {
	t.Helper()
	packet, listener := listenBoth(t)
	h := &hostile{addr: packet.LocalAddr().String()}
	if stream == nil {
		listener.Close()
	}
	t.Cleanup(func() { packet.Close(); listener.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, peer, err := packet.ReadFrom(buf)
			if err != nil {
				return
			}
			h.queries.Add(1)
			req := new(dns.Msg)
			if err := req.Unpack(buf[:n]); err != nil {
				t.Errorf("query does not unpack: %v", err)
				return
			}
			for _, b := range reply(req) {
				_, _ = packet.WriteTo(b, peer)
			}
		}
	}()
	if stream == nil {
		return h
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c := &dns.Conn{Conn: conn}
			if req, err := c.ReadMsg(); err == nil {
				for _, b := range stream(req) {
					_, _ = conn.Write(b)
				}
			}
			conn.Close()
		}
	}()
	return h
}

// listenBoth opens UDP and TCP on one port; the port that UDP got may be taken
// for TCP, so it tries a few.
func listenBoth(t testing.TB) (packet net.PacketConn, listener net.Listener) {
	t.Helper()
	for range 20 {
		packet, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", packet.LocalAddr().String())
		if err == nil {
			return packet, listener
		}
		packet.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// answer makes a response to req with the records in master format.
func answer(req *dns.Msg, records ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(req)
	for _, s := range records {
		rr, err := dns.NewRR(s)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

func pack(msgs ...*dns.Msg) (list [][]byte) {
	for _, m := range msgs {
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		list = append(list, b)
	}
	return list
}

// framed puts the length before a message, as over TCP.
func framed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// changed returns m packed after change.
func changed(m *dns.Msg, change func(b []byte) []byte) [][]byte {
	return [][]byte{change(pack(m)[0])}
}

const good = `a.example. 60 IN TXT "good"`

func TestHostileServer(t *testing.T) {
	tests := []struct {
		name  string
		ask   string // default a.example
		qtype uint16 // default TXT
		reply func(req *dns.Msg) [][]byte
		tcp   func(req *dns.Msg) [][]byte
		want  string // a prefix
	}{
		{name: "a datagram with another ID is ignored, the real one awaited (RFC 5452 section 9.1)",
			reply: func(req *dns.Msg) [][]byte {
				forged := answer(req, `a.example. 60 IN TXT "forged"`)
				forged.Id++
				return pack(forged, answer(req, good))
			}, want: `NOERROR exists "good"`},
		{name: "a datagram with another question is ignored",
			reply: func(req *dns.Msg) [][]byte {
				forged := answer(req, `a.example. 60 IN TXT "forged"`)
				forged.Question[0].Name = "b.example."
				other := answer(req, `a.example. 60 IN TXT "forged"`)
				other.Question[0].Qtype = dns.TypeA
				return pack(forged, other, answer(req, good))
			}, want: `NOERROR exists "good"`},
		{name: "a query, another opcode, a stump, and no question are ignored",
			reply: func(req *dns.Msg) [][]byte {
				query := answer(req, `a.example. 60 IN TXT "forged"`)
				query.Response = false
				update := answer(req, `a.example. 60 IN TXT "forged"`)
				update.Opcode = dns.OpcodeUpdate
				none := answer(req, `a.example. 60 IN TXT "forged"`)
				none.Question = nil
				list := pack(query, update, none, answer(req, good))
				return append([][]byte{{}, {1}, list[3][:12], list[3][:20]}, list...)
			}, want: `NOERROR exists "good"`},
		{name: "the question's case may differ",
			reply: func(req *dns.Msg) [][]byte {
				m := answer(req, `A.EXAMPLE. 60 IN TXT "good"`)
				m.Question[0].Name = "A.Example."
				return pack(m)
			}, want: `NOERROR exists "good"`},
		{name: "only forged answers end in a timeout",
			reply: func(req *dns.Msg) [][]byte {
				forged := answer(req, `a.example. 60 IN TXT "forged"`)
				forged.Id++
				return pack(forged)
			}, want: "temporary DNS failure: timeout"},
		{name: "records of other owners and classes are not looked at",
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, `b.example. 60 IN TXT "other"`, `a.example. 60 CH TXT "class"`, good, `example. 60 IN TXT "parent"`))
			}, want: `NOERROR exists "good"`},
		{name: "only records of other owners are NODATA",
			reply: func(req *dns.Msg) [][]byte { return pack(answer(req, `b.example. 60 IN TXT "other"`)) },
			want:  "NOERROR exists"},
		{name: "records of another type are not looked at", qtype: dns.TypeA,
			reply: func(req *dns.Msg) [][]byte { return pack(answer(req, good)) }, want: "NOERROR exists"},
		{name: "a CNAME elsewhere leads nowhere",
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, "b.example. 60 IN CNAME c.example.", `c.example. 60 IN TXT "c"`))
			}, want: "NOERROR exists"},
		{name: "a chain is followed whatever its order",
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, `c.example. 60 IN TXT "c"`, "b.example. 60 IN CNAME C.example.", "a.example. 60 IN CNAME b.example."))
			}, want: `NOERROR exists "c"`},
		{name: "a chain that leaves the message is asked for",
			reply: func(req *dns.Msg) [][]byte {
				if req.Question[0].Name == "b.example." {
					return pack(answer(req, `b.example. 60 IN TXT "b"`))
				}
				return pack(answer(req, "a.example. 60 IN CNAME b.example."))
			}, want: `NOERROR exists "b"`},
		{name: "a chain that leaves the message and ends in NXDOMAIN exists",
			reply: func(req *dns.Msg) [][]byte {
				if req.Question[0].Name == "b.example." {
					m := answer(req)
					m.Rcode = dns.RcodeNameError
					return pack(m)
				}
				return pack(answer(req, "a.example. 60 IN CNAME b.example."))
			}, want: "NXDOMAIN exists"},
		{name: "a CNAME loop in one message",
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, "a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example."))
			}, want: "temporary DNS failure: malformed answer: CNAME loop"},
		{name: "an endless chain over many messages",
			reply: func(req *dns.Msg) [][]byte {
				name := req.Question[0].Name
				return pack(answer(req, name+" 60 IN CNAME x"+name))
			}, want: "temporary DNS failure: malformed answer: CNAME loop"},
		{name: "two CNAMEs at one name",
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, "a.example. 60 IN CNAME b.example.", "a.example. 60 IN CNAME c.example."))
			}, want: "temporary DNS failure: malformed answer: CNAME at a.example."},
		{name: "NXDOMAIN with records of the name",
			reply: func(req *dns.Msg) [][]byte {
				m := answer(req, good)
				m.Rcode = dns.RcodeNameError
				return pack(m)
			}, want: "temporary DNS failure: malformed answer: NXDOMAIN"},
		{name: "a header that announces more records than come",
			reply: func(req *dns.Msg) [][]byte {
				return changed(answer(req, good), func(b []byte) []byte { b[7] = 2; return b })
			}, want: "temporary DNS failure: malformed answer: fewer records"},
		{name: "a header that announces a record and a body that is missing",
			reply: func(req *dns.Msg) [][]byte {
				return changed(answer(req), func(b []byte) []byte { b[7] = 1; return b })
			}, want: "temporary DNS failure: malformed answer: fewer records"},
		{name: "a record cut short",
			reply: func(req *dns.Msg) [][]byte {
				return changed(answer(req, good), func(b []byte) []byte { return b[:len(b)-2] })
			}, want: "temporary DNS failure: malformed answer:"},
		{name: "a TXT string longer than its record, after a good record",
			reply: func(req *dns.Msg) [][]byte {
				return changed(answer(req, good, good), func(b []byte) []byte { b[len(b)-5] = 200; return b })
			}, want: "temporary DNS failure: malformed answer:"},
		{name: "an address of three octets", qtype: dns.TypeA,
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, `a.example. 60 IN A 192.0.2.1`, `a.example. 60 IN TYPE1 \# 0`))
			}, want: "temporary DNS failure: malformed answer: A record"},
		{name: "a TXT record without any string",
			reply: func(req *dns.Msg) [][]byte { return pack(answer(req, good, `a.example. 60 IN TYPE16 \# 0`)) },
			want:  "temporary DNS failure: malformed answer: TXT record"},
		{name: "a compression loop", qtype: dns.TypeMX,
			reply: func(req *dns.Msg) [][]byte {
				return changed(answer(req, "a.example. 60 IN MX 1 b.example."), func(b []byte) []byte {
					b = b[:len(b)-11]
					n := len(b)
					b = append(b, 0xC0, byte(n))
					binary.BigEndian.PutUint16(b[n-4:], 4) // rdlength
					return b
				})
			}, want: "temporary DNS failure: malformed answer:"},
		{name: "PTR to a name with a dot inside a label", ask: "1.2.0.192.in-addr.arpa", qtype: dns.TypePTR,
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, `1.2.0.192.in-addr.arpa. 60 IN PTR bank\.example.com.`))
			}, want: "temporary DNS failure: malformed answer: PTR record"},
		{name: "random octets after a fitting header",
			reply: func(req *dns.Msg) [][]byte {
				return changed(answer(req, good), func(b []byte) []byte {
					return append(b[:len(b)-8], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
				})
			}, want: "temporary DNS failure: malformed answer:"},
		{name: "REFUSED without question",
			reply: func(req *dns.Msg) [][]byte {
				m := answer(req)
				m.Rcode, m.Question = dns.RcodeRefused, nil
				return pack(m)
			}, want: "temporary DNS failure: REFUSED from"},
		{name: "a server without EDNS is asked without",
			reply: func(req *dns.Msg) [][]byte {
				if req.IsEdns0() != nil {
					m := answer(req)
					m.Rcode, m.Question = dns.RcodeFormatError, nil
					return pack(m)
				}
				return pack(answer(req, good))
			}, want: `NOERROR exists "good"`},
		{name: "a server that never stops saying FORMERR",
			reply: func(req *dns.Msg) [][]byte {
				m := answer(req)
				m.Rcode = dns.RcodeFormatError
				return pack(m)
			}, want: "temporary DNS failure: FORMERR from"},
		{name: "an extended RCODE",
			reply: func(req *dns.Msg) [][]byte {
				m := answer(req, good)
				m.SetEdns0(1232, false)
				m.Rcode = dns.RcodeBadCookie
				return pack(m)
			}, want: "temporary DNS failure: BADCOOKIE from"},
		{name: "truncated: what came whole is not used, TCP is (RFC 2181 section 9)",
			reply: func(req *dns.Msg) [][]byte {
				m := answer(req, `a.example. 60 IN TXT "half"`)
				m.Truncated = true
				return pack(m)
			},
			tcp:  func(req *dns.Msg) [][]byte { return [][]byte{framed(pack(answer(req, good))[0])} },
			want: `NOERROR exists "good"`},
		{name: "truncated over TCP too", reply: truncatedAnswer,
			tcp:  func(req *dns.Msg) [][]byte { return [][]byte{framed(truncatedAnswer(req)[0])} },
			want: "temporary DNS failure: malformed answer: truncated over TCP"},
		{name: "truncated, and TCP is closed to us", reply: truncatedAnswer,
			want: "temporary DNS failure: dial tcp"},
		{name: "truncated, and TCP ends in mid-message", reply: truncatedAnswer,
			tcp:  func(req *dns.Msg) [][]byte { return [][]byte{framed(pack(answer(req, good))[0])[:20]} },
			want: "temporary DNS failure: unexpected EOF"},
		{name: "truncated, and TCP answers another question", reply: truncatedAnswer,
			tcp: func(req *dns.Msg) [][]byte {
				m := answer(req, good)
				m.Id++
				return [][]byte{framed(pack(m)[0])}
			}, want: "temporary DNS failure: malformed answer: another question over TCP"},
		{name: "a datagram larger than any buffer is taken for truncated",
			reply: func(req *dns.Msg) [][]byte {
				return pack(answer(req, `a.example. 60 IN TXT `+strings.Repeat(`"`+strings.Repeat("x", 250)+`" `, 30)))
			},
			tcp:  func(req *dns.Msg) [][]byte { return [][]byte{framed(pack(answer(req, good))[0])} },
			want: `NOERROR exists "good"`},
		{name: "a TTL with the top bit set is zero, and the answer is used (RFC 2181 section 8)",
			reply: func(req *dns.Msg) [][]byte { return pack(answer(req, `a.example. 4294967295 IN TXT "good"`)) },
			want:  `NOERROR exists "good"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t, tt.reply, tt.tcp)
			opts := resolver.Options{Servers: []string{h.addr}}
			if strings.Contains(tt.want, "timeout") {
				opts.Timeout, opts.Attempts = 100*time.Millisecond, 1
			}
			r := newResolver(t, opts)
			if tt.ask == "" {
				tt.ask = "a.example"
			}
			if tt.qtype == 0 {
				tt.qtype = dns.TypeTXT
			}
			got := show(r.Lookup(t.Context(), tt.ask, tt.qtype))
			if got != tt.want && (strings.HasPrefix(tt.want, "NO") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if n := h.queries.Load(); n > 20 {
				t.Errorf("%d queries for one question", n)
			}
		})
	}
}

func truncatedAnswer(req *dns.Msg) [][]byte {
	m := answer(req)
	m.Truncated = true
	return pack(m)
}

func TestSeveralServers(t *testing.T) {
	ok := func(req *dns.Msg) [][]byte { return pack(answer(req, req.Question[0].Name+` 60 IN TXT "good"`)) }
	rcode := func(rcode int) func(*dns.Msg) [][]byte {
		return func(req *dns.Msg) [][]byte {
			m := answer(req)
			m.Rcode = rcode
			return pack(m)
		}
	}
	silent := func(*dns.Msg) [][]byte { return nil }
	tests := []struct {
		name          string
		first, second func(*dns.Msg) [][]byte
		want          string
		queries       [2]int32 // after two questions
	}{
		{name: "the first server that works is enough", first: ok, second: ok, want: "NOERROR exists \"good\"", queries: [2]int32{2, 0}},
		{name: "SERVFAIL passes the question on", first: rcode(dns.RcodeServerFailure), second: ok, want: "NOERROR exists \"good\"",
			queries: [2]int32{2, 2}},
		{name: "REFUSED passes the question on", first: rcode(dns.RcodeRefused), second: ok, want: "NOERROR exists \"good\"", queries: [2]int32{2, 2}},
		{name: "a silent server is asked last for a while", first: silent, second: ok, want: "NOERROR exists \"good\"", queries: [2]int32{1, 2}},
		{name: "an error is told rather than silence", first: rcode(dns.RcodeServerFailure), second: silent,
			want: "temporary DNS failure: SERVFAIL", queries: [2]int32{2, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := newHostile(t, tt.first, nil), newHostile(t, tt.second, nil)
			r := newResolver(t, resolver.Options{Servers: []string{a.addr, b.addr}, Timeout: 500 * time.Millisecond, Attempts: 2})
			for i := range 2 {
				if got := show(r.Lookup(t.Context(), fmt.Sprintf("n%d.example", i), dns.TypeTXT)); !strings.HasPrefix(got, tt.want) {
					t.Errorf("got %s\nwant %s", got, tt.want)
				}
			}
			if got := [2]int32{a.queries.Load(), b.queries.Load()}; got != tt.queries {
				t.Errorf("queries %v, want %v", got, tt.queries)
			}
		})
	}
}

func TestLostDatagramIsSentAgain(t *testing.T) {
	var n atomic.Int32
	h := newHostile(t, func(req *dns.Msg) [][]byte {
		if n.Add(1) == 1 {
			return nil
		}
		return pack(answer(req, good))
	}, nil)
	r := newResolver(t, resolver.Options{Servers: []string{h.addr}, Timeout: 500 * time.Millisecond, Attempts: 3})
	if got := show(r.Lookup(t.Context(), "a.example", dns.TypeTXT)); got != `NOERROR exists "good"` {
		t.Error(got)
	}
}

func TestDeadlineBoundsAllTries(t *testing.T) {
	h := newHostile(t, func(*dns.Msg) [][]byte { return nil }, nil)
	r := newResolver(t, resolver.Options{Servers: []string{h.addr}, Timeout: time.Second, Attempts: 9, Deadline: 150 * time.Millisecond})
	start := time.Now()
	_, err := r.Lookup(t.Context(), "a.example", dns.TypeTXT)
	if d := time.Since(start); !resolver.Temporary(err) || d > 5*time.Second {
		t.Errorf("%v after %v", err, d)
	}
}

func TestIDsDiffer(t *testing.T) {
	ids := make(chan uint16, 50)
	h := newHostile(t, func(req *dns.Msg) [][]byte {
		ids <- req.Id
		return pack(answer(req))
	}, nil)
	r := newResolver(t, resolver.Options{Servers: []string{h.addr}})
	distinct := make(map[uint16]bool)
	for i := range 50 {
		_, _ = r.Lookup(t.Context(), fmt.Sprintf("n%d.example", i), dns.TypeTXT)
		distinct[<-ids] = true
	}
	if len(distinct) < 45 {
		t.Errorf("%d distinct IDs in 50 questions", len(distinct))
	}
}

// TestAServerThatRestartsIsWaitedFor: its port is closed for a moment, and each
// question refused at once.
func TestAServerThatRestartsIsWaitedFor(t *testing.T) {
	packet, stream := listenBoth(t)
	addr := packet.LocalAddr().String()
	packet.Close()
	stream.Close()
	r := newResolver(t, resolver.Options{Servers: []string{addr}, Timeout: 2 * time.Second, Attempts: 3})
	zone, err := resolver.ParseZone(strings.NewReader("a.example. TXT x\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan *dnsserver.Server)
	go func() {
		time.Sleep(200 * time.Millisecond)
		s, err := dnsserver.ServeZone(zone, addr)
		if err != nil {
			t.Error(err)
		}
		up <- s
	}()
	a, err := r.Lookup(t.Context(), "a.example", dns.TypeTXT)
	if err != nil || len(a.TXT) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
	if s := <-up; s != nil {
		s.Close()
	}
}

// TestServersThatSayNoAreNotAskedAgain: nor waited for.
func TestServersThatSayNoAreNotAskedAgain(t *testing.T) {
	s := serve(t, "a.example. SERVFAIL\n")
	r := newResolver(t, resolver.Options{Servers: []string{s.Addr(), s.Addr()}, Timeout: 30 * time.Second, Attempts: 3})
	start := time.Now()
	if _, err := r.Lookup(t.Context(), "a.example", dns.TypeTXT); !resolver.Temporary(err) {
		t.Errorf("got %v, want a temporary failure", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}
