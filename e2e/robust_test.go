package e2e

import (
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/e2e/cases"
	"alignd/e2e/daemon"
	"alignd/e2e/mta"
)

// maxRSS is the most memory alignd may take for a message of any size.
const maxRSS = 64 << 20

const spoofZone = `
_dmarc.example.com  TXT "v=DMARC1; p=reject"
attacker.example    TXT "v=spf1 ip4:198.51.100.66 -all"
`

const spoof = "From: alice@example.com\nTo: bob@here.test\nSubject: hello\nDate: Mon, 01 Dec 2025 09:00:00 +0100\n\nhello\n"

// behind is the --listen value for the smtpd line that has the MTA parameter.
func behind(parameter string) string { return "inet:" + listenAt[parameter] }

// serve runs an alignd with these settings for the length of the test.
func serve(t *testing.T, bin, listen, zone, settings string) *daemon.Daemon {
	t.Helper()
	config := writeFile(t, "alignd.yaml", settings+"\n"+daemon.NoJournal+"dns:\n  servers: [\""+serveText(t, zone).Addr()+"\"]\n")
	d := &daemon.Daemon{Binary: bin, Config: config, Listen: listen}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("alignd's log:\n%s", d.Log())
		}
	})
	return d
}

// transaction sends EHLO, MAIL, RCPT and DATA, and returns the last reply or
// the first refusal.
func transaction(t *testing.T, c *mta.Client, from string, message io.Reader) mta.Reply {
	t.Helper()
	reply, err := oneMessage(c, from, message)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// oneMessage sends one message, and returns the first reply that is not 250.
func oneMessage(c *mta.Client, from string, message io.Reader) (mta.Reply, error) {
	for _, cmd := range []string{"EHLO host.attacker.example", "MAIL FROM:<" + from + ">", "RCPT TO:<bob@here.test>"} {
		reply, err := c.Command("%s", cmd)
		if err != nil {
			return reply, fmt.Errorf("%s: %w", cmd, err)
		}
		if reply.Code != 250 {
			return reply, nil
		}
	}
	return c.DataFrom(message)
}

func dial(t *testing.T, p *mta.Postfix, line, addr string) *mta.Client {
	t.Helper()
	c, err := mta.Dial(p.Addr(line), mta.Peer{Addr: netip.MustParseAddr(addr)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestPostfixLargeMessageInBoundedMemory sends 100 MB with one signature, so
// that the body is hashed, and looks at the largest resident set of alignd.
func TestPostfixLargeMessageInBoundedMemory(t *testing.T) {
	p := realMTA(t)
	d := serve(t, binary(t), behind(""), spoofZone, "")
	header := "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=none; h=from;\n" +
		" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\n" + strings.Replace(spoof, "example.com", "attacker.example", 1)
	body := io.LimitReader(repeat(strings.Repeat("seventy octets of text in every line, blanks  and all, and its end.\n", 1000)), 100<<20)

	start := time.Now()
	reply := transaction(t, dial(t, p, "", "198.51.100.66"), "x@attacker.example", io.MultiReader(strings.NewReader(header), body))
	if reply.Code != 250 {
		t.Fatalf("got %s", reply)
	}
	took := time.Since(start)
	rss, err := d.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("100 MB in %s, largest resident set %.1f MiB", took.Round(time.Millisecond), float64(rss)/(1<<20))
	if rss > maxRSS {
		t.Errorf("largest resident set %d, want at most %d", rss, maxRSS)
	}
	if _, err := waitDelivery(t, p.Sink(), reply.QueueID()); err != nil {
		t.Error(err)
	}
}

// repeat reads text again and again.
func repeat(text string) io.Reader { return &repeater{text: text} }

type repeater struct {
	text string
	at   int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// TestPostfixAcceptByDefaultLetsMailThrough shows what milter_default_action =
// accept means: while alignd is away, mail goes unverified.
func TestPostfixAcceptByDefaultLetsMailThrough(t *testing.T) {
	p := realMTA(t)
	const line = "milter_default_action=accept"
	forged := "Authentication-Results: mx.here.test; dmarc=pass\n" + spoof
	reply := transaction(t, dial(t, p, line, "198.51.100.66"), "x@attacker.example", strings.NewReader(forged))
	delivery, err := waitDelivery(t, p.Sink(), reply.QueueID())
	if err != nil || !strings.Contains(string(delivery.Data), "dmarc=pass") {
		t.Errorf("alignd away: got %s, %v", reply, err)
	}
	serve(t, raceBinary(t), behind(line), spoofZone, "")
	reply = transaction(t, dial(t, p, line, "198.51.100.66"), "x@attacker.example", strings.NewReader(forged))
	if reply.Code != 550 {
		t.Errorf("alignd back: got %s", reply)
	}
}

// TestPostfixUnixSocket has the MTA and alignd meet at a unix socket.
func TestPostfixUnixSocket(t *testing.T) {
	p := realMTA(t)
	serve(t, raceBinary(t), "unix:"+p.SocketPath(), spoofZone, "socket_mode: 0666")
	reply := transaction(t, dial(t, p, "unix", "198.51.100.66"), "x@attacker.example", strings.NewReader(spoof))
	if reply.Code != 550 {
		t.Errorf("got %s", reply)
	}
}

// TestPostfixClientThatLeaves cuts the connection in mid-message again and
// again; the next client is served as if nothing had been.
func TestPostfixClientThatLeaves(t *testing.T) {
	p := realMTA(t)
	d := serve(t, raceBinary(t), behind(""), spoofZone, "")
	for range 20 {
		c := dial(t, p, "", "198.51.100.66")
		for _, cmd := range []string{"EHLO x", "MAIL FROM:<x@attacker.example>", "RCPT TO:<bob@here.test>", "DATA"} {
			if _, err := c.Command("%s", cmd); err != nil {
				t.Fatal(err)
			}
		}
		c.Cut()
	}
	reply := transaction(t, dial(t, p, "", "198.51.100.66"), "x@attacker.example", strings.NewReader(spoof))
	if reply.Code != 550 {
		t.Errorf("got %s", reply)
	}
	if n := len(d.Judged()); n != 1 {
		t.Errorf("%d messages judged, want 1", n)
	}
}

// TestPostfixDrain ends alignd with SIGTERM in the middle of a message: the
// message is judged, and then the daemon is gone with exit status 0.
func TestPostfixDrain(t *testing.T) {
	p := realMTA(t)
	d := serve(t, raceBinary(t), behind(""), spoofZone, "")
	c := dial(t, p, "", "198.51.100.66")
	half, rest := io.Pipe()
	stopped := make(chan error, 1)
	go func() {
		io.WriteString(rest, spoof)
		stopping := make(chan struct{})
		go func() {
			close(stopping)
			stopped <- d.Stop()
		}()
		<-stopping
		time.Sleep(300 * time.Millisecond) // the signal has arrived by then
		io.WriteString(rest, "the second half\n")
		rest.Close()
	}()
	reply := transaction(t, c, "x@attacker.example", half)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if reply.Code != 550 || len(d.Judged()) != 1 {
		t.Errorf("the message in progress: %s, %d judged", reply, len(d.Judged()))
	}
}

// TestPostfixHostileHeaders sends headers that no mail program writes. Each
// message must get a clear answer, and the daemon must live.
func TestPostfixHostileHeaders(t *testing.T) {
	p := realMTA(t)
	serve(t, raceBinary(t), behind(""), spoofZone, "")
	ok := strings.Replace(spoof, "example.com", "attacker.example", 1)
	sig := "DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=x; h=from; bh=AAAA; b=AAAA\n"
	for _, c := range []struct{ name, message, want string }{
		{name: "three thousand fields", message: strings.Repeat("X-A: b\n", 3000) + ok, want: "250 *"},
		{name: "five hundred signatures", message: strings.Repeat(sig, 500) + ok, want: "250 *"},
		{name: "five From fields", message: strings.Repeat("From: a@example.com\n", 5) + ok, want: "550 5.6.0 *"},
		{name: "8-bit and control octets", message: "Subject: \xff\xfe\x01\x7f\nAuthentication-Results: \xff mx.here.test; spf=pass\n" + ok, want: "250 *"},
		{name: "NUL octets", message: "X-Nul: a\x00b\n" + ok + "a\x00b\n", want: "250 *"},
		{name: "a From of quotes and brackets", message: "Subject: x\nFrom: \"\\\"<<>>(((\n\nx\n", want: "2*"},
		{name: "nothing but a body", message: "\nno header\n", want: "550 5.6.0 *"},
		{name: "an empty message", want: "550 5.6.0 *"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, p, "", "198.51.100.66")
			reply := transaction(t, conn, "x@attacker.example", strings.NewReader(c.message))
			if !cases.Match(c.want, reply.String()) {
				t.Errorf("want %q, got %q", c.want, reply.String())
			}
			if again := transaction(t, conn, "x@attacker.example", strings.NewReader(spoof)); again.Code != 550 {
				t.Errorf("the next message: %s", again)
			}
		})
	}
}

// TestSignerWritesTheSameBytes makes all signed messages anew.
func TestSignerWritesTheSameBytes(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import dkim, nacl, authres").Run(); err != nil {
		t.Skip("left out: the signed messages made anew (needs python3-dkim, python3-nacl and python3-authres; make test installs them)")
	}
	var sources []string
	for _, c := range loadCases(t) {
		some, err := filepath.Glob(filepath.Join(c.Dir, "*.in"))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, some...)
	}
	dir := t.TempDir()
	args := []string{"sign"}
	want := map[string][]byte{}
	for _, source := range sources {
		copied := filepath.Join(dir, filepath.Base(filepath.Dir(source))+"-"+filepath.Base(source))
		copyFile(t, source, copied)
		want[strings.TrimSuffix(copied, ".in")+".eml"] = readFile(t, strings.TrimSuffix(source, ".in")+".eml")
		args = append(args, copied)
	}
	if out, err := exec.Command("/usr/bin/python3", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for file, bytes := range want {
		if string(readFile(t, file)) != string(bytes) {
			t.Errorf("%s: e2e/sign writes other bytes than the tree has", filepath.Base(file))
		}
	}
}

// sendFrom sends a message in a session of its own.
func sendFrom(t *testing.T, p *mta.Postfix, mailFrom, message string) mta.Reply {
	t.Helper()
	c := dial(t, p, "", "198.51.100.66")
	defer c.Close()
	return transaction(t, c, mailFrom, strings.NewReader(message))
}
