package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/port"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// watched is a daemon whose metrics are asked.
type watched struct {
	serving
	t        *testing.T
	settings string // that begin its configuration
	dns      *dnsserver.Server
	client   http.Client
}

// watch starts a daemon whose metrics are at place, "inet:..." or "unix:...".
func watch(t *testing.T, place, settings string) *watched {
	t.Helper()
	zone, err := resolver.ParseZone(strings.NewReader("_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\nexample.com. TXT \"v=spf1 -all\"\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t}
	if w.dns, err = dnsserver.ServeZone(zone, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.dns.Close() })
	network, address, _ := strings.Cut(place, ":")
	if network == "inet" {
		network = "tcp"
	}
	w.client = http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	w.settings = fmt.Sprintf("dns: {servers: [%q], timeout: 300ms, attempts: 1}\n", w.dns.Addr())
	w.start(t, w.settings+fmt.Sprintf("metrics: {listen: %q}\n", place)+settings, &w.stderr)
	return w
}

func (w *watched) get(path string) (status int, body string) {
	w.t.Helper()
	r, err := w.client.Get("http://alignd" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// expect waits until /metrics has these lines.
func (w *watched) expect(when string, lines ...string) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, text := w.get("/metrics")
		missing := ""
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line+"\n") {
				missing = line
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: no line %q in\n%s", when, missing, regexp.MustCompile("(?m)^(#.*|(go|process)_.*)\n").ReplaceAllString(text, ""))
		}
	}
}

// expectReady waits for an answer of /readyz.
func (w *watched) expectReady(when string, want int, reason string) {
	w.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		status, body := w.get("/readyz")
		if status == want && strings.Contains(body, reason) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %d %q, want %d %q", when, status, body, want, reason)
		}
	}
}

func freePlace(t *testing.T) string {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return "inet:" + addr
}

// forged has one forged message judged; client may be left in the middle of it.
func (w *watched) forged() *fakemta.Session {
	w.t.Helper()
	client := fakemta.Dial(w.mta, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<bob@here.test>"} {
		if r := client.Command(line); r.Code != 250 {
			w.t.Fatalf("%s: %s", line, r)
		}
	}
	return client
}

func TestMetricsTellWhatTheDaemonDid(t *testing.T) {
	w := watch(t, freePlace(t), "")
	w.expectReady("after the start", 200, "ready")
	w.expect("at first", `alignd_messages_ended_total{end="answered"} 0`, `alignd_config_last_reload_successful 1`,
		`alignd_config_reloads_total{result="success"} 0`)
	client := w.forged()
	w.expect("in a message", `alignd_messages_in_progress 1`, `alignd_sessions_total 1`, `alignd_connections 1`)
	if r := client.Data([]byte("Authentication-Results: mx.here.test; dmarc=pass\nFrom: a@example.com\n\nhello\n")); r.Reply.Code != 550 {
		t.Fatalf("a forged message got %s", r.Reply)
	}
	client.Close()
	w.deliver(t, 1)
	w.expect("after two messages",
		`alignd_messages_total{delivery="refuse",disposition="reject",step="published policy"} 1`,
		`alignd_messages_total{delivery="deliver",disposition="accept",step="not judged"} 1`,
		`alignd_messages_ended_total{end="answered"} 2`,
		`alignd_results_total{method="spf",result="fail"} 1`, `alignd_results_total{method="dmarc",result="fail"} 1`,
		`alignd_results_total{method="dkim",result="none"} 1`, `alignd_results_total{method="arc",result="none"} 1`,
		`alignd_rule_hits_total{rule="loopback"} 1`,
		`alignd_dns_questions_total{outcome="NOERROR"} 2`, `alignd_dns_questions_total{outcome="NXDOMAIN"} 1`, `alignd_dns_cache_misses_total 3`,
		`alignd_message_receiving_seconds_count 2`, `alignd_message_checking_seconds_count 2`, `alignd_message_answering_seconds_count 2`,
		`alignd_messages_in_progress 0`, `alignd_sessions_total 2`, `alignd_log_lines_lost_total 0`)
}

