package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd.exec(5): JOURNAL_STREAM names a device and an inode, which are to be
// compared. It is also set where only standard output is the journal's.
func TestTheLogHasTimesUnlessTheJournalKeepsThem(t *testing.T) {
	for _, row := range []struct {
		name    string
		stream  func(*syscall.Stat_t) string
		journal bool
	}{
		{name: "not under systemd", stream: func(*syscall.Stat_t) string { return "" }},
		{name: "standard error is the journal's", stream: func(st *syscall.Stat_t) string {
			return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
		}, journal: true},
		{name: "standard error is another file", stream: func(st *syscall.Stat_t) string {
			return fmt.Sprintf("%d:%d", st.Dev, st.Ino+1)
		}},
		{name: "it names no stream", stream: func(*syscall.Stat_t) string { return "1" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			log, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			st := new(syscall.Stat_t)
			if err := syscall.Fstat(int(log.Fd()), st); err != nil {
				t.Fatal(err)
			}
			s := &serving{env: []string{"JOURNAL_STREAM=" + row.stream(st)}}
			s.start(t, "dns: {servers: [\"127.0.0.1:1\"]}\n", log)
			s.signal(t, syscall.SIGTERM)
			if !s.within(30 * time.Second) {
				t.Fatal("still there after SIGTERM")
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if journal := strings.HasPrefix(line, "<6>msg="); journal != row.journal {
					t.Errorf("%s: got %q", s.env[0], line)
				}
				if timed := strings.HasPrefix(line, "time="); timed == row.journal {
					t.Errorf("%s: got %q", s.env[0], line)
				}
			}
		})
	}
}
