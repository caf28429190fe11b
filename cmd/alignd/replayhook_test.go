package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"alignd/config"
	"alignd/e2e/filled"
	"alignd/internal/logging"
)

// blocksOf are the code blocks of a page, by their language, in order.
func blocksOf(t *testing.T, page, lang string) (list []string) {
	t.Helper()
	_, rest, _ := strings.Cut(readFile(t, page), "\n## In a configuration repository\n")
	open, block := "", ""
	for line := range strings.Lines(rest) {
		fence, is := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case is && open == "":
			open, block = fence, ""
		case is:
			if open == lang {
				list = append(list, block)
			}
			open = ""
		default:
			block += line
		}
	}
	return list
}

// repository is a Git repository as docs/replay.md has it: with its check and hook.
type repository struct {
	t        *testing.T
	dir      string
	env      []string
	pipeline []string // the lines of the CI job
}

func newRepository(t *testing.T, export string) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("left out: the Git hook of docs/replay.md (needs git)")
	}
	page := filepath.Join("..", "..", "docs", "replay.md")
	scripts, jobs := blocksOf(t, page, "sh"), blocksOf(t, page, "yml")
	if len(scripts) != 2 || len(jobs) != 1 {
		t.Fatalf("docs/replay.md has %d scripts and %d jobs", len(scripts), len(jobs))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	r := &repository{t: t, dir: t.TempDir()}
	r.write(filepath.Join(bin, "alignd"), "#!/bin/sh\n"+asAlignd+"=1 exec "+exe+" \"$@\"\n", 0o755)
	r.write("check", scripts[0], 0o755)
	r.write(".githooks/pre-commit", scripts[1], 0o755)
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MAIL_EXPORT="+export, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	var job struct {
		Replay struct {
			Variables map[string]string
			Script    []string
		}
	}
	if err := yaml.Unmarshal([]byte(jobs[0]), &job); err != nil || len(job.Replay.Script) == 0 || job.Replay.Variables["MAIL_EXPORT"] == "" {
		t.Fatalf("the job: %v, %+v", err, job)
	}
	r.pipeline = job.Replay.Script
	for _, args := range [][]string{{"init", "-q"}, {"config", "core.hooksPath", ".githooks"}, {"config", "user.name", "postmaster"}, {"config", "user.email", "postmaster@here.test"}} {
		if status, out := r.run("git", args...); status != 0 {
			t.Fatalf("git %s: %s", args, out)
		}
	}
	return r
}

func (r *repository) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.dir, name)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) run(name string, args ...string) (status int, out string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), name, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	text, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// commit commits all but what later says of alignd.yaml, which lies around only.
func (r *repository) commit(staged, later string) (status int, out string) {
	r.t.Helper()
	r.write("alignd.yaml", staged, 0o644)
	if status, out := r.run("git", "add", "-A"); status != 0 {
		r.t.Fatal(out)
	}
	r.write("alignd.yaml", later, 0o644)
	return r.run("git", "commit", "-q", "-m", "x")
}

// The hook and the job that docs/replay.md shows keep out a configuration that would
// refuse wanted mail, and let another one pass: on an export whose addresses are hashed.
func TestTheHookAndTheJobOfTheDocs(t *testing.T) {
	state := t.TempDir()
	file := write(t, "alignd.yaml", "journal: {store: sqlite, path: "+state+"}\n")
	if _, err := filled.Journal(t.Context(), state, 3000, 3); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	log, lines := logging.New(os.Stderr, logLevel(cfg), logging.Text)
	defer lines.Close()
	mustRemember(t, cfg, log).Close() // as a daemon that ran
	export := filepath.Join(t.TempDir(), "mail.export")
	if got := alignd(t, "", "journal", "export", "--config", file, "--addresses", "hash", "--output", export); got.status != 0 {
		t.Fatalf("%+v", got)
	}
	const (
		good   = "exceptions:\n- {id: nobody, action: accept, proof: {dkim: [nobody.example]}, never_expires: true}\n"
		bad    = "exceptions:\n- id: phishing-wave\n  kind: block\n  action: reject\n  scope: {author_domains: [author00000-company.example]}\n  never_expires: true\n"
		faulty = "mode: on\n"
	)
	r := newRepository(t, export)
	for _, row := range []struct {
		name, staged, around string
		fails                bool
		job                  int
		says                 string
	}{
		{name: "what changes nothing", staged: good, around: good, says: "cannot tell"},
		{name: "what would refuse mail that passes", staged: bad, around: bad, fails: true, job: exitBound, says: "bound would_refuse_passing>0: "},
		{name: "that is mended in the working tree only", staged: bad, around: good, fails: true, says: "EXCEEDED"},
		{name: "that lies in the working tree only", staged: good + "mode: enforce\n", around: bad, job: exitBound},
		{name: "a fault", staged: faulty, around: faulty, fails: true, job: exitUsage, says: "alignd.yaml:1"},
	} {
		status, out := r.commit(row.staged, row.around)
		if (status != 0) != row.fails || !strings.Contains(out, row.says) {
			t.Errorf("%s: the hook ends with %d: %s", row.name, status, out)
		}
		status, out = r.run("sh", "-ec", strings.Join(r.pipeline, "\n"))
		if status != row.job {
			t.Errorf("%s: the job ends with %d, want %d: %s", row.name, status, row.job, out)
		}
	}
	if _, shown := r.run("git", "log", "--oneline"); strings.Count(shown, "\n") != 2 {
		t.Errorf("want two commits: %s", shown)
	}
	_, out := r.run("sh", "-c", "cp alignd.yaml x; printf '%s' \"$0\" > alignd.yaml; ./check .", bad)
	quoted := blocksOf(t, filepath.Join("..", "..", "docs", "replay.md"), "text")
	if len(quoted) != 1 || !slices.Equal(linesWithoutMessages(quoted[0]), linesWithoutMessages(out)) {
		t.Errorf("docs/replay.md quotes\n%s\nof\n%s", strings.Join(quoted, "\n"), out)
	}
}

var ofATime = regexp.MustCompile(`\d\dT\d\d:\d\d:\d\dZ`)

// linesWithoutMessages are the lines that do not tell of a time.
func linesWithoutMessages(text string) (list []string) {
	for line := range strings.Lines(text) {
		if !ofATime.MatchString(line) {
			list = append(list, strings.TrimRight(line, " \n"))
		}
	}
	return list
}
