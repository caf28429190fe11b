package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What config import writes is what config check takes.
func TestConfigImport(t *testing.T) {
	dir := tree(t, map[string]string{
		"opendmarc.conf": "RejectFailures true\nIgnoreHosts hosts\nNoSuch x\n",
		"hosts":          "192.0.2.0/24\n300.1.2.3\n",
		"some.conf":      "Syslog true\n",
	})
	opendmarc, some := filepath.Join(dir, "opendmarc.conf"), filepath.Join(dir, "some.conf")

	got := alignd(t, "", "config", "import", opendmarc)
	if got.status != 0 || !strings.Contains(got.stdout, "mode: monitor\n") || !strings.Contains(got.stdout, "    - 192.0.2.0/24\n") {
		t.Errorf("%+v", got)
	}
	for _, line := range []string{opendmarc + `:3: "NoSuch" is no option`, filepath.Join(dir, "hosts") + `:2: IgnoreHosts: "300.1.2.3" is neither`} {
		if !strings.Contains(got.stderr, "warning: "+line) {
			t.Errorf("standard error is %q, without %q", got.stderr, line)
		}
	}
	if checked := alignd(t, got.stdout, "config", "check", "-"); checked.status != 0 {
		t.Errorf("%+v", checked)
	}

	for _, row := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{name: "no file", status: 2, stderr: "name the files, such as /etc/opendmarc.conf"},
		{name: "a file that is not there", args: []string{opendmarc + "x"}, status: 2, stderr: opendmarc + "x: no such file"},
		{name: "a file of nobody", args: []string{some}, status: 2, stderr: "say --type opendmarc or opendkim or openarc"},
		{name: "a file whose type is said", args: []string{"--type", "openarc", some}},
		{name: "a type that there is not", args: []string{"--type", "dovecot", some}, status: 2, stderr: `--type "dovecot" is none of`},
		{name: "a file twice", args: []string{opendmarc, opendmarc}, status: 2, stderr: "is named twice"},
	} {
		got := alignd(t, "", append([]string{"config", "import"}, row.args...)...)
		if got.status != row.status || !strings.Contains(got.stderr, row.stderr) || row.status != 0 && got.stdout != "" {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
	if got := alignd(t, "RejectFailures 1\n", "config", "import", "-"); got.status != 0 || !strings.Contains(got.stdout, "Made by \"alignd config import\" of <stdin> (opendmarc)") {
		t.Errorf("standard input: %+v", got)
	}
}
