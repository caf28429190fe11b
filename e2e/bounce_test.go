package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/mta"
)

// bounced is a site whose reports come back.
type bounced struct {
	t      *testing.T
	d      *daemon.Daemon
	config string
}

func (b *bounced) alignd(in []byte, args ...string) string {
	b.t.Helper()
	cmd := exec.Command(b.d.Binary, append(args, "--config", b.config)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("alignd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// state is where the report to an address stands.
func (b *bounced) state(target string) string {
	b.t.Helper()
	var s struct {
		Outbox []struct{ Target, State string }
	}
	if err := json.Unmarshal([]byte(b.alignd(nil, "report", "status", "--json", "--offline")), &s); err != nil {
		b.t.Fatal(err)
	}
	for _, x := range s.Outbox {
		if x.Target == target {
			return x.State
		}
	}
	return "nowhere"
}

func (b *bounced) is(target, want string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && got != want; time.Sleep(100 * time.Millisecond) {
		got = b.state(target)
	}
	if got != want {
		b.t.Errorf("the report to %s is %s, want %s", target, got, want)
	}
}

// TestReportsComeBack has Postfix bounce reports. What it makes itself passes no milter,
// also where non_smtpd_milters names one, so alignd hears of it by a pipe or Maildir
// only; what comes from outside it sees by itself.
func TestReportsComeBack(t *testing.T) {
	p := realMTA(t)
	for _, set := range [][2]string{
		{"non_smtpd_milters=" + behind(""), "non_smtpd_milters="},
		// Mail to others is taken, and comes back as nobody answers there.
		{"default_transport=lmtp:inet:127.0.0.1:1", "default_transport=error:no mail leaves a test"},
	} {
		if err := p.Set(set[0]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Set(set[1]) })
	}
	owners := []string{"piped.example", "boxed.example", "remote.example"}
	zone := ""
	for _, name := range owners {
		zone += fmt.Sprintf("_dmarc.%s TXT \"v=DMARC1; p=none; rua=mailto:r@%s\"\n%s TXT \"v=spf1 ip4:198.51.100.66 -all\"\n", name, name, name)
	}
	b := &bounced{t: t, config: writeFile(t, "alignd.yaml", fmt.Sprintf(
		"journal: {path: %s}\nreports: {from: dmarc@here.test, bounces: dmarc-bounces@here.test, to: [all], relay: 'inet:%s', tls: none}\ndns: {servers: [%q]}\n",
		filepath.Join(t.TempDir(), "state"), p.Addr(""), serveText(t, zone).Addr()))}
	b.d = &daemon.Daemon{Binary: binary(t), Listen: behind(""), Config: b.config}
	startDaemon(t, b.d)
	days := []string{time.Now().UTC().Format(time.DateOnly)}
	for i, name := range owners {
		text := fmt.Sprintf("From: a@%s\nTo: bob@here.test\nSubject: %d\nDate: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: <%d@%s>\n\nx\n", name, i, time.Now().UnixNano(), name)
		if reply := sendFrom(t, p, "x@"+name, text); reply.Code != 250 {
			t.Fatalf("%s: %s", name, reply)
		}
	}
	days = append(days, time.Now().UTC().Format(time.DateOnly)) // it may be midnight
	p.Sink().Take()
	if err := b.d.Stop(); err != nil { // what is gathered is written
		t.Fatal(err)
	}
	for _, day := range days {
		_ = exec.Command(b.d.Binary, "report", "send", "--config", b.config, "--day", day).Run() // the second time there is none
	}
	startAgain(t, b.d) // a start looks at once
	local := b.notifications(p, len(owners))
	for name, n := range local {
		// What the sink takes for its queue id is that of the report, in the part that is returned.
		own := regexp.MustCompile(`(?s)^Received: by mx\.here\.test \(Postfix\)\s+id ([0-9A-F]+);`).FindSubmatch(n.Data)
		if own == nil {
			t.Fatalf("it does not begin as what Postfix makes:\n%.300s", n.Data)
		}
		if log := b.d.Log(); strings.Contains(log, "queue_id="+string(own[1])) || !strings.Contains(log, "queue_id="+n.QueueID) {
			t.Errorf("the notification about %s that Postfix made passed the milter, or the report did not", name)
		}
		b.is("r@"+name, "sent")
	}

	piped := local["piped.example"]
	b.alignd(piped.Data, "report", "bounce", "--recipient", piped.To[0])
	b.is("r@piped.example", "bounced")

	box := t.TempDir()
	for _, name := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(box, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	boxed := local["boxed.example"]
	if err := os.WriteFile(filepath.Join(box, "new", "1"), append([]byte("Return-Path: <>\r\nDelivered-To: "+boxed.To[0]+"\r\n"), boxed.Data...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.alignd(nil, "report", "bounce", box)
	b.is("r@boxed.example", "bounced")

	b.remote(p, local["remote.example"])
}

// notifications are those that Postfix made, by the domain of the report.
func (b *bounced) notifications(p *mta.Postfix, n int) map[string]*mta.Delivery {
	b.t.Helper()
	all := map[string]*mta.Delivery{}
	for end := time.Now().Add(60 * time.Second); len(all) < n && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for _, x := range p.Sink().Take() {
			if x.From != "" || !strings.HasPrefix(x.To[0], "dmarc-bounces+") {
				continue
			}
			_, about, _ := strings.Cut(string(x.Data), "Report Domain: ")
			name, _, _ := strings.Cut(about, " ")
			all[name] = x
		}
	}
	if len(all) < n {
		b.t.Fatalf("%d notifications came back, want %d", len(all), n)
	}
	return all
}

// remote has a notification come from outside, which alignd takes and leaves as it is.
// Others like it are mail as any.
func (b *bounced) remote(p *mta.Postfix, local *mta.Delivery) {
	b.t.Helper()
	token := local.To[0]
	send := func(from string, to ...string) {
		b.t.Helper()
		c := dial(b.t, p, "", "203.0.113.9")
		for _, cmd := range append([]string{"EHLO mx.remote.example", "MAIL FROM:<" + from + ">"}, to...) {
			if reply, err := c.Command("%s", cmd); err != nil || reply.Code != 250 {
				b.t.Fatalf("%s: %v, %v", cmd, reply, err)
			}
		}
		reply, err := c.Data(local.Data)
		if err != nil || reply.Code != 250 {
			b.t.Fatalf("%v, %v", reply, err)
		}
	}
	send("ann@remote.example", "RCPT TO:<"+token+">")
	send("", "RCPT TO:<"+token+">", "RCPT TO:<bob@here.test>")
	send("", "RCPT TO:<dmarc-bounces+000000000000000000000000@here.test>")
	time.Sleep(300 * time.Millisecond)
	b.is("r@remote.example", "sent")
	send("", "RCPT TO:<"+token+">")
	b.is("r@remote.example", "bounced")
	send("", "RCPT TO:<"+token+">") // a copy
	time.Sleep(300 * time.Millisecond)
	var s struct {
		Suppressed []struct {
			Target string
			Times  int
		}
	}
	if err := json.Unmarshal([]byte(b.alignd(nil, "report", "status", "--json", "--offline")), &s); err != nil || len(s.Suppressed) != 3 {
		b.t.Fatal(s, err)
	}
	for _, x := range s.Suppressed {
		if x.Times != 1 {
			b.t.Errorf("%s was suppressed %d times", x.Target, x.Times)
		}
	}
}
