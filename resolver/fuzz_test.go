package resolver

import (
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// wireQuestion packs a question and reads it back as miekg/dns spells it.
func wireQuestion(t testing.TB, name string) string {
	t.Helper()
	q, err := newQuery(name, dns.TypeTXT, true)
	if err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(q.wire); err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	return m.Question[0].Name
}

func TestNamesOfAnyOctetSurviveTheWire(t *testing.T) {
	for c := range 256 {
		if c == '.' {
			continue
		}
		name := "a" + string([]byte{byte(c)}) + "b.example"
		canon, why := canonical(name)
		if why != "" {
			t.Errorf("%q: %s", name, why)
			continue
		}
		if got, want := wireQuestion(t, presentation(canon)), presentation(canon); got != want {
			t.Errorf("%q: sent %q, read back %q", name, want, got)
		}
		if back, ok := text(presentation(canon)); !ok || back != canon {
			t.Errorf("%q: came back as %q", canon, back)
		}
	}
}

func TestTextRefusesADotInALabel(t *testing.T) {
	for _, s := range []string{`a\.b.example.`, `a\046b.example.`, `a\\\.b.`, `a\.`} {
		if name, ok := text(s); ok {
			t.Errorf("%s became %q", s, name)
		}
	}
	if name, ok := text(`a\\.b.`); !ok || name != `a\.b` {
		t.Errorf(`a\\.b. became %q`, name)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"example.com", "A.b.", "a b.c", "é.example", "\xff.x", `a\.b`, "a..b", strings.Repeat("a.", 127)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		canon, why := canonical(name)
		if why != "" {
			return
		}
		if again, why := canonical(canon); again != canon || why != "" {
			t.Fatalf("%q: canonical %q, again %q %s", name, canon, again, why)
		}
		p := presentation(canon)
		if got := wireQuestion(t, p); got != p {
			t.Fatalf("%q: sent %q, read back %q", name, p, got)
		}
		if back, ok := text(p); !ok || back != canon {
			t.Fatalf("%q: %q came back as %q", name, canon, back)
		}
	})
}

func FuzzTXT(f *testing.F) {
	f.Add("plain")
	f.Add("\"quoted\" \\ back\x00\xff;")
	f.Add(`\065\`)
	f.Fuzz(func(t *testing.T, raw string) {
		var strs []string
		wire := []byte{0, 0, byte(dns.TypeTXT), 0, dns.ClassINET, 0, 0, 0, 1, 0, 0}
		for rest := raw; rest != "" || strs == nil; {
			n := min(len(rest), 100)
			strs = append(strs, rest[:n])
			wire = append(append(wire, byte(n)), rest[:n]...)
			rest = rest[n:]
		}
		if len(wire) > 60000 {
			return
		}
		wire[9], wire[10] = byte((len(wire)-11)>>8), byte(len(wire)-11)
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if got := joinTXT(rr.(*dns.TXT).Txt); got != raw {
			t.Fatalf("got %q, want %q", got, raw)
		}
	})
}

// FuzzResponse reads any octets as a response to a question for a.example.
// Whatever is accepted holds records of the type asked only, as many as the
// message has for the end of the chain, and no failing RCODE.
func FuzzResponse(f *testing.F) {
	add := func(qtype uint16, rcode int, records ...string) {
		m := new(dns.Msg).SetQuestion("a.example.", qtype)
		m.Response, m.Rcode = true, rcode
		for _, s := range records {
			rr, err := dns.NewRR(s)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		m.Compress = true
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, qtype)
	}
	add(dns.TypeTXT, dns.RcodeSuccess, `a.example. 60 IN TXT "v=spf1 " "-all"`, `a.example. 60 IN TXT "\000\255\""`)
	add(dns.TypeA, dns.RcodeSuccess, "a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 192.0.2.1")
	add(dns.TypeAAAA, dns.RcodeSuccess, "a.example. 60 IN AAAA 2001:db8::1")
	add(dns.TypeMX, dns.RcodeSuccess, "a.example. 60 IN MX 10 b.example.", "a.example. 60 IN MX 5 c.example.")
	add(dns.TypePTR, dns.RcodeNameError, "a.example. 60 IN CNAME a.example.")
	f.Fuzz(func(t *testing.T, msg []byte, qtype uint16) {
		if len(msg) < headerSize || !supported(qtype) {
			return
		}
		m, err := parse(msg)
		if err != nil {
			return
		}
		rep, err := readReply(m, "a.example.", qtype)
		if err != nil {
			return
		}
		a := &Answer{Name: "a.example", Type: qtype, RCode: rep.rcode}
		err = a.fill(rep.records)
		if m := malformed(""); err != nil {
			if !errors.As(err, &m) {
				t.Fatalf("%v", err)
			}
			return
		}
		if n := len(a.TXT) + len(a.Addrs) + len(a.MX) + len(a.PTR); n != len(rep.records) {
			t.Fatalf("%d records became %d", len(rep.records), n)
		}
		if a.RCode != dns.RcodeSuccess && a.RCode != dns.RcodeNameError || a.NXDomain() && !a.Void() {
			t.Fatalf("%+v", a)
		}
		if rep.steps > maxChain {
			t.Fatalf("%d steps", rep.steps)
		}
	})
}

func FuzzAnsweredBy(f *testing.F) {
	q, err := newQuery("a.example.", dns.TypeTXT, true)
	if err != nil {
		f.Fatal(err)
	}
	reply := append([]byte(nil), q.wire...)
	reply[2] |= 0x80
	f.Add(reply)
	f.Add(reply[:12])
	f.Fuzz(func(t *testing.T, msg []byte) {
		if !q.answeredBy(msg) {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(msg); err != nil {
			return
		}
		if !m.Response || m.Opcode != dns.OpcodeQuery || m.Id != 0 && string(msg[:2]) != string(q.wire[:2]) {
			t.Fatalf("%v", m)
		}
		if len(m.Question) == 1 && (lower(m.Question[0].Name) != "a.example." || m.Question[0].Qtype != dns.TypeTXT || m.Question[0].Qclass != dns.ClassINET) {
			t.Fatalf("%v", m.Question)
		}
	})
}
