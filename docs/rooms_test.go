package docs

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// floors are the rooms of architecture.md from the top of the house to its
// ground. A room imports what stands on lower floors, or on its own floor in the same
// folder. What is named beside a folder stands higher than the rest of it.
var floors = [][]string{
	{"cmd"},
	{"report", "web"},
	{"explain", "journal/configs", "journal/place", "journal/privacy", "journal/running", "journal/selftest", "rollout"},
	{"config", "doctor", "filter", "journal", "metrics", "replay"},
	{"judge", "lint"},
	{"record"},
	{"compare"},
	{"policy", "verify"},
	{"authres", "header", "resolver"},
	{"domain", "evidence", "internal/logging", "internal/mailbox", "internal/terminal", "internal/owned"},
}

// forTests are rooms that only tests and the programs of e2e use.
var forTests = []string{"docs", "e2e", "internal/made", "internal/pgtest", "internal/readers", "internal/rfc8601", "journal/storetest", "packaging", "resolver/dnsserver", "verify/internal/testsign", "verify/interop", "web/internal/visitor"}

// doesIO are packages of the standard library, each with what lies below it, that
// read or write something outside the program, or draw random numbers.
var doesIO = []string{"context", "crypto/rand", "database", "embed", "io/fs", "io/ioutil", "log", "math/rand", "net", "os",
	"path/filepath", "plugin", "runtime", "syscall", "unsafe"}

// plainValues are packages below those of doesIO that are fine.
var plainValues = []string{"net/netip", "net/mail", "net/url"}

// pkg is what `go list` says of a package.
type pkg struct {
	room          string // "filter/milter"
	imports, deps []string
}

// packages are those of alignd, without tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}

var listed = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}}\t{{join .Imports \" \"}}\t{{join .Deps \" \"}}", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	var all []pkg
	for line := range strings.Lines(string(out)) {
		part := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, pkg{room: strings.TrimPrefix(part[0], "alignd/"), imports: strings.Fields(part[1]), deps: strings.Fields(part[2])})
	}
	return all, err
})

// below reports whether a package is one of some folders or lies in it.
func below(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") })
}

func floorOf(room string) int {
	return slices.IndexFunc(floors, func(f []string) bool { return below(room, f) })
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range packages(t) {
		if below(p.room, forTests) {
			continue
		}
		from := floorOf(p.room)
		if from < 0 {
			t.Errorf("%s stands on no floor: name it in docs/architecture.md and in this test", p.room)
			continue
		}
		for _, i := range p.imports {
			room, ours := strings.CutPrefix(i, "alignd/")
			top, _, _ := strings.Cut(p.room, "/")
			switch {
			case !ours:
			case below(room, forTests):
				t.Errorf("%s imports %s, which is for tests", p.room, room)
			case floorOf(room) < from, floorOf(room) == from && !below(room, []string{top}):
				t.Errorf("%s imports %s, which stands on no lower floor", p.room, room)
			}
		}
	}
}

// What decides, and what is kept of it, asks nothing of the world: neither by its
// own imports nor by those of what it stands on.
func TestPolicyEvidenceAndRecordDoNoIO(t *testing.T) {
	libraries := []string{"github.com/fxamacker/cbor/v2", "github.com/x448/float16"} // record's encoding
	all := packages(t)
	ours := map[string]bool{}
	for _, p := range all {
		if below(p.room, []string{"compare", "evidence", "policy", "record", "replay"}) {
			ours["alignd/"+p.room] = true
		}
	}
	for _, p := range all {
		if !ours["alignd/"+p.room] {
			continue
		}
		for _, i := range p.imports {
			if below(i, doesIO) && !below(i, plainValues) {
				t.Errorf("%s imports %s", p.room, i)
			}
		}
		if what := clockIn(t, p.room); what != "" {
			t.Errorf("%s reads the clock: %s", p.room, what)
		}
		for _, d := range p.deps {
			first, _, _ := strings.Cut(d, "/")
			if standard := first != "alignd" && !strings.Contains(first, "."); standard || ours[d] {
				continue
			}
			if !below(p.room, []string{"record", "replay"}) || !slices.Contains(libraries, d) {
				t.Errorf("%s depends on %s", p.room, d)
			}
		}
	}
}

