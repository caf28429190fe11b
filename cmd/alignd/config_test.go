package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alignd/config"
)

// tree is a new directory with files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What config check says is what serve says; a reload reads by the same function.
func TestConfigCheckAndTheDaemonJudgeAlike(t *testing.T) {
	bad, err := filepath.Glob("../../config/testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good, err := filepath.Glob("../../testdata/cases/*/config.yaml")
	if err != nil || len(bad) < 100 || len(good) < 50 {
		t.Fatalf("%d bad and %d good files, %v", len(bad), len(good), err)
	}
	for _, file := range append(bad, good...) {
		want := outcome{stdout: file + ": ok\n"}
		d, err := newDaemon(file, nil)
		if err == nil {
			d.lines.Close()
			for _, w := range d.cfg.Warnings {
				want.stderr += fmt.Sprintf("warning: %v\n", w)
			}
			for _, w := range d.cfg.Empty() { // of a reload, not of a start
				want.stderr += fmt.Sprintf("warning: %v\n", w)
			}
		} else {
			want = outcome{status: 2, stderr: fmt.Sprintf("alignd: %v\n", err)}
		}
		got := alignd(t, "", "config", "check", file)
		if got != want {
			t.Errorf("%s: config check: %+v, the daemon: %+v", file, got, want)
		}
		if strings.Contains(file, "/bad/") != (got.status == 2) {
			t.Errorf("%s: status %d", file, got.status)
		}
	}
}

func TestConfigCheckOfStandardInput(t *testing.T) {
	dir := tree(t, map[string]string{"vendors.yaml": "exceptions: []\n", "conf.d/a.yaml": "strip: own\n"})
	for _, row := range []struct {
		name, text string
		args       []string
		want       outcome
	}{
		{name: "a good one", text: "mode: monitor\n", want: outcome{stdout: "<stdin>: ok\n"}},
		{name: "a faulty one", text: "mode: x\nstrip: y\n", want: outcome{status: 2,
			stderr: "alignd: <stdin>:1:7: mode: \"x\" is not allowed; allowed: enforce, monitor\n<stdin>:2:8: strip: \"y\" is not allowed; allowed: own, all, none\n"}},
		{name: "one that names a file", text: "exceptions: [{file: vendors.yaml}]\n", want: outcome{status: 2,
			stderr: "alignd: <stdin>:1:21: file: open vendors.yaml: no such file or directory\n"}},
		{name: "with the folder of the file", text: "exceptions: [{file: vendors.yaml}]\n", args: []string{"--base-dir", dir}, want: outcome{
			stdout: "<stdin>: ok\n"}},
		{name: "conf.d is in that folder, too", text: "strip: own\n", args: []string{"--base-dir", dir},
			want: outcome{status: 2,
				stderr: "alignd: " + dir + "/conf.d/a.yaml:1:8: strip: is set at <stdin>:1:8 already; one of the two has to go\n"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := alignd(t, row.text, append([]string{"config", "check", "-"}, row.args...)...); got != row.want {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

// TestConfigCheckWarnsOfWhatAReloadRefuses: a file that lost all it said can be read, and
// a reload does not take it up.
func TestConfigCheckWarnsOfWhatAReloadRefuses(t *testing.T) {
	const refuses = ":1:1: the file is empty or holds comments only; if it held something before, a reload refuses it: "
	const profile = "profiles: [{id: board, recipients: [cfo@here.test], file: board.txt, pct: ignore}]\n"
	for _, row := range []struct {
		name  string
		files map[string]string
		empty string // the file that is warned of
		write string
	}{
		{name: "no octets", files: map[string]string{"alignd.yaml": ""}, empty: "alignd.yaml", write: `write "mode: enforce" if the defaults are meant`},
		{name: "the line of monitor mode taken out", files: map[string]string{"alignd.yaml": "# What differs.\n\n# mode: monitor\n"}, empty: "alignd.yaml", write: `write "mode: enforce" if the defaults are meant`},
		{name: "a section whose entries are comments", files: map[string]string{"alignd.yaml": "exceptions:\n#  - {file: vendors.yaml}\n"}, empty: "alignd.yaml", write: `write "mode: enforce" if the defaults are meant`},
		{name: "the defaults, said so", files: map[string]string{"alignd.yaml": "mode: enforce\n"}},
		{name: "conf.d", files: map[string]string{"alignd.yaml": "mode: enforce\n", "conf.d/a.yaml": "# later\n"}, empty: "conf.d/a.yaml", write: "take the file away if nothing shall stand in it"},
		{name: "exceptions", files: map[string]string{"alignd.yaml": "exceptions: [{file: vendors.yaml}]\n", "vendors.yaml": "#\n"}, empty: "vendors.yaml", write: `write "exceptions: []" if there shall be none`},
		{name: "no exceptions, said so", files: map[string]string{"alignd.yaml": "exceptions: [{file: vendors.yaml}]\n", "vendors.yaml": "exceptions: []\n"}},
		{name: "recipients", files: map[string]string{"alignd.yaml": profile, "board.txt": "# ceo@here.test\n"}, empty: "board.txt", write: "take the profile's file out if there shall be none"},
	} {
		dir := tree(t, row.files)
		file := filepath.Join(dir, "alignd.yaml")
		want := outcome{stdout: file + ": ok\n"}
		if row.empty != "" {
			want.stderr = "warning: " + filepath.Join(dir, row.empty) + refuses + row.write + "\n"
		}
		if got := alignd(t, "", "config", "check", file); got != want {
			t.Errorf("%s: got  %+v\nwant %+v", row.name, got, want)
		}
	}
	if got := alignd(t, "# mode: monitor\n", "config", "check", "-"); got.status != 0 || got.stdout != "<stdin>: ok\n" || !strings.HasPrefix(got.stderr, "warning: <stdin>"+refuses) {
		t.Errorf("standard input: %+v", got)
	}
}

// A tool checks what it is about to put in place from where it wrote it.
func TestConfigCheckOfAFileThatWillStandElsewhere(t *testing.T) {
	dir := tree(t, map[string]string{"board.txt": "ceo@here.test\n"})
	made := write(t, "alignd.yaml", "profiles: [{id: board, file: board.txt, pct: ignore}]\n")
	if got := alignd(t, "", "config", "check", made); got.status != 2 {
		t.Errorf("without --base-dir: %+v", got)
	}
	if got := alignd(t, "", "config", "check", "--base-dir", dir, made); got != (outcome{stdout: made + ": ok\n"}) {
		t.Errorf("with --base-dir: %+v", got)
	}
}

func TestConfigShowTellsOriginsAndNoSecret(t *testing.T) {
	dir := tree(t, map[string]string{"alignd.yaml": "sampling_secret: 0123456789abcdef\nmode: monitor\n", "conf.d/site.yaml": "\nlog_level: debug\n"})
	got := alignd(t, "", "config", "show", filepath.Join(dir, "alignd.yaml"))
	for _, want := range []string{
		"mode: monitor  # " + dir + "/alignd.yaml:2\n", "log_level: debug  # " + dir + "/conf.d/site.yaml:2\n", "pct: honor  # default\n", "sampling_secret: (set, not shown)  # ",
	} {
		if got.status != 0 || !strings.Contains(got.stdout, want) || strings.Contains(got.stdout, "0123456789abcdef") {
			t.Errorf("%+v\nwant %q in it", got, want)
		}
	}
	if got := alignd(t, "mode: x\n", "config", "show", "-"); got.status != 2 || got.stdout != "" {
		t.Errorf("a faulty one: %+v", got)
	}
}

func TestConfigDiff(t *testing.T) {
	a := write(t, "a.yaml", "mode: monitor\nsampling_secret: aaaaaaaaaaaaaaaa\n")
	b := write(t, "b.yaml", "# as decided\nsampling_secret: bbbbbbbbbbbbbbbb\nhonor: {quarantine: reject}\nmode: enforce\n")
	if got := alignd(t, "", "config", "diff", a, b); got != (outcome{
		stdout: "mode: monitor -> enforce\nsampling_secret: changed\nhonor.quarantine: quarantine -> reject\n"}) {
		t.Errorf("%+v", got)
	}
	if got := alignd(t, "mode: monitor\npct: honor\nsampling_secret: aaaaaaaaaaaaaaaa\n", "config", "diff", a, "-"); got != (outcome{
		stderr: "no difference in effect\n"}) {
		t.Errorf("%+v", got)
	}
	if got := alignd(t, "mode: x\n", "config", "diff", a, "-"); got.status != 2 || !strings.Contains(got.stderr, "<stdin>:1:7") {
		t.Errorf("a faulty one: %+v", got)
	}
}

func TestTheChangesOfAReloadAreBounded(t *testing.T) {
	text := "exceptions:\n"
	for i := range 200 {
		text += fmt.Sprintf("  - {id: e%d, action: reject, scope: {author_domains: [a.example]}, never_expires: true}\n", i)
	}
	many, err := readConfig(config.Input{File: write(t, "a.yaml", text)})
	if err != nil {
		t.Fatal(err)
	}
	none, err := readConfig(config.Input{File: write(t, "b.yaml", "")})
	if err != nil {
		t.Fatal(err)
	}
	told := reloadChanges(none, many)
	if n := len(told); n != maxReloadChanges+1 || told[n-1] != fmt.Sprintf("and %d more", 200-maxReloadChanges) || len(strings.Join(told, "")) > maxReloadText+100 {
		t.Errorf("%d changes in %d octets, the last is %q", n, len(strings.Join(told, "")), told[n-1])
	}
}

func TestTheFaultsOfAReloadAreBounded(t *testing.T) {
	for n, want := range map[int]string{1: "a fault", 30: "a fault", 31: "and 1 more; alignd config check tells all", 1000: "and 970 more; alignd config check tells all"} {
		got := strings.Split(firstLines(strings.TrimSuffix(strings.Repeat("a fault\n", n), "\n")), "\n")
		if len(got) != min(n, 31) || got[len(got)-1] != want {
			t.Errorf("%d faults: %d lines, the last is %q", n, len(got), got[len(got)-1])
		}
	}
}

// Files and commands of docs/configuration.md, one after the other. A line "..." of
// what a command prints stands for any, and "..." at the end of one for the rest of it.
func TestThePageOnTheConfigurationIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	here := func(s string) string { return strings.ReplaceAll(s, "/etc/alignd", dir) }
	file, commands := "", 0
	blocks := strings.Split(string(page), "```")
	for i, block := range blocks {
		kind, text, _ := strings.Cut(block, "\n")
		switch {
		case i%2 == 0: // text between the blocks; a name at its end is that of a file
			lines := strings.Fields(block)
			file = ""
			if n := len(lines); n > 0 && strings.HasPrefix(lines[n-1], "`/etc/alignd/") {
				file = here(strings.Trim(lines[n-1], "`:"))
			}
		case kind == "yaml" || kind == "yaml faulty":
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		case kind == "console":
			command, want, _ := strings.Cut(text, "\n")
			args, ok := strings.CutPrefix(here(command), "$ alignd ")
			if !ok {
				t.Fatalf("%q is no command", command)
			}
			got := alignd(t, "", strings.Fields(args)...)
			if !printed(got.stdout+got.stderr, here(want)) {
				t.Errorf("%s: got\n%s%s\nthe page says\n%s", command, got.stdout, got.stderr, want)
			}
			commands++
		}
	}
	if commands < 3 {
		t.Errorf("%d commands", commands)
	}
}

// printed reports whether got is what want says, in which "..." stands for anything.
func printed(got, want string) bool {
	parts := strings.Split(want, "...")
	for i, part := range parts {
		at := strings.Index(got, part)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		got = got[at+len(part):]
	}
	return got == "" || parts[len(parts)-1] == "\n"
}
