package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/port"
)

// hostileClient is the client of these tests.
var hostileClient = mta.Peer{Addr: netip.MustParseAddr("198.51.100.66"), Name: "host.attacker.example"}

// standIn runs an alignd and returns how the MTA stand-in reaches it.
func standIn(t *testing.T, zone, settings string) (*daemon.Daemon, fakemta.Options) {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	d := serve(t, raceBinary(t), "inet:"+addr, zone, settings)
	return d, fakemta.Options{Network: "tcp", Address: addr}
}

// greet greets and sends MAIL and RCPT.
func greet(t *testing.T, s *fakemta.Session, helo, from string) {
	t.Helper()
	for _, cmd := range []string{"EHLO " + helo, "MAIL FROM:<" + from + ">", "RCPT TO:<bob@here.test>"} {
		if reply := s.Command(cmd); reply.Code != 250 {
			t.Fatalf("%s: %s", cmd, reply)
		}
	}
}

// TestSlowNamesDoNotHideAPolicy has one client begin and drop messages whose
// senders have names that DNS is slow to answer. The next message is judged
// all the same, and at once.
func TestSlowNamesDoNotHideAPolicy(t *testing.T) {
	_, opt := standIn(t, spoofZone+"*.slow.example TIMEOUT\n", "")
	s := fakemta.Dial(opt, hostileClient)
	defer s.Close()
	for i := range 600 {
		greet(t, s, fmt.Sprintf("h%d.slow.example", i), fmt.Sprintf("x@m%d.slow.example", i))
		time.Sleep(2 * time.Millisecond) // a round trip of SMTP
		s.Command("RSET")
	}
	other := fakemta.Dial(opt, hostileClient)
	defer other.Close()
	greet(t, other, "host.attacker.example", "x@attacker.example")
	start := time.Now()
	if r := other.Data([]byte(spoof)); r.Reply.Code != 550 {
		t.Errorf("got %s", r.Reply)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// frames are what no MTA sends. Each is the beginning of a connection.
var frames = map[string]string{
	"nothing":                     "",
	"half a length":               "\x00\x00",
	"a length of zero":            "\x00\x00\x00\x00",
	"a length of 4 GiB":           "\xff\xff\xff\xffO",
	"a length above the limit":    "\x00\x10\x00\x01O",
	"HTTP":                        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"SMTP":                        "EHLO x\r\n",
	"TLS":                         "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"a short offer":               "\x00\x00\x00\x05O\x00\x00\x00\x06",
	"an old version":              offer(1),
	"a version of all ones":       offer(1<<32 - 1),
	"a body before any message":   offer(6) + frame('B', "x"),
	"an end before any message":   offer(6) + frame('E', ""),
	"a recipient before a sender": offer(6) + frame('R', "<a@b.test>\x00"),
	"a second offer":              offer(6) + offer(6),
	"a connect without content":   offer(6) + frame('C', ""),
	"a connect of an odd family":  offer(6) + frame('C', "h\x00Z\x00\x19[::1]\x00"),
	"a sender without its NUL":    offer(6) + frame('C', "h\x00U") + frame('M', "<a@b.test>"),
	"an envelope, then silence":   offer(6) + frame('C', "h\x00U") + frame('M', "<a@b.test>\x00"),
	"a header without a value":    offer(6) + frame('M', "<a@b.test>\x00") + frame('L', "From\x00"),
	"a header of three strings":   offer(6) + frame('M', "<a@b.test>\x00") + frame('L', "From\x00x\x00y\x00"),
	"macros without end":          offer(6) + strings.Repeat(frame('D', "M"+strings.Repeat("i\x00x\x00", 2000)), 200),
	"macros of no stage":          offer(6) + frame('D', "") + frame('D', "\x00") + frame('D', "Mi"),
	"commands that do not exist":  offer(6) + frame('z', "x") + frame(0, "") + frame(0xff, "x"),
	"aborts and hellos":           offer(6) + strings.Repeat(frame('A', "")+frame('H', "x\x00"), 5000),
	"a thousand ESMTP arguments":  offer(6) + frame('M', "<a@b.test>\x00"+strings.Repeat("X=1\x00", 50000)),
}

func frame(cmd byte, data string) string {
	n := len(data) + 1
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), cmd}) + data
}

func offer(version uint32) string {
	v := string([]byte{byte(version >> 24), byte(version >> 16), byte(version >> 8), byte(version)})
	return frame('O', v+"\x00\x00\x01\xff\x00\x1f\xff\xff")
}

// TestHostileFramesHurtNobodyElse opens five connections of each kind, and
// leaves them open. Mail is judged meanwhile, and the daemon lives.
func TestHostileFramesHurtNobodyElse(t *testing.T) {
	d, opt := standIn(t, spoofZone, "")
	for name, octets := range frames {
		for range 5 {
			conn, err := net.Dial(opt.Network, opt.Address)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = conn.Write([]byte(octets)) // alignd may have closed it already
		}
		s := fakemta.Dial(opt, hostileClient)
		greet(t, s, "host.attacker.example", "x@attacker.example")
		if r := s.Data([]byte(spoof)); r.Reply.Code != 550 {
			t.Errorf("%s: another session gets %s", name, r.Reply)
		}
		s.Close()
	}
	if rss, err := d.PeakRSS(); err != nil || rss > 4*maxRSS { // the race detector takes its share
		t.Errorf("largest resident set %d, %v", rss, err)
	}
	if log := d.Log(); strings.Contains(log, "panic") {
		t.Errorf("panic:\n%s", log)
	}
}

