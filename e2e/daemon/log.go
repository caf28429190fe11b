package daemon

import (
	"strconv"
	"strings"
)

// Judged returns the keys and values of each "message judged" line of the log,
// in order.
func (d *Daemon) Judged() []map[string]string {
	var all []map[string]string
	for line := range strings.Lines(d.Log()) {
		if kv := parseLine(strings.TrimSpace(line)); kv["msg"] == "message judged" {
			all = append(all, kv)
		}
	}
	return all
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
