package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alignd/e2e/cases"
	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/port"
)

// whole is a configuration that shows in everything that a message gets: the
// authserv-id, further fields, the mark, and each part of a refusal.
func whole(name string, digit int) string {
	return fmt.Sprintf(`
authserv_id: %[1]s.here.test
tag: {name: X-Mark-%[1]s, value: value-%[1]s}
received_spf: %[3]t
quarantine_as: tag
replies:
  url: "https://%[1]s.here.test/{domain}"
  dmarc: {code: 55%[2]d, enhanced: 5.7.%[2]d, text: "%[1]s {url}"}
exceptions:
  - {id: entry-%[1]s, kind: block, action: tag, scope: {mail_from: [attacker.example]}, never_expires: true}
`, name, digit, digit == 1)
}

const twoPolicies = `
_dmarc.example.com  TXT "v=DMARC1; p=reject"
_dmarc.example.net  TXT "v=DMARC1; p=none"
attacker.example    TXT "v=spf1 ip4:198.51.100.66 -all"
`

// wholly returns the name of the one configuration that made r, or "".
func wholly(r fakemta.Result) string {
	for digit, name := range map[int]string{0: "first", 1: "second"} {
		other := map[string]string{"first": "second", "second": "first"}[name]
		text := string(r.Delivered)
		refused := r.Reply.String() == fmt.Sprintf("55%d 5.7.%d %s https://%s.here.test/example.com", digit, digit, name, name)
		delivered := r.Reply.Code == 250 && strings.Contains(text, "Authentication-Results: "+name+".here.test;") &&
			strings.Contains(text, "X-Mark-"+name+": value-"+name+"\r\n") &&
			strings.Contains(text, "Received-SPF: ") == (digit == 1) && !strings.Contains(text, other)
		if refused || delivered {
			return name
		}
	}
	return ""
}

// reloading is a daemon whose configuration is changed as it runs.
type reloading struct {
	*daemon.Daemon
	t       *testing.T
	tail    string
	reloads int
}

func serveReloading(t *testing.T, addr, settings string) *reloading {
	d := serve(t, raceBinary(t), "inet:"+addr, twoPolicies, settings)
	return &reloading{Daemon: d, t: t, tail: configTail(t, d.Config)}
}

// reload puts settings in place and waits until the daemon has looked at them.
func (r *reloading) reload(settings string) {
	r.t.Helper()
	// In one step: a file that is read while it is written is another file.
	if err := os.Rename(writeFile(r.t, "new.yaml", settings+r.tail), r.Config); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Reload(); err != nil {
		r.t.Fatal(err)
	}
	r.reloads++
	waitLog(r.t, r.Daemon, r.reloads, "configuration reloaded", "configuration not reloaded")
}

// waitLog waits until n lines of the log hold one of the texts.
func waitLog(t *testing.T, d *daemon.Daemon, n int, texts ...string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		log, found := d.Log(), 0
		for _, text := range texts {
			found += strings.Count(log, text)
		}
		if found >= n {
			return
		}
	}
	t.Fatalf("the log has not %d times any of %q:\n%s", n, texts, d.Log())
}

// TestEachMessageIsJudgedByOneConfiguration reloads 200 times, each reload
// seen in the log, while messages come in, between two configurations that
// differ in everything that shows, with a faulty file now and then.
func TestEachMessageIsJudgedByOneConfiguration(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	d := serveReloading(t, addr, whole("first", 0))
	var sent atomic.Int64
	var byName sync.Map
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for i := range 4 {
		message := []byte(strings.Replace(spoof, "example.com", []string{"example.com", "example.net"}[i%2], 1))
		senders.Go(func() {
			s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr}, attacker)
			defer s.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				r := transact(t, s, message)
				sent.Add(1)
				name := wholly(r)
				if name == "" {
					t.Errorf("a mixture: %s\n%s", r.Reply, r.Delivered)
					return
				}
				byName.Store(name+" "+fmt.Sprint(r.Reply.Code/100), true)
				time.Sleep(time.Millisecond) // the log is read again and again
			}
		})
	}
	texts := []string{whole("second", 1), "mode: perhaps\n", whole("first", 0), "exceptions: [\n"}
	for i := range 200 {
		d.reload(texts[i%len(texts)])
	}
	close(stop)
	senders.Wait()
	for _, want := range []string{"first 2", "first 5", "second 2", "second 5"} {
		if _, ok := byName.Load(want); !ok {
			t.Errorf("no message had the outcome %q, so nothing was shown", want)
		}
	}
	waitLog(t, d.Daemon, int(sent.Load()), "msg=\"message judged\"")
	if n := len(d.Judged()); int64(n) != sent.Load() {
		t.Errorf("%d messages judged, %d sent", n, sent.Load())
	}
	t.Logf("%d reloads, %d messages", d.reloads, sent.Load())
}

var attacker = mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")}

// begin sends the envelope of a message.
func begin(t *testing.T, s *fakemta.Session) {
	t.Helper()
	for _, cmd := range []string{"EHLO x.example", "MAIL FROM:<x@attacker.example>", "RCPT TO:<bob@here.test>"} {
		if reply := s.Command(cmd); reply.Code != 250 {
			t.Errorf("%s: %s", cmd, reply)
		}
	}
}

func transact(t *testing.T, s *fakemta.Session, message []byte) fakemta.Result {
	t.Helper()
	begin(t, s)
	return s.Data(message)
}

