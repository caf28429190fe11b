package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
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

func TestEachKeyIsAFieldOfTheJournal(t *testing.T) {
	var got entry
	h := newLogHandler(slog.LevelInfo, logJournald, func(e entry) { got = e })
	slog.New(h).With("component", "filter").Warn("message judged", "queue_id", "4F1",
		slog.Attr{Value: slog.GroupValue(slog.Int("size", 12), slog.String("reason", "a\nb"))}) // as judge.Log hands on its keys
	want := map[string]string{
		"SYSLOG_FACILITY": "2", "SYSLOG_IDENTIFIER": "alignd", "SYSLOG_PID": strconv.Itoa(os.Getpid()), "ALIGND_MSG": "message judged",
		"ALIGND_QUEUE_ID": "4F1", "ALIGND_SIZE": "12", "ALIGND_REASON": "a\nb", "ALIGND_COMPONENT": "filter",
	}
	if !maps.Equal(got.fields, want) {
		t.Errorf("fields: got %v, want %v", got.fields, want)
	}
	if line := `msg="message judged" queue_id=4F1 size=12 reason="a\nb" component=filter` + "\n"; string(got.line) != line {
		t.Errorf("got %q, want %q", got.line, line)
	}
	if got.priority != 4 {
		t.Errorf("priority: got %d, want 4, warning", got.priority)
	}
}

func TestTheLogAsJSONIsOneObjectALine(t *testing.T) {
	var got entry
	h := newLogHandler(slog.LevelInfo, logJSON, func(e entry) { got = e })
	slog.New(h).Info("message judged", "queue_id", "4F1\n", "size", 12)
	var object map[string]any
	if err := json.Unmarshal(got.line, &object); err != nil || strings.Count(string(got.line), "\n") != 1 {
		t.Fatalf("%q: %v", got.line, err)
	}
	if object["queue_id"] != "4F1\n" || object["size"] != 12.0 || object["level"] != "INFO" || object["time"] == nil {
		t.Errorf("got %v", object)
	}
}
