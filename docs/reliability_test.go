package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Each test of a fault stands in reliability.md, and each that stands there exists.
func TestFaultsAreListed(t *testing.T) {
	page, err := os.ReadFile("reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("`(TestFault[A-Z][A-Za-z]+)").FindAllSubmatch(page, -1) {
		listed[string(m[1])] = true
	}
	files, err := filepath.Glob("../e2e/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (TestFault[A-Z][A-Za-z]+)`).FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
	}
	if len(there) < 10 {
		t.Fatalf("only %d tests of faults", len(there))
	}
	for name := range there {
		if !listed[name] {
			t.Errorf("reliability.md does not list %s", name)
		}
	}
	for name := range listed {
		if !there[name] {
			t.Errorf("reliability.md lists %s, which does not exist", name)
		}
	}
}
