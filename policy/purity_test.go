package policy

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forbidden are packages of the standard library that do I/O or draw random
// numbers; net/netip, and time as a value, are fine.
var forbidden = []string{"net", "net/http", "net/mail", "os", "os/exec", "os/user", "io/fs", "io/ioutil", "embed",
	"syscall", "log", "log/slog", "database/sql", "math/rand", "math/rand/v2", "crypto/rand", "plugin", "context"}

func TestPolicyAndEvidenceImportNothingThatDoesIO(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "alignd/policy").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	got := strings.Fields(string(out))
	if want := []string{"alignd/evidence", "alignd/policy"}; !slices.Equal(got, want) {
		t.Errorf("dependencies outside the standard library: got %v, want %v", got, want)
	}
	for _, dir := range []string{".", "../evidence"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", dir, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			checkImports(t, f)
		}
	}
}

func checkImports(t *testing.T, file string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(forbidden, path) {
			t.Errorf("%s imports %s", file, path)
		}
	}
	src := sourceOf(t, file)
	for _, call := range []string{"time.Now(", "time.Since(", "time.Until(", "time.Sleep(", "time.After("} {
		if strings.Contains(src, call) {
			t.Errorf("%s reads the clock: %s)", file, call)
		}
	}
}

func sourceOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
