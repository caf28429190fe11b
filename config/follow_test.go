package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var valueLine = regexp.MustCompile(`^( *(?:- )?)([a-z_]+):( +)(\S.*)$`)

// Each value of the examples is spoiled in several ways, one at a time: every fault
// that is told is in that line, so none is only a consequence.
func TestNothingIsToldThatOnlyFollows(t *testing.T) {
	text := strings.ReplaceAll(string(DefaultText()), ": []\n#  ", ":\n#  ")
	text = entryExample.ReplaceAllString(text, "$1")
	dir := folder(t, map[string]string{"executives.txt": "cfo@here.test\n"})
	file := filepath.Join(dir, "alignd.yaml")
	lines := strings.Split(text, "\n")
	spoiled := 0
	for i, line := range lines {
		m := valueLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, bad := range []string{
			m[1] + m[2] + ": \"§ §\"", m[1] + m[2] + ": [", m[1] + m[2] + ": {a: b}", m[1] + m[2] + ": a: b", m[1] + m[2] + ": \"", m[1] + m[2] + ": @", m[1] + m[2] + "_: " + m[4],
		} {
			changed := append(append(append([]string{}, lines[:i]...), bad), lines[i+1:]...)
			_, err := Parse([]byte(strings.Join(changed, "\n")), file, testNow)
			var problems Problems
			if !errors.As(err, &problems) {
				continue // some options take any text
			}
			spoiled++
			for _, p := range problems {
				if p.Line != i+1 && !strings.Contains(p.Text, "is not the id of a trusted sealer") { // nor is it, once the id is spoiled
					t.Errorf("line %d is %q: a fault of another line: %v", i+1, bad, fmt.Sprint(p)[len(dir):])
				}
			}
		}
	}
	if spoiled < 500 {
		t.Errorf("%d faults", spoiled)
	}
}
