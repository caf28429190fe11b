package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"alignd/explain"
)

// change is a place of the JSON object that differs between two configurations.
type change struct {
	Path   string `json:"path"` // JSON Pointer (RFC 6901)
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// changesOf compares what a message's two objects show. Which configuration it was,
// and how long it took, is no difference.
func changesOf(c *checked) (before, after json.RawMessage, changes []change) {
	sideBySide := []any{nil, nil}
	var texts []json.RawMessage
	var dispositions []map[string]any
	for i := range c.by {
		text := checkJSONOf(c, &c.by[i], "")
		_ = json.Unmarshal(text, &sideBySide[i]) // it is ours
		object, _ := sideBySide[i].(map[string]any)
		for _, key := range []string{"basis", "elapsed_ms", "token", "time", "key"} {
			delete(object, key)
		}
		if d, ok := object["disposition"].(map[string]any); ok { // where a rule stands changes nothing
			delete(d, "file")
			delete(d, "line")
			dispositions = append(dispositions, d)
		}
		texts = append(texts, text)
	}
	passOver(dispositions)
	changes = compared("", sideBySide[0], sideBySide[1], nil)
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(weight(a.Path), weight(b.Path)) })
	return texts[0], texts[1], changes
}

// passOver takes monitor mode and the stage of a rollout out where they held nothing
// back and the same is done. Else all mail would differ between monitor and enforce,
// and between two stages.
func passOver(dispositions []map[string]any) {
	if len(dispositions) != 2 {
		return
	}
	for _, d := range dispositions {
		for _, key := range []string{"action", "delivery", "reply"} {
			held, ok := d["monitor"].(map[string]any)
			if ok && held[key] != d[key] || d[key] != dispositions[0][key] {
				return
			}
		}
	}
	for _, d := range dispositions {
		delete(d, "monitor")
		delete(d, "stage")
	}
}

// weight puts what becomes of the message first.
func weight(path string) int {
	for i, first := range []string{"/disposition/delivery", "/disposition/action", "/disposition", "/dmarc", "/spf", "/authentication_results"} {
		if strings.HasPrefix(path, first) {
			return i
		}
	}
	return 10
}

func compared(path string, before, after any, list []change) []change {
	if reflect.DeepEqual(before, after) {
		return list
	}
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]bool{}
		for key := range b {
			keys[key] = true
		}
		for key := range a {
			keys[key] = true
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			list = compared(path+"/"+key, b[key], a[key], list)
		}
		return list
	case []any:
		a, ok := after.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range b {
			list = compared(path+"/"+strconv.Itoa(i), b[i], a[i], list)
		}
		return list
	}
	return append(list, change{path, before, after})
}

// jsonDiff prints one object for a message, on one line.
func jsonDiff(out io.Writer, source string) func(*checked) error {
	return func(c *checked) error {
		before, after, changes := changesOf(c)
		if changes == nil {
			changes = []change{}
		}
		line, err := json.Marshal(struct {
			Source  string          `json:"source,omitempty"`
			Differs bool            `json:"differs"`
			Changes []change        `json:"changes"`
			Before  json.RawMessage `json:"before"`
			After   json.RawMessage `json:"after"`
		}{source, len(changes) > 0, changes, before, after})
		if err != nil {
			return err
		}
		return writeLine(out, line)
	}
}

// maxChanges is how many differences of one message are shown to people; ours.
const maxChanges = 40

// explainDiff shows what differs between the two configurations for one message.
func explainDiff(out io.Writer, c *checked) error {
	_, _, changes := changesOf(c)
	for _, n := range c.notes {
		fmt.Fprintf(out, "note: %s\n", printable(n))
	}
	for i := range c.by {
		r := resultsOf(&c.by[i].j)
		fmt.Fprintf(out, "%-6s  delivery %s, requested %s, dmarc=%s for %s: %s\n", sideNames[i], r.delivery, r.requested, r.dmarc, printable(r.author), printable(c.by[i].j.Verdict.Reason))
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(out, "\nnothing differs")
		return err
	}
	fmt.Fprintln(out, "\nwhat differs")
	for i, ch := range changes {
		if i == maxChanges {
			fmt.Fprintf(out, "  and %d more; --json shows all\n", len(changes)-i)
			break
		}
		fmt.Fprintf(out, "  %s\n    before: %s\n    after:  %s\n", printable(strings.TrimPrefix(ch.Path, "/")), shownValue(ch.Before), shownValue(ch.After))
	}
	return nil
}

var sideNames = []string{"before", "after"}

func shownValue(v any) string {
	if v == nil {
		return "(absent)"
	}
	text, _ := json.Marshal(v)
	return printable(shortened(strings.ToValidUTF8(string(text), "?"), 300))
}

// diffTable lists the messages of which something differs, and counts.
type diffTable struct {
	out                     io.Writer
	messages, differ, shown int
	sums                    sums
}

func newDiffTable(out io.Writer) *diffTable { return &diffTable{out: out, sums: sums{}} }

const diffColumns = "%-27s %-22s %-24s %s\n"

func (t *diffTable) add(c *checked) error {
	t.messages++
	_, _, changes := changesOf(c)
	if len(changes) == 0 {
		return nil
	}
	t.differ++
	before, after := resultsOf(&c.by[0].j), resultsOf(&c.by[1].j)
	delivery, result := becomes(before.delivery, after.delivery), becomes(before.dmarc, after.dmarc)
	if before.delivery == after.delivery { // what is held back may differ
		delivery = becomes(explain.Delivery(&c.by[0].j.Verdict), explain.Delivery(&c.by[1].j.Verdict))
	}
	name := printable(c.name)
	if !strings.Contains(delivery+result, "->") {
		name += "  (" + printable(places(changes)) + ")"
	}
	t.sums.count("delivery " + delivery)
	if t.shown++; t.shown == 1 {
		fmt.Fprintf(t.out, diffColumns, "delivery", "dmarc", "author domain", "message")
	}
	_, err := fmt.Fprintf(t.out, diffColumns, delivery, result, printable(shortened(after.author, 60)), name)
	return err
}

// places names where two objects differ, for a line that shows nothing of it else.
func places(changes []change) string {
	const most = 3
	var names []string
	for _, ch := range changes {
		parts := strings.Split(strings.TrimPrefix(ch.Path, "/"), "/")
		if name := strings.Join(parts[:min(2, len(parts))], "/"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

func becomes(before, after string) string {
	if before == after {
		return before
	}
	return before + " -> " + after
}

func (t *diffTable) end() error {
	if t.differ > 0 {
		fmt.Fprintln(t.out)
	}
	fmt.Fprintf(t.out, "%d messages, %d differ\n", t.messages, t.differ)
	return t.sums.print(t.out)
}
