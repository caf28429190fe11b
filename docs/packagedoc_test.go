package docs

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goFile is a file of the same package, as a package comment names it.
var goFile = regexp.MustCompile(`(?:^|[\s(])([a-z0-9_]+\.go)\b`)

// A package comment names files that are there. Where it has a section Files, each file
// of the package is in it, so that a rule is found from the comment alone. Variants for
// one system go with the file that they belong to.
func TestPackageCommentsNameTheirFiles(t *testing.T) {
	maps := 0
	for _, p := range packages(t) {
		files, err := filepath.Glob(filepath.Join("..", p.room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		comment, holder := "", ""
		var there, names []string // all files, and those that are no tests
		for _, f := range files {
			there = append(there, filepath.Base(f))
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			names = append(names, filepath.Base(f))
			file, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil {
				comment, holder = comment+file.Doc.Text(), filepath.Base(f)
			}
		}
		var named []string
		for _, m := range goFile.FindAllStringSubmatch(comment, -1) {
			named = append(named, m[1])
			if !slices.Contains(there, m[1]) {
				t.Errorf("%s: the package comment names %s, which is not there", p.room, m[1])
			}
		}
		if !strings.Contains(comment, "# Files") {
			continue
		}
		maps++
		for _, name := range names {
			if strings.HasSuffix(name, "_linux.go") || strings.HasSuffix(name, "_other.go") || name == holder {
				continue
			}
			if !slices.Contains(named, name) {
				t.Errorf("%s: the section Files of the package comment does not have %s", p.room, name)
			}
		}
	}
	if maps < 9 {
		t.Errorf("only %d package comments with a section Files: are they read?", maps)
	}
}
