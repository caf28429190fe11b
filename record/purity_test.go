package record

import (
	"go/build"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// impure are packages of the standard library that do I/O or draw random numbers.
var impure = []string{"net", "net/http", "os", "os/exec", "io/fs", "io/ioutil", "embed", "syscall", "log", "log/slog",
	"database/sql", "math/rand", "math/rand/v2", "crypto/rand", "plugin", "context"}

func TestRecordDoesNoIO(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "alignd/record").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	got := strings.Fields(string(out))
	if want := []string{"alignd/evidence", "alignd/policy", "github.com/x448/float16", "github.com/fxamacker/cbor/v2", "alignd/record"}; !slices.Equal(got, want) {
		t.Errorf("dependencies outside the standard library: got %v, want %v", got, want)
	}
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range p.Imports {
		if slices.Contains(impure, path) {
			t.Errorf("record imports %s", path)
		}
	}
}
