package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/e2e/daemon"
	"alignd/e2e/mta"
	"alignd/resolver"
)

// liar is a DNS server over UDP whose answers go through lie; nil is the truth.
type liar struct {
	conn net.PacketConn
	zone *resolver.Zone
	lie  atomic.Pointer[lie]
}

// lie makes the datagrams that are sent in place of an answer.
type lie func(truth *dns.Msg) [][]byte

func newLiar(t *testing.T, zone string) *liar {
	t.Helper()
	parsed, err := resolver.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	l := &liar{conn: conn, zone: parsed}
	go l.serve()
	return l
}

func (l *liar) serve() {
	b := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := l.conn.ReadFrom(b)
		if err != nil {
			return
		}
		req := new(dns.Msg)
		if req.Unpack(b[:n]) != nil {
			continue
		}
		go func() {
			answers := pack
			if lie := l.lie.Load(); lie != nil {
				answers = *lie
			}
			truth := l.zone.Reply(req)
			if truth == nil {
				return
			}
			if req.IsEdns0() != nil {
				truth.SetEdns0(1232, false)
			}
			for _, datagram := range answers(truth) {
				_, _ = l.conn.WriteTo(datagram, from)
			}
		}()
	}
}

var pack lie = func(m *dns.Msg) [][]byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return [][]byte{b}
}

// after is the truth, late.
func after(d time.Duration) lie {
	return func(m *dns.Msg) [][]byte {
		time.Sleep(d)
		return pack(m)
	}
}

// changed is the answer after a change.
func changed(change func(*dns.Msg)) lie {
	return func(m *dns.Msg) [][]byte {
		change(m)
		return pack(m)
	}
}

func open(m *dns.Msg) []dns.RR {
	rr, err := dns.NewRR(m.Question[0].Name + " 300 TXT \"v=spf1 +all\" \"v=DMARC1; p=none\"")
	if err != nil {
		panic(err)
	}
	return []dns.RR{rr}
}

// dnsFaults are what a name server can do. known: the answers are usable, and mail is
// judged by them.
var dnsFaults = []struct {
	name  string
	lie   lie
	right bool   // mail is judged as with a sound server
	lasts bool   // what it said is kept as long as it asked for
	dmarc string // else what forged mail gets
}{
	{name: "silent", lie: func(*dns.Msg) [][]byte { return nil }, dmarc: "temperror"},
	{name: "slow: each answer after 300 ms", lie: after(300 * time.Millisecond), right: true},
	{name: "slow: each answer after 10 s", lie: after(10 * time.Second), dmarc: "temperror"},
	{name: "SERVFAIL", lie: changed(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure; m.Answer = nil }), dmarc: "temperror"},
	{name: "lying: answers with another id", lie: changed(func(m *dns.Msg) { m.Id++; m.Rcode = dns.RcodeSuccess; m.Answer = open(m) }), dmarc: "temperror"},
	{name: "lying: answers to another question", lie: changed(func(m *dns.Msg) {
		m.Question[0].Name = "other.example."
		m.Rcode = dns.RcodeSuccess
		m.Answer = open(m)
	}), dmarc: "temperror"},
	{name: "lying: forged answers first, the true one behind them", lie: func(m *dns.Msg) [][]byte {
		forged := m.Copy()
		forged.Rcode, forged.Answer = dns.RcodeSuccess, open(m)
		var all [][]byte
		for range 20 {
			forged.Id = uint16(rand.Uint32())
			if forged.Id != m.Id {
				all = append(all, pack(forged)...)
			}
		}
		return append(all, pack(m)...)
	}, right: true},
	{name: "garbage", lie: func(*dns.Msg) [][]byte { return [][]byte{{}, []byte("no DNS"), make([]byte, 4000)} }, dmarc: "temperror"},
	{name: "truncated, and nobody at TCP", lie: changed(func(m *dns.Msg) { m.Truncated = true; m.Answer = nil }), dmarc: "temperror"},
	{name: "lying: nothing exists (which DNSSEC alone would tell)", lie: changed(func(m *dns.Msg) { m.Rcode = dns.RcodeNameError; m.Answer = nil }), lasts: true, dmarc: "none"},
}

