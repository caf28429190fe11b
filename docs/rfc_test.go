// Package docs has tests only: of what the documents say about the tree.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// named is a test as the tables name it: package or folder, then the
	// function.
	named = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	// declared is a test in a file.
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	// clause says the package of a file.
	clause = regexp.MustCompile(`(?m)^package ([a-z0-9]+)`)
	// ofCase is a folder of testdata/cases.
	ofCase = regexp.MustCompile(`\(([0-9]{2}-[a-z-]+)\)`)
)

// tests are the names in the tree's test files, "package.Test".
func tests(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		for _, m := range declared.FindAllSubmatch(text, -1) {
			all[folder+"."+string(m[1])] = true
			all[string(clause.FindSubmatch(text)[1])+"."+string(m[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What the tables of the RFCs cite is there.
func TestTablesNameWhatExists(t *testing.T) {
	there := tests(t)
	pages, err := filepath.Glob("rfc*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		cited := named.FindAllSubmatch(text, -1)
		for _, m := range cited {
			if name := string(m[1]) + "." + string(m[2]); !there[name] {
				t.Errorf("%s: there is no test %s", page, name)
			}
		}
		for _, m := range ofCase.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", "testdata", "cases", string(m[1]))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
		t.Logf("%s cites %d tests", page, len(cited))
	}
}
