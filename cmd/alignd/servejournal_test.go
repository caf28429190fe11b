package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without a folder that can be written, and beside a daemon that writes to it, alignd
// runs without a journal: it says so once, and mail goes on.
func TestWithoutAFolderMailGoesOnAndItIsSaidOnce(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "taken")
	startServe(t, fmt.Sprintf("journal: {path: %s}\ndns: {servers: [\"127.0.0.1:1\"]}\n", taken))
	for _, row := range []struct{ name, path, want string }{
		{name: "a folder that cannot be made", path: filepath.Join(write(t, "file", ""), "x"), want: "not a directory"},
		{name: "a folder that another daemon uses", path: taken, want: "another process uses this spool"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startServe(t, fmt.Sprintf("journal: {path: %s}\ndns: {servers: [\"127.0.0.1:1\"]}\n", row.path))
			s.deliver(t, 2)
			for reloads := 1; reloads < 3; reloads++ {
				s.signal(t, syscall.SIGHUP)
				for start := time.Now(); strings.Count(s.stderr.String(), "configuration reloaded") < reloads; time.Sleep(5 * time.Millisecond) {
					if time.Since(start) > 20*time.Second {
						t.Fatal("no reload")
					}
				}
			}
			s.terminate(t)
			log := s.stderr.String()
			if strings.Count(log, "no journal is kept") != 1 || !strings.Contains(log, row.want) || !strings.Contains(log, "journal=none") ||
				strings.Contains(log, "level=ERROR") || !s.cmd.ProcessState.Success() {
				t.Errorf("want %q, once", row.want)
			}
		})
	}
}
