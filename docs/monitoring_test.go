package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// monitoring.md lists every key of the lines that are not about a message, and no
// others. A test of judge does so for the message's line.
func TestKeysOfOtherLinesAreListed(t *testing.T) {
	page, err := os.ReadFile("monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- keys of other lines -->")
	table, _, _ = strings.Cut(table, "<!-- end of keys -->")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed[m[1]] = true
	}
	used := keysOfLogCalls(t)
	if len(used) < 30 {
		t.Fatalf("only %d keys in the code", len(used))
	}
	for key, place := range used {
		if !listed[key] {
			t.Errorf("monitoring.md does not list %s of %s", key, place)
		}
	}
	for key := range listed {
		if used[key] == "" {
			t.Errorf("monitoring.md lists %s, which no line has", key)
		}
	}
}

// isHTTP reports whether a call is of package http, whose Error writes an answer.
func isHTTP(of ast.Expr) bool {
	name, ok := of.(*ast.Ident)
	return ok && name.Name == "http"
}

// keysOfLogCalls are the keys, with a place where each stands: every second argument
// of log.Info, Warn, Error and Debug behind the message, and of the lists that are
// appended there.
func keysOfLogCalls(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	files := token.NewFileSet()
	note := func(list []ast.Expr) {
		for i := 0; i < len(list); i += 2 {
			if lit, ok := list[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				key, _ := strconv.Unquote(lit.Value)
				keys[key] = files.Position(lit.Pos()).String()
			}
		}
	}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if ok && len(n.Args) > 1 && slices.Contains([]string{"Info", "Warn", "Error", "Debug"}, method.Sel.Name) && !isHTTP(method.X) {
				note(n.Args[1:])
			}
		case *ast.CompositeLit: // []any{"key", value}
			if list, ok := n.Type.(*ast.ArrayType); ok {
				if element, ok := list.Elt.(*ast.Ident); ok && element.Name == "any" {
					note(n.Elts)
				}
			}
		}
		return true
	}
	for _, dir := range []string{"../cmd/alignd", "../filter", "../judge", "../resolver", "../verify", "../policy", "../config",
		"../internal/logging", "../internal/owned", "../journal", "../journal/spool", "../journal/sqlite", "../report/ours", "../report/send", "../rollout", "../web"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, visit)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return keys
}
