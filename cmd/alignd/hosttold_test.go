package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon tells of itself without metrics: its listeners, configuration and resolver, what
// became of a reload, and that it stopped. No secret and nothing of a faulty file is in it.
func TestADaemonTellsOfItself(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf("journal: {path: %s}\ndns: {servers: [\"127.0.0.1:1\"]}\nsampling_secret: \"never shown to anybody\"\n", dir)
	s := startServe(t, text)
	file, asks := s.cmd.Args[len(s.cmd.Args)-1], write(t, "asks.yaml", text)
	until := func(what string, is func(*hostTold) bool) (x hostTold) {
		t.Helper()
		for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
			got := alignd(t, "", "journal", "status", "--json", "--config", asks)
			var st journalStatus
			if got.status != 0 || json.Unmarshal([]byte(got.stdout), &st) != nil || len(st.Hosts) != 1 {
				continue
			}
			if strings.Contains(got.stdout, "never shown") {
				t.Error("a secret is told")
			}
			if x = st.Hosts[0]; is(&x) {
				return x
			}
		}
		t.Fatalf("%s: %+v", what, x)
		return x
	}
	x := until("at the start", func(x *hostTold) bool { return len(x.Listeners) > 0 })
	if !x.Listeners[0].Open || x.Listeners[0].By != "alignd" || x.PID != s.cmd.Process.Pid || len(x.Config.Hash) != 64 || x.Config.File != file || x.DNS.Servers[0] != "127.0.0.1:1" || x.MTA.Limit == 0 || !x.Reload.At.IsZero() {
		t.Errorf("%+v", x)
	}
	put := func(more string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text+more), 0o600); err != nil {
			t.Fatal(err)
		}
		s.signal(t, syscall.SIGHUP)
	}
	put("log_format: json\nmode: monitor\n")
	y := until("a reload", func(x *hostTold) bool { return x.Reload.Times == 1 })
	if y.Reload.Failed || y.Reload.By != "SIGHUP" || y.Config.Hash == x.Config.Hash || y.Config.Mode != "monitor" || strings.Join(y.Config.Pending, "") != "log_format" {
		t.Errorf("%+v", y)
	}
	put("mode: \"quoted of the file\"\n")
	z := until("a reload that fails", func(x *hostTold) bool { return x.Reload.Times == 2 })
	if raw, _ := json.Marshal(z); !z.Reload.Failed || z.Config.Hash != y.Config.Hash || strings.Contains(string(raw), "quoted") {
		t.Errorf("%s", raw)
	}
	if got := alignd(t, "", "journal", "status", "--config", asks); !strings.Contains(got.stdout, "the old configuration stays") || !strings.Contains(got.stdout, "listener ") {
		t.Errorf("%+v", got)
	}
	s.terminate(t)
	if x := until("the end", func(x *hostTold) bool { return x.Stopped }); !strings.HasPrefix(x.life(time.Now()), "stopped") {
		t.Errorf("%+v", x)
	}
	x.Stopped = false
	if x.Silent(x.At.Add(2*time.Minute)) || !x.Silent(x.At.Add(4*time.Minute)) {
		t.Error("when it is silent")
	}
}