// A reload takes up rules, and never a listener: that it says, in log and metrics.
func TestMetricsAndReloads(t *testing.T) {
	place := freePlace(t)
	w := watch(t, place, "exceptions: [{id: before, action: tag, proof: {clients: [198.51.100.66]}, never_expires: true}]\n")
	config := w.cmd.Args[len(w.cmd.Args)-1]
	reload := func(settings string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(w.settings+settings+noJournal), 0o600); err != nil {
			t.Fatal(err)
		}
		w.signal(t, syscall.SIGHUP)
	}
	judge := func() {
		t.Helper()
		client := w.forged()
		defer client.Close()
		if r := client.Data([]byte("From: a@example.com\n\nhello\n")); r.Reply.Code != 250 {
			t.Fatalf("got %s", r.Reply)
		}
	}
	judge()
	w.expect("before", `alignd_rule_hits_total{rule="before"} 1`)
	_, before := w.get("/metrics")
	reload(fmt.Sprintf("metrics: {listen: %q}\n", freePlace(t)) +
		"exceptions: [{id: after, action: tag, proof: {clients: [198.51.100.66]}, never_expires: true}]\n")
	w.expect("after a reload", `alignd_config_reloads_total{result="success"} 1`, `alignd_config_pending_restart_options 1`)
	judge()
	w.expect("after a message", `alignd_rule_hits_total{rule="after"} 1`)
	_, after := w.get("/metrics")
	if strings.Contains(after, `{rule="before"}`) {
		t.Error("the series of a rule that is gone is still there")
	}
	info := regexp.MustCompile(`alignd_config_info\{hash="[0-9a-f]{64}",mode="enforce"\} 1`)
	if a, b := info.FindString(before), info.FindAllString(after, -1); a == "" || len(b) != 1 || a == b[0] {
		t.Errorf("the hash was %q and is %q", a, b)
	}
	reload("nonsense: true\n")
	w.expect("after a fault", `alignd_config_reloads_total{result="failure"} 1`, `alignd_config_last_reload_successful 0`)
	reload(fmt.Sprintf("metrics: {listen: %q}\n", place))
	w.expect("after it was put right", `alignd_config_last_reload_successful 1`, `alignd_config_pending_restart_options 0`)
	w.terminate(t)
	if log := w.stderr.String(); !strings.Contains(log, "changed options need a restart") || !strings.Contains(log, "options=[metrics]") {
		t.Error("the log does not say that the listener stays")
	}
}

func TestReadyzTellsWhyMailIsNotJudged(t *testing.T) {
	w := watch(t, freePlace(t), "")
	w.expectReady("with DNS", 200, "")
	zone, err := resolver.ParseZone(strings.NewReader("*. SERVFAIL\n_dmarc.com. SERVFAIL\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	w.dns.Reload(zone)
	w.expectReady("DNS that fails", 503, "SERVFAIL")
	w.dns.Close()
	w.expectReady("without DNS", 503, "not ready: DNS does not answer")
	if status, _ := w.get("/healthz"); status != 200 {
		t.Errorf("the process answers, and healthz says %d", status)
	}
	if err := os.RemoveAll(filepath.Dir(w.mta.Address)); err != nil { // or alignd opened it again
		t.Fatal(err)
	}
	w.expectReady("the socket is gone", 503, "no such file")
}

func TestReadyzSaysSoWhileTheDaemonDrains(t *testing.T) {
	w := watch(t, freePlace(t), "")
	client := w.forged()
	defer client.Close()
	w.signal(t, syscall.SIGTERM)
	w.expectReady("draining", 503, "no listener is open")
	if status, _ := w.get("/healthz"); status != 200 {
		t.Errorf("healthz says %d", status)
	}
	client.Close()
	if !w.within(20 * time.Second) {
		t.Error("the daemon does not end")
	}
}

func TestMetricsAtAUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "alignd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "m")
	w := watch(t, "unix:"+path, "socket_mode: \"0640\"\n")
	w.expectReady("after the start", 200, "")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	w.terminate(t)
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket stays behind")
	}
}

// Nothing listens unless it is asked for, and a place that is taken is told at the
// start.
func TestMetricsAreOffByDefaultAndAFaultyPlaceIsTold(t *testing.T) {
	if cfg, err := newDaemon(os.DevNull, nil); err != nil || len(cfg.cfg.Metrics.Listen) != 0 {
		t.Errorf("%v", err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "s")
	for _, row := range []struct {
		metrics string
		status  int
		want    string
	}{
		{metrics: "inet:" + taken.Addr().String(), status: 1, want: "metrics.listen: listen tcp4"},
		{metrics: "inet:0.0.0.0:1", status: 2, want: "is no loopback address"},
	} {
		got := alignd(t, "", "serve", "--listen", "unix:"+socket, "--config", write(t, "alignd.yaml", fmt.Sprintf(noJournal+"metrics: {listen: %q}\n", row.metrics)))
		if got.status != row.status || !strings.Contains(got.stderr, row.want) {
			t.Errorf("%s: %+v, want %d %q", row.metrics, got, row.status, row.want)
		}
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the MTA's socket stays behind")
	}
}
