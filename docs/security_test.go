package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each attack of the threat model names a test that is there.
func TestTheThreatModelNamesTests(t *testing.T) {
	page, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, attacks, _ := strings.Cut(string(page), "\n## Attacks, and what holds them\n")
	attacks, _, _ = strings.Cut(attacks, "\n## ")
	tests := testNames(t)
	rows := 0
	for line := range strings.Lines(attacks) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| attack |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|\n "), "|")
		named := inCode.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(named) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, m := range named {
			name := m[1]
			_, err := os.Stat(filepath.Join("..", "testdata", "cases", name))
			if !tests[name] && err != nil && name != "make fuzz" {
				t.Errorf("neither a case nor a test: %s", name)
			}
		}
	}
	if rows < 25 {
		t.Errorf("%d rows of attacks were found", rows)
	}
}

var testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

// testNames are the names of all Go tests of the project.
func testNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
