package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// rowsOf are the rows of the first table below a heading, without its head.
func rowsOf(t *testing.T, page, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, text2, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", page, heading)
	}
	var rows []string
	for line := range strings.Lines(text2) {
		if strings.HasPrefix(line, "|") {
			rows = append(rows, line)
		} else if len(rows) > 0 {
			break
		}
	}
	if len(rows) < 3 {
		t.Fatalf("%s: no table below %q", page, heading)
	}
	return rows[2:]
}

var inCode = regexp.MustCompile("`([^`]+)`")

// quoted is what stands between backquotes in the first cell of a row.
func quoted(row string) []string {
	cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
	var all []string
	for _, m := range inCode.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}
