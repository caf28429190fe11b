package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVersionComesFromTags makes a history and asks at each step what it is called.
func TestVersionComesFromTags(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("left out: versions from tags (needs git)")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "packaging"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "../packaging/version", filepath.Join(dir, "packaging/version"))
	git := func(args ...string) { t.Helper(); gitIn(t, dir, args...) }
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	const built = `git20261128\.221105\.[0-9a-f]{10}`
	var sorted []string
	for _, step := range []struct {
		do   func()
		want string // a regular expression
	}{
		{do: func() {}, want: `0\.1\.0-dev\+` + built},
		{do: func() { git("tag", "v1.2.3-rc1") }, want: `1\.2\.3-rc1`},
		{do: func() { git("commit", "-q", "--allow-empty", "-m", "second") }, want: `1\.2\.3-rc1\+` + built},
		{do: func() { git("tag", "v1.2.3-rc2"); git("tag", "nightly") }, want: `1\.2\.3-rc2`},
		{do: func() { git("tag", "-a", "-m", "alignd 1.2.3-rc10", "v1.2.3-rc10") }, want: `1\.2\.3-rc10`},
		{do: func() { git("tag", "v1.2.3") }, want: `1\.2\.3`},
		{do: func() { git("commit", "-q", "--allow-empty", "-m", "third") }, want: `1\.2\.3\+` + built},
		{do: func() { writeInto(t, dir, "packaging/version", "\n") }, want: `1\.2\.3\+` + built + `\.dirty`},
		{do: func() { git("commit", "-q", "-a", "-m", "fourth"); git("tag", "v1.10.0") }, want: `1\.10\.0`},
	} {
		step.do()
		got, err := versionIn(dir)
		if err != nil || !regexp.MustCompile(`^`+step.want+`$`).MatchString(got) {
			t.Errorf("it is %q (%v), want %s", got, err, step.want)
		}
		sorted = append(sorted, strings.Replace(got, "-", "~", 1))
	}
	sortsAsDebian(t, sorted)

	git("tag", "v2.0.0_final")
	git("tag", "-d", "v1.10.0")
	if got, err := versionIn(dir); err == nil || !strings.Contains(got, "the tag v2.0.0_final is neither") {
		t.Errorf("a tag that is no version gave %q, %v", got, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	if got, err := versionIn(dir); err != nil || got != "0.0.0-unknown" {
		t.Errorf("without git it is %q, %v", got, err)
	}
}

// sortsAsDebian: each version is an upgrade for who has the one before.
func sortsAsDebian(t *testing.T, versions []string) {
	t.Helper()
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Log("left out: the order of versions (needs dpkg)")
		return
	}
	for i, v := range versions[1:] {
		if err := exec.Command("dpkg", "--compare-versions", versions[i], "lt", v).Run(); err != nil {
			t.Errorf("%s does not sort before %s: %v", versions[i], v, err)
		}
	}
}

func versionIn(dir string) (string, error) {
	cmd := exec.Command("sh", "packaging/version")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// gitIn runs git as nobody in particular, with nothing of the machine's settings.
func gitIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	const at = "2026-11-28T22:11:05+00:00"
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at,
		"GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@example.test", "GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@example.test")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// writeInto adds text to a file below dir.
func writeInto(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, append(readFile(t, path), text...), 0o755); err != nil {
		t.Fatal(err)
	}
}
