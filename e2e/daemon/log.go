package daemon

import (
	"strconv"
	"strings"
	"time"
)

// Judged returns the keys and values of each "message judged" line of the log,
// in order. Lines come a little after the replies, so it waits until no more come.
func (d *Daemon) Judged() []map[string]string {
	var all []map[string]string
	for line := range strings.Lines(d.settledLog()) {
		if kv := parseLine(strings.TrimSpace(line)); kv["msg"] == "message judged" {
			all = append(all, kv)
		}
	}
	return all
}

// settledLog is the log once it has not grown for a while.
func (d *Daemon) settledLog() string {
	const quiet, patience = 30 * time.Millisecond, 5 * time.Second
	log := d.Log()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		time.Sleep(quiet)
		next := d.Log()
		if next == log {
			break
		}
		log = next
	}
	return log
}

// parseLine reads slog's text format: key=value, with the value quoted as in
// Go where it needs to be. What is not of that form is passed over.
func parseLine(line string) map[string]string {
	kv := make(map[string]string)
	for line != "" {
		key, rest, ok := strings.Cut(line, "=")
		if !ok {
			break
		}
		value, after, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			value, _ = strconv.Unquote(quoted)
			after = strings.TrimPrefix(rest[len(quoted):], " ")
		}
		kv[key] = value
		line = after
	}
	return kv
}
