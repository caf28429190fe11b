package docs

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commands are those that the pages have people type; each is a word that begins a
// line of code. A new one is put here after it was tried.
var commands = []string{"alignd", "apt", "apt-get", "chgrp", "cp", "createdb", "dig", "docker", "doveconf", "git", "gpg", "grep", "ip", "install", "journalctl", "build/load", "make", "openssl",
	"packaging/version", "pg_dump", "pg_restore", "postconf", "psql", "rm", "sha256sum", "sievec", "systemctl"}

// asUser is what makes a line another user's.
var asUser = regexp.MustCompile(`^sudo (-u [a-z]+ )?`)

// commandOf is the first word of a line that is not about whose it is.
func commandOf(line string) string {
	word, _, _ := strings.Cut(asUser.ReplaceAllString(line, ""), " ")
	return word
}

// shellLines are the lines of a page that are typed into a shell, without what stands
// behind three blanks, where the pages explain.
func shellLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		code, ok := strings.CutPrefix(line, "    ")
		if !ok || strings.HasPrefix(code, " ") {
			continue
		}
		code, _, _ = strings.Cut(strings.TrimSpace(strings.TrimPrefix(code, "$ ")), "   ")
		if slices.Contains(commands, commandOf(code)) || strings.HasPrefix(code, "sudo ") {
			lines = append(lines, code)
		}
	}
	return lines
}

// A shell reads each line, and each program in it is a known one.
func TestShellLinesCanBeTyped(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("left out: the shell lines of the docs (needs sh)")
	}
	seen := 0
	for path, text := range pages(t) {
		for _, line := range shellLines(text) {
			seen++
			if out, err := exec.Command(sh, "-n", "-c", line).CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %s", path, line, out)
			}
			if !slices.Contains(commands, commandOf(line)) {
				t.Errorf("%s: %s: %q is none of the known commands", path, line, commandOf(line))
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d lines were found", seen)
	}
}

var (
	setting    = regexp.MustCompile(`(?m)^    ([a-z_]+ = .*)$`)
	setByE     = regexp.MustCompile(`(?m)postconf -e ('[^\n']+'(?: '[^\n']+')*)`)
	quotedWord = regexp.MustCompile(`'([^']+)'`)
	ofAPort    = regexp.MustCompile(`-o ([a-z_]+=[^\s` + "`" + `]*)`)
)

// Each setting of Postfix in the docs is one that it knows: postconf warns of names that
// it does not use.
func TestPostfixKnowsEachSetting(t *testing.T) {
	postconf, err := exec.LookPath("postconf")
	if err != nil {
		t.Skip("left out: the settings of Postfix in the docs (needs postconf; make test installs it)")
	}
	main := map[string]string{}
	master, port := "", 10000
	for _, text := range pages(t) {
		lines := setting.FindAllString(text, -1)
		for _, m := range setByE.FindAllStringSubmatch(text, -1) {
			lines = append(lines, quotedWord.FindAllString(m[1], -1)...)
		}
		for _, line := range lines {
			line = strings.Trim(line, " '")
			name, _, _ := strings.Cut(line, " ")
			main[name] = line + "\n"
		}
		for _, m := range ofAPort.FindAllStringSubmatch(text, -1) {
			port++
			master += fmt.Sprintf("%d inet n - y - - smtpd -o %s\n", port, m[1])
		}
	}
	if len(main) < 4 || port < 10004 {
		t.Errorf("only %q and %q were found", main, master)
	}
	text := strings.Join(slices.Sorted(maps.Values(main)), "")
	if said := postfixSays(t, postconf, text, master); said != "" {
		t.Errorf("%s\nof main.cf\n%smaster.cf\n%s", said, text, master)
	}
	if said := postfixSays(t, postconf, "smtpd_miltres = x\n", "smtp inet n - y - - smtpd -o smtpd_miltres=x\n"); strings.Count(said, "smtpd_miltres") < 2 {
		t.Errorf("a slip was not noticed: %q", said)
	}
}

// postfixSays is what postconf warns of in a configuration.
func postfixSays(t *testing.T, postconf, main, master string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.cf": "compatibility_level = 3.6\nmyhostname = mx.here.test\nmydomain = here.test\n" + main, "master.cf": master} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	cmd := exec.Command(postconf, "-c", dir, "-n") // warns of master.cf, too
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		said.WriteString(err.Error())
	}
	return said.String()
}