// TestFaultDNS: no message is lost or waits for long, what cannot be known is said,
// and with the server's return mail is judged as before.
func TestFaultDNS(t *testing.T) {
	needsFaults(t)
	p := realMTA(t)
	for _, fault := range dnsFaults {
		t.Run(fault.name, func(t *testing.T) {
			server := newLiar(t, spoofZone)
			server.lie.Store(&fault.lie)
			d := &daemon.Daemon{Binary: binary(t), Listen: behind(""), Config: writeFile(t, "alignd.yaml",
				daemon.NoJournal+"limits: {message_timeout: 3s}\ndns: {timeout: 500ms, attempts: 2, servers: [\""+server.conn.LocalAddr().String()+"\"]}\n")}
			startDaemon(t, d)
			f := newFlood(t, p, "")
			f.Sessions, f.PerSession = 45, 3 // a message may take 3 s; Postfix takes 50 sessions of a client
			f.Fault = func(r mta.Reply) bool { return !fault.right && r.Code == 250 }
			sums := f.run(90)
			kinds := map[string]int{}
			for _, kv := range d.Judged() {
				if kv["author_domain"] == "example.com" {
					kinds[kv["delivery"]+", dmarc="+kv["dmarc"]]++
				}
			}
			want := "refuse, dmarc=fail"
			if !fault.right {
				want = "deliver, dmarc=" + fault.dmarc
			}
			if len(kinds) != 1 || kinds[want] == 0 {
				t.Errorf("forged mail: %v, want only %q", kinds, want)
			}
			if f.slowest > 6*time.Second { // 3 s, and what a busy machine adds
				t.Errorf("a message took %s", f.slowest)
			}
			after := "what it said is kept for its time to live"
			if !fault.lasts {
				after = fmt.Sprintf("judged as before %.1f s after the server's return", recovers(t, p, server).Seconds())
			}
			row(t, "DNS "+fault.name, fmt.Sprintf("%s; at most %.1f s for a message", sums.saw(), f.slowest.Seconds()),
				fmt.Sprintf("%s; forged ones: %s; %s", sums.got(), want, after))
		})
	}
}

// once sends a message in a session of its own, which ends with it.
func once(t *testing.T, p *mta.Postfix, message string) mta.Reply {
	t.Helper()
	c, err := mta.Dial(p.Addr(""), mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return transaction(t, c, "x@attacker.example", strings.NewReader(message))
}

// recovers returns after what time forged mail is refused again.
func recovers(t *testing.T, p *mta.Postfix, server *liar) time.Duration {
	t.Helper()
	server.lie.Store(nil)
	begun := time.Now()
	for time.Since(begun) < time.Minute {
		reply := once(t, p, spoof)
		if reply.Code == 550 {
			return time.Since(begun)
		}
		if id := reply.QueueID(); id != "" {
			if _, err := waitDelivery(t, p.Sink(), id); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("forged mail is accepted a minute after the server's return")
	return 0
}

// TestFaultDNSWhereThePolicyIsKnown: what could still be authentic is put off, not
// accepted and not refused.
func TestFaultDNSWhereThePolicyIsKnown(t *testing.T) {
	needsFaults(t)
	p := realMTA(t)
	server := newLiar(t, spoofZone)
	d := &daemon.Daemon{Binary: binary(t), Listen: behind(""), Config: writeFile(t, "alignd.yaml",
		daemon.NoJournal+"limits: {message_timeout: 3s}\ndns: {timeout: 500ms, attempts: 2, servers: [\""+server.conn.LocalAddr().String()+"\"]}\n")}
	startDaemon(t, d)
	if took := recovers(t, p, server); took > 5*time.Second {
		t.Errorf("the first message took %s", took)
	}
	server.lie.Store(&dnsFaults[0].lie)
	messages, putOff := 16, 0
	hash := sha256.Sum256([]byte("hello\r\n")) // the body of spoof
	signed := func(i int) string {
		return fmt.Sprintf("DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s%d; h=from; bh=%s; b=AAAA\n", i, base64.StdEncoding.EncodeToString(hash[:])) + spoof
	}
	replies, errs := make([]mta.Reply, messages), make([]error, messages)
	var clients sync.WaitGroup
	for i := range messages { // each waits for 3 s
		c := dial(t, p, "", "198.51.100.66")
		clients.Go(func() { replies[i], errs[i] = oneMessage(c, "x@attacker.example", strings.NewReader(signed(i))) })
	}
	clients.Wait()
	for i, reply := range replies {
		if errs[i] != nil || reply.Code != 451 {
			t.Errorf("message %d: got %s, %v", i, reply, errs[i])
			continue
		}
		putOff++
	}
	server.lie.Store(nil)
	refused := 0
	for i := range messages {
		reply := once(t, p, signed(i))
		if reply.Code != 550 {
			t.Errorf("message %d, when DNS is back: got %s", i, reply)
			continue
		}
		refused++
	}
	row(t, "DNS silent, the policy (p=reject) known, the key of a signature not",
		fmt.Sprintf("%d messages: %d put off (451); %d refused when tried again after the server's return", messages, putOff, refused), "none")
}
