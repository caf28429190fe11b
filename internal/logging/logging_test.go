package logging

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestEachKeyIsAFieldOfTheJournal(t *testing.T) {
	var got entry
	h := newHandler(slog.LevelInfo, Journald, func(e entry) { got = e })
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
	h := newHandler(slog.LevelInfo, JSON, func(e entry) { got = e })
	slog.New(h).Info("message judged", "queue_id", "4F1\n", "size", 12)
	var object map[string]any
	if err := json.Unmarshal(got.line, &object); err != nil || strings.Count(string(got.line), "\n") != 1 {
		t.Fatalf("%q: %v", got.line, err)
	}
	if object["queue_id"] != "4F1\n" || object["size"] != 12.0 || object["level"] != "INFO" || object["time"] == nil {
		t.Errorf("got %v", object)
	}
}
