// Package instrument builds an alignd for tests of faults: each function of chosen
// packages can be made to panic or to hang, and the clock can be set. The source stays
// as it is: go build takes changed copies of the files in their place (-overlay), with
// one statement more at the start of each function, and of time.Now.
//
// Test and daemon share a Board, a file that both have in memory.
package instrument

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Point is the start of a function.
type Point struct {
	ID   uint32
	Name string // "filter.(*session).Mail"
}

// Options say what Build changes.
type Options struct {
	Dir      string   // for the binary and the copies
	Packages []string // import paths within the module whose functions are points
	Clock    bool     // time.Now goes by the Board
}

// Build makes the binary "alignd". Points are in the order of their ID, from 1.
func Build(opt Options) ([]Point, error) {
	b := builder{dir: opt.Dir, replace: map[string]string{}}
	root, err := goList("-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	for _, path := range opt.Packages {
		if err := b.instrument(path); err != nil {
			return nil, err
		}
	}
	if seenAt+4*(len(b.points)+1) > size {
		return nil, fmt.Errorf("%d functions do not fit the board", len(b.points))
	}
	if err := b.add(filepath.Join(root, "faultpoint", "faultpoint.go"), boardSource); err != nil {
		return nil, err
	}
	if opt.Clock {
		if err := b.clock(); err != nil {
			return nil, err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": b.replace})
	if err != nil {
		return nil, err
	}
	name := filepath.Join(opt.Dir, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o644); err != nil {
		return nil, err
	}
	out, err := exec.Command("go", "build", "-overlay", name, "-o", filepath.Join(opt.Dir, binaryName), "alignd/cmd/alignd").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("building with faults: %w: %s", err, out)
	}
	return b.points, nil
}

func goList(args ...string) (string, error) {
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

type builder struct {
	dir     string
	replace map[string]string // file to its copy
	points  []Point
}

// add has the build see text in place of a file, which need not exist. The copy is no
// Go file by its name, so that no other tool takes it for one.
func (b *builder) add(file, text string) error {
	copied := filepath.Join(b.dir, fmt.Sprintf("%d-%s.txt", len(b.replace), filepath.Base(file)))
	b.replace[file] = copied
	return os.WriteFile(copied, []byte(text), 0o644)
}

func (b *builder) instrument(path string) error {
	list, err := goList("-f", "{{.Dir}}{{range .GoFiles}}\n{{.}}{{end}}", path)
	if err != nil {
		return err
	}
	names := strings.Split(list, "\n")
	for _, name := range names[1:] {
		if err := b.file(path, filepath.Join(names[0], name)); err != nil {
			return err
		}
	}
	return nil
}

// file makes the copy of one file, in which all lines keep their numbers.
func (b *builder) file(path, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	inserts := map[int]string{}
	for _, decl := range tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || f.Name.Name == "init" || f.Name.Name == "main" || recovers(f) {
			continue
		}
		p := Point{ID: uint32(len(b.points) + 1), Name: strings.TrimPrefix(path, "alignd/") + "." + receiver(f) + f.Name.Name}
		b.points = append(b.points, p)
		inserts[files.Position(begins(f.Body)).Offset] = fmt.Sprintf("; faultpoint.At(%d, %q);", p.ID, p.Name)
	}
	if len(inserts) == 0 {
		return nil
	}
	inserts[files.Position(tree.Name.End()).Offset] = `; import faultpoint "alignd/faultpoint"`
	return b.add(name, insert(string(text), inserts))
}

// begins is where the work of a function begins: behind what it defers first, which may
// be what it does about a panic, and the variables that this needs.
func begins(body *ast.BlockStmt) token.Pos {
	at := body.Lbrace + 1
	for _, statement := range body.List {
		switch statement.(type) {
		case *ast.DeferStmt:
			at = statement.End()
		case *ast.DeclStmt, *ast.AssignStmt:
		default:
			return at
		}
	}
	return at
}

// recovers reports whether f is what is done about a panic.
func recovers(f *ast.FuncDecl) (found bool) {
	for _, statement := range f.Body.List {
		ast.Inspect(statement, func(n ast.Node) bool {
			if _, inner := n.(*ast.FuncLit); inner {
				return false
			}
			call, ok := n.(*ast.CallExpr)
			if ok {
				if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "recover" {
					found = true
				}
			}
			return !found
		})
	}
	return found
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	t := f.Recv.List[0].Type
	star, isPointer := t.(*ast.StarExpr)
	if isPointer {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	name := fmt.Sprint(t)
	if isPointer {
		return "(*" + name + ")."
	}
	return name + "."
}

// insert puts texts at offsets.
func insert(text string, at map[int]string) string {
	var offsets []int
	for o := range at {
		offsets = append(offsets, o)
	}
	slices.Sort(offsets)
	var all strings.Builder
	last := 0
	for _, o := range offsets {
		all.WriteString(text[last:o] + at[o])
		last = o
	}
	return all.String() + text[last:]
}

// clock has time.Now add what the Board says to the wall clock, and to it alone: the
// monotonic clock goes on, as when a machine's clock is set.
func (b *builder) clock() error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	name := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	const start = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	if strings.Count(string(text), start) != 1 {
		return fmt.Errorf("%s: time.Now is not as it was", name)
	}
	changed := strings.Replace(string(text), start, "\tsec, nsec, mono := runtimeNow(); sec += steppedBy()\n\tif mono == 0 {", 1)
	if err := b.add(name, changed); err != nil {
		return err
	}
	return b.add(filepath.Join(filepath.Dir(name), "step_by_board.go"), stepSource)
}

const stepSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var stepped *int64 // seconds

func init() {
	name, ok := syscall.Getenv("` + BoardVariable + `")
	if !ok {
		return
	}
	fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("the clock's board: " + err.Error())
	}
	board, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("the clock's board: " + err.Error())
	}
	stepped = (*int64)(unsafe.Pointer(&board[0]))
}

func steppedBy() int64 {
	if stepped == nil {
		return 0
	}
	return atomic.LoadInt64(stepped)
}
`

var boardSource = `package faultpoint

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

var board []byte

func init() {
	name := os.Getenv("` + BoardVariable + `")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	if board, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err != nil {
		panic(err)
	}
}

func word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&board[at])) }

// At notes that a function began, and fails where the board says so.
func At(id uint32, name string) {
	if board == nil {
		return
	}
	seen := word(` + fmt.Sprint(seenAt) + ` + 4*int(id))
	if atomic.LoadUint32(seen) == 0 {
		atomic.StoreUint32(seen, 1)
	}
	if atomic.LoadUint32(word(` + fmt.Sprint(armedAt) + `)) != id || !atomic.CompareAndSwapUint32(word(` + fmt.Sprint(armedAt) + `), id, 0) {
		return
	}
	atomic.AddUint32(word(` + fmt.Sprint(firedAt) + `), 1)
	if atomic.LoadUint32(word(` + fmt.Sprint(hangAt) + `)) != 0 {
		select {}
	}
	panic(fmt.Sprintf("injected into %s", name))
}
`