// TestMessageInFlightKeepsItsConfiguration reloads between MAIL FROM and the
// end of a message; the next message on the connection has the new one.
func TestMessageInFlightKeepsItsConfiguration(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	d := serveReloading(t, addr, whole("first", 0))
	// An MTA that hears an answer to each event knows that the message has begun.
	s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr, Old: true}, attacker)
	defer s.Close()
	begin(t, s)
	d.reload(whole("second", 1))
	if got := wholly(s.Data([]byte(spoof))); got != "first" {
		t.Errorf("the message in flight was judged by %q, want first", got)
	}
	if got := wholly(transact(t, s, []byte(spoof))); got != "second" {
		t.Errorf("the next message was judged by %q, want second", got)
	}
}

// TestFaultyFileChangesNothing reloads a file with two faults: the log names
// each with file, line and column, and the old configuration goes on.
func TestFaultyFileChangesNothing(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	d := serveReloading(t, addr, whole("first", 0))
	d.reload("mode: monitor\nhonor:\n  reject: maybe\nexceptions:\n  - {id: open, action: accept, scope: {author_domains: [example.com]}, never_expires: true}\n")
	s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr}, attacker)
	defer s.Close()
	if got := wholly(transact(t, s, []byte(spoof))); got != "first" {
		t.Errorf("judged by %q, want first", got)
	}
	d.reload("exceptions:\n  - {id: open, action: accept, scope: {author_domains: [example.com]}, never_expires: true}\n")
	for _, diff := range cases.CompareLog([]string{
		`level=ERROR msg="configuration not reloaded, the old one stays" err="*alignd.yaml:3:11: honor.reject: * not allowed; allowed: reject, quarantine, tag, hold, accept\n*alignd.yaml:5:5: *proof: is missing*"`,
		`level=ERROR msg="configuration not reloaded, the old one stays" err="*alignd.yaml:2:5: *allows by author_domains only, which any sender can write; add *"`,
	}, d.Log()) {
		t.Error(diff)
	}
}

// TestExpiryWhileRunning warns when an exception ceases to match, without a
// reload, and from then on it does not match.
func TestExpiryWhileRunning(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second)
	d := serve(t, raceBinary(t), "inet:"+addr, twoPolicies, fmt.Sprintf(`
exceptions:
  - id: guest
    action: accept
    proof: {clients: [198.51.100.66]}
    owner: postmaster
    ticket: MAIL-17
    expires: %s
`, expires.Format(time.RFC3339)))
	s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr}, attacker)
	defer s.Close()
	if r := transact(t, s, []byte(spoof)); r.Reply.Code != 250 && time.Now().Before(expires) {
		t.Errorf("before the date: %s", r.Reply)
	}
	waitLog(t, d, 1, "exception expired")
	if r := transact(t, s, []byte(spoof)); r.Reply.Code != 550 || time.Now().Before(expires) {
		t.Errorf("after the warning, %v after the date: %s", time.Since(expires), r.Reply)
	}
	for _, diff := range cases.CompareLog([]string{
		`level=WARN msg="exception expired and no longer matches" rule=guest at=*alignd.yaml:3 expired=* owner=postmaster ticket=MAIL-17`,
	}, d.Log()) {
		t.Error(diff)
	}
}

// TestReloadReadsTheNamedFiles changes only the files that the configuration
// names; a fault in one of them leaves everything as it was.
func TestReloadReadsTheNamedFiles(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	guest := "exceptions:\n  - {id: guest, action: accept, proof: {clients: [198.51.100.%d]}, never_expires: true}\n"
	put("vendors.yaml", fmt.Sprintf(guest, 65))
	put("vips.txt", "ceo@here.test\n")
	settings := fmt.Sprintf("exceptions: [{file: %q}]\nprofiles: [{id: vips, file: %q, honor: {none: reject}}]\n",
		filepath.Join(dir, "vendors.yaml"), filepath.Join(dir, "vips.txt"))
	d := serveReloading(t, addr, settings)
	s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr}, attacker)
	defer s.Close()
	harmless := []byte(strings.Replace(spoof, "example.com", "example.net", 1))
	expect := func(when string, guestCode, vipCode int) {
		t.Helper()
		if r := transact(t, s, []byte(spoof)); r.Reply.Code != guestCode {
			t.Errorf("%s: the guest gets %s, want %d", when, r.Reply, guestCode)
		}
		if r := transact(t, s, harmless); r.Reply.Code != vipCode {
			t.Errorf("%s: the VIP's mail gets %s, want %d", when, r.Reply, vipCode)
		}
	}
	expect("at the start", 550, 250)
	put("vendors.yaml", fmt.Sprintf(guest, 66))
	d.reload(settings)
	expect("with the guest's address", 250, 250)
	put("vendors.yaml", fmt.Sprintf(guest, 65))
	put("vips.txt", "bob@here.test\n@\n")
	d.reload(settings)
	expect("after a fault in one file", 250, 250)
	for _, diff := range cases.CompareLog([]string{`level=ERROR msg="configuration not reloaded, the old one stays" err="*vips.txt:2:1: *"`}, d.Log()) {
		t.Error(diff)
	}
	put("vips.txt", "bob@here.test\n")
	d.reload(settings)
	expect("with both files changed", 550, 550)
}

// configTail is the part of a test's configuration that names the DNS server.
func configTail(t *testing.T, file string) string {
	t.Helper()
	_, tail, ok := strings.Cut(string(readFile(t, file)), "\ndns:\n")
	if !ok {
		t.Fatalf("%s names no DNS server", file)
	}
	return "\ndns:\n" + tail
}
