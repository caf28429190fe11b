package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// planted is a git repository with the script in it.
type planted struct {
	t   *testing.T
	dir string
}

func plant(t *testing.T) *planted {
	t.Helper()
	for _, program := range []string{"git", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("left out: there is no %s here", program)
		}
	}
	p := &planted{t: t, dir: t.TempDir()}
	script, err := os.ReadFile("../.ci/changelog")
	if err != nil {
		t.Fatal(err)
	}
	p.write(".ci/changelog", string(script))
	if err := os.Chmod(filepath.Join(p.dir, ".ci/changelog"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *planted) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planted) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit takes the files in and returns the commit's name.
func (p *planted) commit(message string, files map[string]string) string {
	p.t.Helper()
	for name, text := range files {
		p.write(name, text)
	}
	p.git("add", "-A")
	p.git("commit", "-q", "-m", message)
	return p.git("rev-parse", "HEAD")
}

// check runs the script over what came after base.
func (p *planted) check(base string) (out string, passed bool) {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.dir, ".ci/changelog"), base)
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(p.dir))
	b, err := cmd.CombinedOutput()
	return string(b), err == nil
}

// before is the tree that the commits of the tests change.
var before = map[string]string{
	"CHANGELOG.md":                    "* [FIX] first\n",
	"config/defaults.yaml":            "# How.\nmode: enforce\npct: honor\n",
	"policy/reply.go":                 "package policy\n\nvar x = ReplyTemplate{550, \"5.7.26\", \"no\"}\n",
	"evidence/result.go":              "package evidence\n\nconst (\n\tPass Result = \"pass\"\n)\n",
	"docs/monitoring.md":              "| `queue_id` | the id | `queue_id` |\n",
	"testdata/cases/01-a/want.json":   "{}\n",
	"testdata/cases/01-a/message.eml": "From: a@example.com\n",
}

func TestTheChangelogIsAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message string
		files   map[string]string
		want    string // what is told; empty passes
	}{
		{name: "a default", files: map[string]string{"config/defaults.yaml": "# How.\nmode: monitor\npct: honor\n"}, want: "default: mode: monitor"},
		{name: "a new option", files: map[string]string{"config/defaults.yaml": "# How.\nmode: enforce\npct: honor\nnew: 1\n"}, want: "default: new: 1"},
		{name: "the text of an option", files: map[string]string{"config/defaults.yaml": "# How else.\nmode: enforce\npct: honor\n"}},
		{name: "the order of options", files: map[string]string{"config/defaults.yaml": "# How.\npct: honor\nmode: enforce\n"}},
		{name: "a reply", files: map[string]string{"policy/reply.go": "package policy\n\nvar x = ReplyTemplate{550, \"5.7.1\", \"no\"}\n"}, want: "reply: "},
		{name: "a result word", files: map[string]string{"evidence/result.go": "package evidence\n\nconst (\n\tPass Result = \"passed\"\n)\n"}, want: "word: Pass Result = \"passed\""},
		{name: "a word that moves, aligned anew", files: map[string]string{
			"evidence/result.go": "package evidence\n", "evidence/word.go": "package evidence\n\nconst (\n\tPass    Result = \"pass\"\n)\n"}},
		{name: "a word of a test", files: map[string]string{"evidence/result_test.go": "package evidence\n\nconst (\n\tOdd Result = \"odd\"\n)\n"}},
		{name: "a log key", files: map[string]string{"docs/monitoring.md": "| `queue` | the id | `queue_id` |\n"}, want: "log key: `queue`"},
		{name: "what a log key says", files: map[string]string{"docs/monitoring.md": "| `queue_id` | the MTA's id | `queue_id` |\n"}},
		{name: "what a case wants", files: map[string]string{"testdata/cases/01-a/want.json": "{ }\n"}, want: "result: testdata/cases/01-a/want.json"},
		{name: "a new case", files: map[string]string{"testdata/cases/02-b/want.json": "{}\n"}},
		{name: "anything else", files: map[string]string{"policy/other.go": "package policy\n"}},
		{name: "a default with its line", files: map[string]string{"config/defaults.yaml": "pct: ignore\n", "CHANGELOG.md": "* [CHANGE] second\n"}},
		{name: "a default that is none, as the commit says", message: "a: b\n\nWhy.\n\nChangelog: none, it never worked",
			files: map[string]string{"config/defaults.yaml": "pct: ignore\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := plant(t)
			p.git("init", "-q")
			base := p.commit("all: begins", before)
			if tt.message == "" {
				tt.message = "room: does " + tt.name
			}
			p.commit(tt.message, tt.files)
			p.commit("docs: later", map[string]string{"CHANGELOG.md": "* [DOC] much later\n"})
			out, passed := p.check(base)
			if passed != (tt.want == "") || !strings.Contains(out, tt.want) || passed && out != "" {
				t.Errorf("passed %v, want %q, got:\n%s", passed, tt.want, out)
			}
		})
	}
}

func TestTheChangelogIsNotCheckedWithoutHistory(t *testing.T) {
	const nowhere = "0123456789012345678901234567890123456789"
	p := plant(t)
	if out, passed := p.check(nowhere); !passed || !strings.Contains(out, "no git history") {
		t.Errorf("an exported tree: passed %v: %s", passed, out)
	}
	p.git("init", "-q")
	p.commit("all: begins", before)
	if out, passed := p.check(nowhere); !passed || !strings.Contains(out, "does not reach back") {
		t.Errorf("a history that begins later: passed %v: %s", passed, out)
	}
	inner := &planted{t: t, dir: filepath.Join(p.dir, "vendor")}
	script, err := os.ReadFile(filepath.Join(p.dir, ".ci/changelog"))
	if err != nil {
		t.Fatal(err)
	}
	inner.write(".ci/changelog", string(script))
	if err := os.Chmod(filepath.Join(inner.dir, ".ci/changelog"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(inner.dir, ".ci/changelog"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "another tree") {
		t.Errorf("below another repository: %v: %s", err, out)
	}
}
