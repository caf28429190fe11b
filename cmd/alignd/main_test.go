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
		{name: "nothing to do", status: 2,
			stderr: "say what to do: serve, reload, check, log, explain, replay, stats, sources, rollout, journal, dmarc, spf, dkim, report, probe, doctor, web or config"},
		{name: "an unknown command", args: []string{"verify"}, status: 2, stderr: `alignd has no command "verify"`},
		{name: "the version", args: []string{"--version"}, stdout: "alignd " + version},
		{name: "help", args: []string{"--help"}, stdout: "alignd [command]"},
		{name: "help of check", args: []string{"check", "--help"}, stdout: "--mail-from"},
		{name: "a file name with control characters", args: []string{"check", "no\x1b[31m"}, status: 2, stderr: "stat no?[31m: no such file"},
		{name: "config alone", args: []string{"config"}, status: 2, stderr: "config diff A B, config import FILE... or config defaults"},
		{name: "config check of two files", args: []string{"config", "check", "a", "b"}, status: 2,
			stderr: `config check takes one argument, but behind "a" there is "b"`},
	} {
		got := alignd(t, "", row.args...)
		if got.status != row.status || !strings.Contains(got.stdout, row.stdout) || !strings.Contains(got.stderr, row.stderr) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

// Who names no command is told all that there are.
func TestTheListOfCommandsHasAll(t *testing.T) {
	told := alignd(t, "").stderr
	for _, c := range command().Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" && !strings.Contains(told, " "+c.Name()) {
			t.Errorf("%q is not in %q", c.Name(), told)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	good := write(t, "good.yaml", "discovery: psl\n")
	if got := alignd(t, "", "config", "check", good); got != (outcome{stdout: good + ": ok\n"}) {
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
	if got := alignd(t, "", "config", "check"); got != (outcome{stdout: config.DefaultFile + " is absent, the defaults: ok\n"}) {
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
	empty := write(t, "alignd.yaml", noJournal)
	for _, row := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{name: "a port that is taken", args: []string{"--config", empty, "--listen", "inet:" + taken.Addr().String()}, status: 1,
			stderr: "address already in use"},
		{name: "a folder that does not exist",
			args: []string{"--config", empty, "--listen", "unix:" + filepath.Join(t.TempDir(), "no", "socket")}, status: 1,
			stderr: "no such file"},
		{name: "a file that is no socket", args: []string{"--config", empty, "--listen", "unix:" + empty}, status: 1, stderr: "alignd.yaml"},
		{name: "no place to listen", args: []string{"--config", empty, "--listen", "8890"}, status: 2, stderr: `"8890" is not a place to listen`},
		{name: "a port that is none", args: []string{"--config", empty, "--listen", "inet:127.0.0.1:99999"}, status: 2, stderr: "99999"},
		{name: "a configuration that does not exist", args: []string{"--config", empty + "x"}, status: 2, stderr: "no such file"},
		{name: "a faulty configuration", args: []string{"--config", write(t, "bad.yaml", "mode: dry\n")}, status: 2, stderr: "bad.yaml:1:"},
		{name: "an argument", args: []string{"now"}, status: 2, stderr: "now"},
	} {
		got := alignd(t, "", append([]string{"serve"}, row.args...)...)
		if got.status != row.status || got.stdout != "" || !strings.Contains(got.stderr, row.stderr) {
			t.Errorf("%s: got %+v, want status %d and %q", row.name, got, row.status, row.stderr)
		}
	}
}