// clock finds calls that ask what time it is, or wait: times are values there.
var clock = regexp.MustCompile(`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker)\(`)

func clockIn(t *testing.T, room string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files, %v", room, err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		} else if !strings.HasSuffix(f, "_test.go") && clock.Match(text) {
			return filepath.Base(f) + ": " + string(clock.Find(text))
		}
	}
	return ""
}

// Some subjects have one room, and nobody below hears of them.
func TestSubjectsStayInTheirRooms(t *testing.T) {
	all := packages(t)
	for subject, rooms := range map[string][]string{
		"go.yaml.in":                     {"cmd/alignd", "config", "web", "report/ours", "journal/configs", "journal/place", "journal/privacy", "journal/running", "journal/selftest"}, // these ask config
		"github.com/spf13":               {"cmd/alignd"},
		"github.com/coreos/go-systemd":   {"cmd/alignd", "internal/logging"},
		"github.com/jackc/pgx":           {"cmd/alignd", "journal"},
		"alignd/filter/milter":           {"cmd/alignd", "filter"},
		"github.com/emersion/go-milter":  {"cmd/alignd", "filter"},
		"blitiri.com.ar/go/spf":          nil,                                          // an oracle of tests
		"github.com/emersion/go-msgauth": {"cmd/alignd", "report/send", "report/ours"}, // it signs reports; else an oracle of tests
		"github.com/emersion/go-smtp":    {"cmd/alignd", "report/send", "report/ours"},
	} {
		for _, p := range all {
			if below(p.room, forTests) || below(p.room, rooms) {
				continue
			}
			if i := slices.IndexFunc(p.deps, func(d string) bool { return below(d, []string{subject}) }); i >= 0 {
				t.Errorf("%s depends on %s, which is for %v", p.room, p.deps[i], rooms)
			}
		}
	}
}

// Stores are opened where it is known where a journal lies, and by nobody else.
func TestCommandsOpenNoStore(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.imports {
			if below(i, []string{"alignd/journal/sqlite", "alignd/journal/postgres"}) && !below(p.room, []string{"journal"}) && !below(p.room, forTests) {
				t.Errorf("%s imports %s: ask journal/place", p.room, i)
			}
		}
	}
}

// Who may look is decided without knowing what the pages show.
func TestAccessKnowsNoOtherRoom(t *testing.T) {
	for _, p := range packages(t) {
		for _, d := range p.deps {
			if p.room == "web/access" && below(d, []string{"alignd"}) {
				t.Errorf("%s depends on %s", p.room, d)
			}
		}
	}
}

// The table of rooms in architecture.md has each folder with Go code that is
// not for tests alone, and no others.
func TestTheTableOfRoomsIsWhole(t *testing.T) {
	rows := map[string]bool{}
	for _, row := range rowsOf(t, "architecture.md", "## Rooms") {
		for _, room := range quoted(row) {
			rows[room] = true
		}
	}
	for _, p := range packages(t) {
		if !rows[p.room] && !below(p.room, forTests) {
			t.Errorf("architecture.md has no row for %s", p.room)
		}
		delete(rows, p.room)
	}
	for _, room := range slices.Sorted(maps.Keys(rows)) {
		t.Errorf("architecture.md has a row for %s, where no Go code is", room)
	}
}

// rowsOf are the rows of all tables below a heading, without their heads.
func rowsOf(t *testing.T, page, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, text2, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", page, heading)
	}
	text2, _, _ = strings.Cut(text2, "\n## ")
	var rows []string
	heads := 2 // lines to pass over: the names of columns and the line below
	for line := range strings.Lines(text2) {
		switch {
		case !strings.HasPrefix(line, "|"):
			heads = 2
		case heads > 0:
			heads--
		default:
			rows = append(rows, line)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s: no table below %q", page, heading)
	}
	return rows
}

var inCode = regexp.MustCompile("`([^`]+)`")

// quoted is what stands between backquotes in the first cell of a row.
func quoted(row string) []string {
	cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
	var all []string
	for _, m := range inCode.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}
