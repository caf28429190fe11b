//go:build linux

// Somebody else connects by his number, as on Linux.

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/filled"
)

// socketPages runs alignd web at a unix socket until the test ends, or tells why it cannot.
func socketPages(t *testing.T, dir, mode string) (running *exec.Cmd, socket, said string) {
	t.Helper()
	socket = filepath.Join(dir, "web")
	config := filepath.Join(dir, mode+".yaml")
	text := fmt.Sprintf("journal: {store: sqlite, path: %s}\nsocket_mode: %q\nsocket_group: nogroup\nweb: {listen: \"unix:%s\", users_file: %s/none}\n", dir, mode, socket, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := exec.Command(binary(t), "web", "--config", config)
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			return nil, socket, log.String()
		default:
		}
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return c, socket, ""
		} else if time.Now().After(deadline) {
			t.Fatalf("no pages: %v", err)
		}
	}
}

// TestPagesByASocketWithRights: who may connect may look, nobody else, and a socket for
// everybody is refused.
func TestPagesByASocketWithRights(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" || os.Getuid() != 0 {
		t.Skip("left out: a socket with rights (make test runs it as root; it sets ALIGND_E2E=1)")
	}
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := filled.Journal(t.Context(), dir, 100, 1.5); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"0666", "0662", "0661"} {
		if _, _, said := socketPages(t, dir, mode); !strings.Contains(said, "lets everybody of this host in") {
			t.Errorf("%s: %s", mode, said)
		}
	}
	for range 2 { // the second finds what kill -9 left
		c, socket, said := socketPages(t, dir, "0660")
		if c == nil {
			t.Fatal(said)
		}
		info, err := os.Stat(socket)
		if err != nil || info.Mode().Perm() != 0o660 || info.Sys().(*syscall.Stat_t).Gid == 0 {
			t.Errorf("%v, %v", info, err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}
		for host, want := range map[string]int{"localhost": 200, "evil.example": 421} {
			r, err := http.NewRequest(http.MethodGet, "http://"+host+"/messages.json", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: %d, want %d", host, resp.StatusCode, want)
			}
		}
		if priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, c.Process.Pid); err != nil || 20-priority < 10 {
			t.Errorf("nice %d, %v", 20-priority, err)
		}
		for name, row := range map[string]struct {
			uid, gid int
			may      bool
		}{"the group": {uid: 65534, gid: int(info.Sys().(*syscall.Stat_t).Gid), may: true}, "another": {uid: 65534, gid: 4242}} {
			connect := exec.Command("setpriv", fmt.Sprint("--reuid=", row.uid), fmt.Sprint("--regid=", row.gid), "--clear-groups", "curl", "--silent", "--max-time", "5", "--unix-socket", socket, "http://localhost/messages.json")
			out, err := connect.CombinedOutput()
			if (err == nil && strings.Contains(string(out), "messages")) != row.may {
				t.Errorf("%s: %v %.200s", name, err, out)
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
