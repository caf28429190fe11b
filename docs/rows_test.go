package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// A row of a table test says what each of its texts is: several texts one after
// another, without the names of their fields, have to be counted to be read.
func TestRowsHaveFieldNames(t *testing.T) {
	files := token.NewFileSet()
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range packages {
		structs := structsOf(list)
		for _, f := range list {
			name := filepath.ToSlash(files.Position(f.Pos()).Filename)
			if !strings.HasSuffix(name, "_test.go") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if table, ok := n.(*ast.CompositeLit); ok && holdsStructs(table.Type, structs) {
					for _, row := range table.Elts {
						if texts := positionalTexts(row); texts > 1 {
							t.Errorf("%s: a row has %d texts without names", files.Position(row.Pos()), texts)
						}
					}
				}
				return true
			})
		}
	}
}

// structsOf are the names of struct types.
func structsOf(list []*ast.File) map[string]bool {
	names := map[string]bool{}
	for _, f := range list {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				_, names[spec.Name.Name] = spec.Type.(*ast.StructType)
			}
			return true
		})
	}
	return names
}

// holdsStructs is for lists, arrays and maps of structs.
func holdsStructs(e ast.Expr, structs map[string]bool) bool {
	switch e := e.(type) {
	case *ast.ArrayType:
		return isStruct(e.Elt, structs)
	case *ast.MapType:
		return isStruct(e.Value, structs)
	}
	return false
}

func isStruct(e ast.Expr, structs map[string]bool) bool {
	switch e := e.(type) {
	case *ast.StructType:
		return true
	case *ast.StarExpr:
		return isStruct(e.X, structs)
	case *ast.Ident:
		return structs[e.Name]
	}
	return false
}

// positionalTexts counts the strings of a row that has no field names.
func positionalTexts(row ast.Expr) (texts int) {
	if pair, ok := row.(*ast.KeyValueExpr); ok {
		row = pair.Value
	}
	lit, ok := row.(*ast.CompositeLit)
	if !ok {
		return 0
	}
	for _, e := range lit.Elts {
		if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
			texts++
		}
	}
	return texts
}
