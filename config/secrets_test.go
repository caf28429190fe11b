package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTextWithoutSecretsHasNone(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{name: "no secret", text: "mode: monitor\n", want: "mode: monitor\n"},
		{name: "a line", text: "mode: monitor\nsampling_secret: \"hush hush\"\niprev: true\n", want: "mode: monitor\n# sampling_secret: (set, not shown)\niprev: true\n"},
		{name: "several lines", text: "sampling_secret: >-\n  hush\n  hush\n\niprev: true\n", want: "# sampling_secret: (set, not shown)\niprev: true\n"},
		{name: "on the next line", text: "sampling_secret:\n  hush\niprev: true\n", want: ""},
		{name: "a name in quotes", text: "\"sampling_secret\": hush\n", want: "# sampling_secret: (set, not shown)\n"},
		{name: "in braces", text: "{mode: monitor, sampling_secret: hush, iprev: true}\n", want: "# sampling_secret: (set, not shown)\n"},
		{name: "in braces over lines", text: "{mode: monitor,\n sampling_secret: hush,\n iprev: true}\n", want: ""},
		{name: "by an anchor", text: "authserv_id: &a hushhush\nsampling_secret: *a\n", want: ""},
		{name: "a comment that tells it", text: "sampling_secret: hushhush\n# was hushhush before\n", want: ""},
		{name: "a faulty file", text: "sampling_secret: [hush\n", want: ""},
	} {
		if got := string(WithoutSecrets([]byte(row.text))); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		} else if strings.Contains(got, "hush") {
			t.Errorf("%s: %q tells it", row.name, got)
		}
	}
}

// Text that somebody hands in names no file but those that are named already, for what
// they are, and learns nothing of any other.
func TestOnlyFilesOfTheRunningConfigurationAreRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("more.yaml", "exceptions: [{id: a, action: accept, proof: {clients: [192.0.2.1]}, never_expires: true}]\n")
	secret := write("shadow", "root:topsecret\n")
	main := write("alignd.yaml", "sampling_secret: topsecret\nexceptions: [{file: more.yaml}]\n")
	running, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"exceptions: [{file: more.yaml}]":                                       true,
		"exceptions: [{file: " + secret + "}]":                                  false,
		"exceptions: [{file: alignd.yaml}]":                                     false,
		"profiles: [{id: p, file: more.yaml, quarantine_as: hold}]":             false,
		"profiles: [{id: p, file: " + main + ", quarantine_as: hold}]":          false,
		"exceptions: [{file: /etc/passwd}]":                                     false,
		"exceptions: [{file: ../" + filepath.Base(dir) + "/./shadow}]":          false,
		"exceptions: [{file: " + filepath.Join(dir, "x", "..", "shadow") + "}]": false,
	} {
		_, err := Input{File: main, Text: strings.NewReader(name), Like: running}.Load()
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the fault tells what the file holds: %v", name, err)
		}
		if problems := (Problems{}); err != nil && !errors.As(err, &problems) {
			t.Errorf("%s: %v has no place", name, err)
		}
	}
}
