package read

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An element that is not closed ends where one begins that it cannot hold: nothing is lost,
// and no record is read as part of another one.
func TestElementsThatAreNotClosed(t *testing.T) {
	other := strings.NewReplacer("192.0.2.1", "192.0.2.2", "<count>3", "<count>4", ">local_policy<", ">other<").Replace(record)
	text := strings.Replace(report9990("r1"), record, record+other, 1)
	k, _ := readAll(t, Limits{}, text)
	want := valuesOf(t, k)
	if len(k.records[0]) != 2 {
		t.Fatalf("got %d records", len(k.records[0]))
	}
	ends := regexp.MustCompile(`</([a-z_]+)>`)
	var names []string
	for _, m := range ends.FindAllStringSubmatch(text, -1) {
		if name := m[1]; name != "feedback" && !prose[name] && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) < 25 {
		t.Fatalf("got %q", names)
	}
	for _, name := range names {
		end := "</" + name + ">"
		for _, file := range []string{strings.Replace(text, end, "", 1), strings.ReplaceAll(text, end, ""), strings.ReplaceAll(text, end, "/"+name+">")} {
			k, n := readAll(t, Limits{}, file)
			if got := valuesOf(t, k); n[0] != 1 || got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
			if told := strings.Join(k.problems, "\n"); !strings.Contains(told, "<"+name+"> is not closed") {
				t.Errorf("%s: problems %q", name, k.problems)
			}
		}
	}
	k, _ = readAll(t, Limits{}, ends.ReplaceAllStringFunc(text, func(end string) string {
		if name := strings.Trim(end, "</>"); name == "feedback" || prose[name] {
			return end
		}
		return ""
	}))
	if got := valuesOf(t, k); got != want {
		t.Errorf("none is closed:\n got %s\nwant %s", got, want)
	}
}
