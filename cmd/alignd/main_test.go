package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"alignd/config"
)

func TestUsage(t *testing.T) {
	for _, row := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // what they must contain
	}{
		{"nothing to do", nil, 2, "", "say what to do: serve, reload, check, dmarc, spf, dkim, report, probe, doctor or config"},
		{"an unknown command", []string{"verify"}, 2, "", `alignd has no command "verify"`},
		{"the version", []string{"--version"}, 0, "alignd " + version, ""},
		{"help", []string{"--help"}, 0, "alignd [command]", ""},
		{"help of check", []string{"check", "--help"}, 0, "--mail-from", ""},
		{"config alone", []string{"config"}, 2, "", "config diff A B or config defaults"},
		{"config check of two files", []string{"config", "check", "a", "b"}, 2, "", `config check takes one argument, but behind "a" there is "b"`},
	} {
		got := alignd(t, "", row.args...)
		if got.status != row.status || !strings.Contains(got.stdout, row.stdout) || !strings.Contains(got.stderr, row.stderr) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	good := write(t, "good.yaml", "discovery: psl\n")
	if got := alignd(t, "", "config", "check", good); got != (outcome{0, good + ": ok\n", ""}) {
		t.Errorf("a good file: %+v", got)
	}
	bad := write(t, "bad.yaml", "discovery: guess\nlisten: [8890]\n")
	got := alignd(t, "", "config", "check", bad)
	if got.status != 2 || got.stdout != "" || !strings.Contains(got.stderr, bad+":1:") || !strings.Contains(got.stderr, bad+":2:") {
		t.Errorf("each fault is told with its line: %+v", got)
	}
	if got := alignd(t, "", "config", "check", bad+"x"); got.status != 2 || got.stdout != "" {
		t.Errorf("a file that does not exist: %+v", got)
	}
}

// Without a file named it is the one that serve takes, which may be absent.
func TestConfigCheckTakesTheDefaultFile(t *testing.T) {
	if config.FileOf("") != "" {
		t.Skipf("left out: this machine has %s", config.DefaultFile)
	}
	if got := alignd(t, "", "config", "check"); got != (outcome{0, config.DefaultFile + " is absent, the defaults: ok\n", ""}) {
		t.Errorf("%+v", got)
	}
}

func TestConfigDefaultsIsAWorkingFile(t *testing.T) {
	got := alignd(t, "", "config", "defaults")
	if got.status != 0 || got.stdout != string(config.DefaultText()) {
		t.Fatalf("%+v", got)
	}
	file := write(t, "alignd.yaml", got.stdout)
	if got := alignd(t, "", "config", "check", file); got.status != 0 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
}

// A daemon that cannot do its work says so before it is ready, and ends: 2 for
// what an admin wrote, 1 for what the system refused.
func TestServeFailsAtItsStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	empty := write(t, "alignd.yaml", "")
	for _, row := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"a port that is taken", []string{"--config", empty, "--listen", "inet:" + taken.Addr().String()}, 1, "address already in use"},
		{"a folder that does not exist", []string{"--config", empty, "--listen", "unix:" + filepath.Join(t.TempDir(), "no", "socket")}, 1, "no such file"},
		{"a file that is no socket", []string{"--config", empty, "--listen", "unix:" + empty}, 1, "alignd.yaml"},
		{"no place to listen", []string{"--config", empty, "--listen", "8890"}, 2, `"8890" is not a place to listen`},
		{"a port that is none", []string{"--config", empty, "--listen", "inet:127.0.0.1:99999"}, 2, "99999"},
		{"a configuration that does not exist", []string{"--config", empty + "x"}, 2, "no such file"},
		{"a faulty configuration", []string{"--config", write(t, "bad.yaml", "mode: dry\n")}, 2, "bad.yaml:1:"},
		{"an argument", []string{"now"}, 2, "now"},
	} {
		got := alignd(t, "", append([]string{"serve"}, row.args...)...)
		if got.status != row.status || got.stdout != "" || !strings.Contains(got.stderr, row.stderr) {
			t.Errorf("%s: got %+v, want status %d and %q", row.name, got, row.status, row.stderr)
		}
	}
}
