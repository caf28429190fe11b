package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Match reports whether text is the pattern, in which "*" stands for any
// text, also for none.
func Match(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	if len(parts) == 1 {
		return text == pattern
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}

// CompareLines returns one line for each difference between what is wanted
// and what came, pairwise; nothing when all agree.
func CompareLines(want, got []string) []string {
	var diff []string
	for i := 0; i < max(len(want), len(got)); i++ {
		switch {
		case i >= len(got):
			diff = append(diff, "missing: "+want[i])
		case i >= len(want):
			diff = append(diff, "surplus: "+got[i])
		case !Match(want[i], got[i]):
			diff = append(diff, "want: "+want[i], " got: "+got[i])
		}
	}
	return diff
}

// Flatten turns a JSON object into "path" -> value, e.g. "dkim.0.result" ->
// "pass". Strings are themselves, other scalars as JSON writes them; an empty
// or null array has the entry "path" -> "[]".
func Flatten(data []byte) (map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	out := make(map[string]string)
	flatten(out, "", v)
	return out, nil
}

func flatten(out map[string]string, path string, v any) {
	below := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			flatten(out, below(key), value)
		}
	case []any:
		if len(v) == 0 {
			out[path] = "[]"
		}
		for i, value := range v {
			flatten(out, below(strconv.Itoa(i)), value)
		}
	case string:
		out[path] = v
	case nil:
		out[path] = "[]"
	default:
		out[path] = fmt.Sprint(v)
	}
}

// CompareVerdict checks "key=pattern" lines against a flattened object.
func CompareVerdict(want []string, got map[string]string) []string {
	var diff []string
	for _, line := range want {
		key, pattern, ok := strings.Cut(line, "=")
		value, known := got[key]
		switch {
		case !ok:
			diff = append(diff, "not key=pattern: "+line)
		case !known:
			diff = append(diff, fmt.Sprintf("want %s, but there is no such key; keys: %s", line, keys(got)))
		case !Match(pattern, value):
			diff = append(diff, fmt.Sprintf("want %s, got %s", line, value))
		}
	}
	return diff
}

func keys(m map[string]string) string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// CompareLog checks patterns against the lines of a log.
func CompareLog(want []string, log string) []string {
	var diff []string
	for _, pattern := range want {
		bare, forbidden := strings.CutPrefix(pattern, "!")
		found := false
		for line := range strings.Lines(log) {
			found = found || Match("*"+bare+"*", strings.TrimRight(line, "\r\n"))
		}
		if found == forbidden {
			diff = append(diff, "log: "+pattern)
		}
	}
	return diff
}