// TestTextOfTheSenderStaysInItsPlace puts what could end a line, a value, a
// comment or a colour into everything that a sender can fill, and looks at
// reply, log and delivered fields.
func TestTextOfTheSenderStaysInItsPlace(t *testing.T) {
	d, opt := standIn(t, spoofZone, "received_spf: true")
	for _, evil := range []string{
		"x\r\n250 2.0.0 Ok", "x\ny", "x\x00y", "\x1b[2J\x1b[31m", "%s%n%d%", "\" msg=\"message judged\" dmarc=pass",
		"a; dmarc=pass header.from=example.com", "(((", ")))", "\\", "\u202eexample", "\xff\xfe", strings.Repeat("x", 4000), "=?utf-8?q?=0D=0AX:_y?=",
	} {
		s := fakemta.Dial(opt, hostileClient)
		text := strings.NewReplacer("\r", "", "\n", "\r\n ", "\x00", "").Replace(evil) // what an MTA passes on in a field
		message := "DKIM-Signature: v=1; a=" + text + "; d=" + text + "; s=" + text + "; i=" + text + "@" + text + "; h=from; bh=AAAA; b=" + text + "\r\n" +
			"DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=x; i=\"" + text + "\"@attacker.example; h=from; bh=AAAA; b=AAAA\r\n" +
			"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=" + text + "; s=" + text + "; b=AAAA\r\n" +
			"ARC-Message-Signature: i=1; a=rsa-sha256; d=" + text + "; s=x; h=from; bh=AAAA; b=AAAA\r\n" +
			"ARC-Authentication-Results: i=1; " + text + "; dmarc=pass\r\n" +
			"Authentication-Results: mx.here.test; " + text + "\r\n" +
			"X-Alignd-Disposition: " + text + "\r\n" +
			"List-Id: <" + text + ">\r\n"
		greet(t, s, evil, "\""+evil+"\"@attacker.example")
		delivered := s.Data([]byte(message + "From: \"" + strings.ReplaceAll(text, "\"", "") + "\" <a@attacker.example>\r\n\r\nx\r\n"))
		if len(delivered.Delivered) > 0 {
			checkEdits(t, evil, delivered.Delivered)
		}
		for _, cmd := range []string{"MAIL FROM:<x@attacker.example>", "RCPT TO:<bob@here.test>"} {
			s.Command(cmd)
		}
		refused := s.Data([]byte(message + "From: a@" + text + "\r\nFrom: a@example.com\r\n\r\nx\r\n"))
		if r := refused.Reply; r.Code != 550 || strings.ContainsFunc(r.Text, hidden) || len(r.Text) > 512 {
			t.Errorf("%q: reply %q", evil, r)
		}
		s.Close()
	}
	for line := range strings.Lines(d.Log()) {
		if !strings.HasPrefix(line, "time=") || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), hidden) || strings.Count(line, " msg=") != 1+strings.Count(line, `\" msg=`) {
			t.Errorf("log line %q", line)
		}
	}
}

func hidden(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e || r == 0xfffd }

// checkEdits looks at the fields that alignd put on top.
func checkEdits(t *testing.T, evil string, message []byte) {
	t.Helper()
	text := string(message)
	if !strings.HasPrefix(text, "Authentication-Results: mx.here.test;") {
		t.Errorf("%q: the first field is %.80q", evil, text)
	}
	ours, _, ok := strings.Cut(text, "\r\nDKIM-Signature:")
	if !ok || strings.Count(text, "Authentication-Results: ") != 1+strings.Count(text, "ARC-Authentication-Results: ") || strings.Contains(text, "\nX-Alignd-Disposition: ") && !strings.Contains(ours, "X-Alignd-Disposition: quarantine") {
		t.Errorf("%q: forged fields are left in %q", evil, text)
	}
	if strings.Contains(ours, "dmarc=pass") {
		t.Errorf("%q: %q", evil, ours)
	}
	names := map[string]bool{"Authentication-Results": true, "Received-SPF": true, "X-Alignd-Disposition": true}
	for line := range strings.SplitSeq(ours, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		folded := strings.HasPrefix(line, "\t") || strings.HasPrefix(line, " ")
		if !folded && !names[name] || strings.TrimSpace(line) == "" || len(line) > 998 || bytes.ContainsFunc([]byte(strings.TrimPrefix(line, "\t")), hidden) {
			t.Errorf("%q: line %q", evil, line)
		}
	}
}

// TestAnUnrelatedSlowNameIsNoTemporaryError has the time of the message run out
// while SPF of the sender's own domain is still open. That domain cannot align
// with the Author Domain, so nothing is left to wait for.
func TestAnUnrelatedSlowNameIsNoTemporaryError(t *testing.T) {
	_, opt := standIn(t, "_dmarc.bank.example TXT \"v=DMARC1; p=reject\"\n*.slow.example TIMEOUT\nslow.example TIMEOUT\n", "limits:\n  message_timeout: 3s")
	spoof := strings.Replace(spoof, "example.com", "bank.example", 1)
	for _, message := range []string{spoof,
		"DKIM-Signature: v=1; a=rsa-sha256; d=slow.example; s=x; h=from; bh=AAAA; b=AAAA\n" + spoof} {
		s := fakemta.Dial(opt, hostileClient)
		defer s.Close()
		greet(t, s, "host.slow.example", "x@slow.example")
		if r := s.Data([]byte(message)); r.Reply.Code != 550 {
			t.Errorf("got %s", r.Reply)
		}
	}
}
