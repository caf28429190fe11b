package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInstallPutsEverythingBelowDestdir installs as a packager does, without root, and
// takes it out again.
func TestInstallPutsEverythingBelowDestdir(t *testing.T) {
	dest := t.TempDir()
	makeIt(t, "install", "DESTDIR="+dest, "PREFIX=/usr", "BUILT="+binary(t))
	want := []string{
		"etc/alignd/alignd.yaml",
		"etc/systemd/system/alignd-web.service",
		"etc/systemd/system/alignd.service",
		"etc/systemd/system/alignd.socket",
		"usr/bin/alignd",
		"usr/share/bash-completion/completions/alignd",
		"usr/share/fish/vendor_completions.d/alignd.fish",
		"usr/share/man/man5/alignd.yaml.5",
		"usr/share/man/man8/alignd.8",
		"usr/share/zsh/site-functions/_alignd",
	}
	if got := installed(t, dest); !slices.Equal(got, want) {
		t.Errorf("installed %q, want %q", got, want)
	}
	installedConfiguration(t, dest)
	for _, file := range []string{want[5], want[6], want[9]} {
		if text := string(readFile(t, filepath.Join(dest, file))); !strings.Contains(text, "__complete") {
			t.Errorf("%s does not ask alignd what there is", file)
		}
	}
	completes(t, filepath.Join(dest, want[5]), filepath.Join(dest, "usr/bin"))

	own := []byte("# mine\n")
	if err := os.WriteFile(filepath.Join(dest, want[0]), own, 0o644); err != nil {
		t.Fatal(err)
	}
	makeIt(t, "install", "DESTDIR="+dest, "PREFIX=/usr", "BUILT="+binary(t))
	if got := readFile(t, filepath.Join(dest, want[0])); string(got) != string(own) {
		t.Errorf("the configuration of the admin became %q", got)
	}
	makeIt(t, "uninstall", "DESTDIR="+dest, "PREFIX=/usr")
	if got := installed(t, dest); !slices.Equal(got, want[:1]) {
		t.Errorf("left behind: %q", got)
	}
}

// The first configuration refuses nothing, and says how to go on.
func installedConfiguration(t *testing.T, dest string) {
	t.Helper()
	file := filepath.Join(dest, "etc/alignd/alignd.yaml")
	out, err := exec.Command(binary(t), "config", "show", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "mode: monitor  # "+file) {
		t.Errorf("%v\n%s", err, out)
	}
	if text := string(readFile(t, file)); !strings.Contains(text, "write 'mode: enforce' in place of 'mode: monitor', then") {
		t.Errorf("the switch is not explained:\n%s", text)
	}
}

// completes has bash complete a call with the installed file.
func completes(t *testing.T, file, path string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("left out: the completion by bash, which is not installed")
		return
	}
	// What the package bash-completion does for the file, as far as it asks for it.
	const call = `_init_completion() { words=(alignd config sh) cword=2 cur=sh prev=config; }
compopt() { :; }
. "$1"
COMP_LINE='alignd config sh' COMP_POINT=16 COMP_TYPE=9 COMP_WORDS=(alignd config sh) COMP_CWORD=2
__start_alignd && printf '%s\n' "${COMPREPLY[@]}"`
	cmd := exec.Command(bash, "-c", call, "bash", file)
	cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "show" {
		t.Errorf("completing %q: %v\n%s", "alignd config sh", err, out)
	}
}

func makeIt(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("left out: make install (needs make)")
	}
	cmd := exec.Command("make", args...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %q: %v\n%s", args, err, out)
	}
}

// installed lists the files below dir.
func installed(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Where no namespaces can be made, make test says so at once, before it installs
// anything.
func TestInstallSaysAtOnceThatItCannot(t *testing.T) {
	bin, mark := t.TempDir(), filepath.Join(t.TempDir(), "installed")
	for name, text := range map[string]string{
		"unshare": "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n",
		"sudo":    "#!/bin/sh\nexec \"$@\"\n",
		"apt-get": "#!/bin/sh\ntouch " + mark + "\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("./install", "all")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("got %v, want exit status 1", err)
	}
	for _, want := range []string{"no mount and UTS namespaces can be made here", "Operation not permitted", "CAP_SYS_ADMIN", "mount --bind", "make unit"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("it installed something first")
	}
}
