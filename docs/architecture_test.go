package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	inBackquotes = regexp.MustCompile("``([^`]+(?:`[^`]+)*)``|`([^`]+)`")
	// aFile is a path in the tree.
	aFile = regexp.MustCompile(`^[a-z0-9_./-]+\.(?:go|md|yaml)$`)
	// qualified is an exported name with its package.
	qualified = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)$`)
	// identifier is one of Go, a method with its type.
	identifier = regexp.MustCompile(`^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?$`)
	listItem   = regexp.MustCompile(`^(?:-|\d+\.) `)
)

// otherWords stand in backquotes beside files and are no Go.
var otherWords = []string{"cbor"}

// Files, and names with their package, are there wherever architecture.md names
// them. In a list item, a bare name is of the file that the item names, so that
// whoever follows the tour finds it.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	page, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string][]string{} // folders by the name of the package
	for _, p := range packages(t) {
		rooms[filepath.Base(p.room)] = append(rooms[filepath.Base(p.room)], p.room)
	}
	known := map[string]names{}
	declared := func(path string) names {
		if known[path] == nil {
			known[path] = declaredIn(t, filepath.Join("..", path))
		}
		return known[path]
	}
	files, found := 0, 0
	for _, item := range items(string(page)) {
		words := wordsOf(item)
		var here names
		for _, w := range words {
			if !aFile.MatchString(w) {
				continue
			}
			files++
			if _, err := os.Stat(filepath.Join("..", w)); err != nil {
				t.Errorf("there is no %s", w)
			} else if here == nil && strings.HasSuffix(w, ".go") {
				here = names{}
			}
			if here != nil && strings.HasSuffix(w, ".go") {
				here.addAll(declared(w))
			}
		}
		for _, w := range words {
			switch m := qualified.FindStringSubmatch(w); {
			case m != nil && len(rooms[m[1]]) > 0:
				found++
				if !exported(rooms[m[1]], m[2], declared) {
					t.Errorf("no package exports %s", w)
				}
			case !listItem.MatchString(item) || here == nil || len(rooms[w]) > 0 || slices.Contains(otherWords, w):
			case identifier.MatchString(w):
				found++
				if !here[w] {
					t.Errorf("%q is in none of the files that its item names: %.60s", w, item)
				}
			}
		}
	}
	if files < 40 || found < 50 {
		t.Errorf("only %d files and %d names: is the page read?", files, found)
	}
}

// items are list items and paragraphs, on one line each; code blocks are left out.
func items(page string) []string {
	var all []string
	begin := true
	for line := range strings.Lines(page) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(line, "    ") && begin:
			begin = true
			continue
		case begin || strings.HasPrefix(text, "|") || listItem.MatchString(text):
			all = append(all, text)
		default:
			all[len(all)-1] += " " + text
		}
		begin = false
	}
	return all
}

func wordsOf(item string) []string {
	var words []string
	for _, m := range inBackquotes.FindAllStringSubmatch(item, -1) {
		words = append(words, m[1]+m[2])
	}
	return words
}

// names are what a file declares: "converse" and "dialogue.converse", and fields of
// structs.
type names map[string]bool

func (n names) addAll(more names) {
	for name := range more {
		n[name] = true
	}
}

func declaredIn(t *testing.T, file string) names {
	t.Helper()
	all := names{}
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return all
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			all[n.Name.Name] = true
			if n.Recv != nil {
				all[receiver(n.Recv.List[0].Type)+"."+n.Name.Name] = true
			}
		case *ast.TypeSpec:
			all[n.Name.Name] = true
		case *ast.ValueSpec:
			for _, name := range n.Names {
				all[name.Name] = true
			}
		case *ast.Field:
			for _, name := range n.Names {
				all[name.Name] = true
			}
		}
		return true
	})
	return all
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// exported reports whether one of the folders declares the name.
func exported(rooms []string, name string, declared func(string) names) bool {
	for _, room := range rooms {
		files, _ := filepath.Glob(filepath.Join("..", room, "*.go"))
		for _, f := range files {
			if declared(strings.TrimPrefix(filepath.ToSlash(f), "../"))[name] {
				return true
			}
		}
	}
	return false
}
