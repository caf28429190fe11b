package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reloadedBy runs alignd reload in the runtime directory dir.
func reloadedBy(t *testing.T, dir string, args ...string) (said string, status int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{"reload"}, args...)...)
	cmd.Env = append(os.Environ(), asAlignd+"=1", "RUNTIME_DIRECTORY="+dir, "GORACE=atexit_sleep_ms=0")
	out, _ := cmd.CombinedOutput() // its status is looked at
	return string(out), cmd.ProcessState.ExitCode()
}

// TestReloadTellsWhatBecameOfIt: the exit status and the words of alignd reload,
// and what stays in force.
func TestReloadTellsWhatBecameOfIt(t *testing.T) {
	dir := t.TempDir()
	put := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const guest = "exceptions: [{id: guest, action: accept, proof: {clients: [192.0.2.1]}, never_expires: true}]\n"
	guests, vips := filepath.Join(dir, "guests.yaml"), filepath.Join(dir, "vips.txt")
	put(guests, guest)
	put(vips, "ceo@here.test\n")
	whole := noJournal + "dns: {servers: [\"127.0.0.1:1\"]}\n" +
		fmt.Sprintf("exceptions: [{file: %q}]\nprofiles: [{id: vips, recipients: [cfo@here.test], file: %q, honor: {none: tag}}]\n", guests, vips)
	s := &serving{env: []string{"RUNTIME_DIRECTORY=" + dir}}
	s.start(t, whole, &s.stderr)
	config := s.cmd.Args[len(s.cmd.Args)-1]
	dropIn := filepath.Join(filepath.Dir(config), "conf.d", "tool.yaml")
	if err := os.Mkdir(filepath.Dir(dropIn), 0o700); err != nil {
		t.Fatal(err)
	}
	put(dropIn, "exceptions: []\n")
	pid := strconv.Itoa(s.cmd.Process.Pid)

	const stays = "alignd: configuration not reloaded, the old one stays: "
	for _, row := range []struct {
		name   string
		file   string // that is written, and put back after it
		text   string
		args   []string
		status int
		want   string
	}{
		{name: "nothing has changed", file: config, text: whole, args: []string{pid},
			want: "configuration reloaded (enforce, 1 exceptions, 0 networks, 0 relays, 0 sealers, 1 profiles)\n"},
		{name: "what changed is told, old and new", file: config, text: whole + "sampling_secret: 0123456789abcdef\nmode: monitor\nnot_judged: {networks: 192.0.2.0/24}\n",
			want: "1 profiles)\n  mode: enforce -> monitor\n  sampling_secret: (not set) -> (set, not shown)\n  not_judged.networks: [] -> [192.0.2.0/24]\n"},
		{name: "in files that are named, too", file: vips, text: "ceo@here.test\ncto@here.test\n",
			want: "1 profiles)\n  profiles[vips].recipients: [cfo@here.test, ceo@here.test] -> [cfo@here.test, ceo@here.test, cto@here.test]\n"},
		{name: "a file of conf.d that comes", file: dropIn, text: strings.ReplaceAll(guest, "guest", "tool"),
			want: "2 exceptions, 0 networks, 0 relays, 0 sealers, 1 profiles)\n  exceptions[tool]: absent -> {id: tool, action: accept, proof: {clients: [192.0.2.1]}, never_expires: true}\n"},
		{name: "a faulty one", file: dropIn, text: "mode: x\n", status: 1, want: stays + dropIn + ":1:7: mode: "},
		{name: "the process is known without its number", file: config, text: whole, want: "configuration reloaded (enforce"},
		{name: "a network more, and monitor mode", file: config, text: whole + "mode: monitor\nnot_judged: {networks: [192.0.2.0/24]}\n",
			want: "configuration reloaded (monitor, 1 exceptions, 1 networks,"},
		{name: "an option that needs a restart", file: config, text: whole + "listen: inet:127.0.0.1:1\n", want: "these changed options need a restart: listen"},
		{name: "a faulty file", file: config, text: "honour: {reject: reject}\n", status: 1, want: stays + config + ":1:1: unknown key"},
		{name: "a file of no octets", file: config, text: "", status: 1, want: stays + config + ":1:1: the file is empty or holds comments only"},
		{name: "only comments", file: config, text: "# mode: monitor\n", status: 1, want: `write "mode: enforce" if the defaults are meant`},
		{name: "white space and a byte order mark", file: config, text: "\ufeff\n \n", status: 1, want: "the file is empty"},
		{name: "a document without anything in it", file: config, text: "---\n...\n", status: 1, want: "the file is empty"},
		{name: "null", file: config, text: "null\n", status: 1, want: "the file is empty"},
		{name: "an empty mapping", file: config, text: "{}\n", status: 1, want: "the file is empty"},
		{name: "a section whose entries are all comments", file: config, text: "exceptions:\n#  - {file: guests.yaml}\n", status: 1, want: "the file is empty"},
		{name: "the defaults, said so", file: config, text: "mode: enforce\n", want: "configuration reloaded (enforce, 0 exceptions"},
		{name: "a file of exceptions without octets", file: guests, text: "", status: 1, want: stays + guests + ":1:1: the file is empty"},
		{name: "a file of exceptions of comments", file: guests, text: "#" + guest, status: 1, want: `write "exceptions: []" if there shall be none`},
		{name: "a list of exceptions whose entries are gone", file: guests, text: "exceptions:\n", status: 1, want: guests + ":1:1: the file is empty"},
		{name: "no exceptions, said so", file: guests, text: "exceptions: []\n", want: "configuration reloaded (enforce, 0 exceptions"},
		{name: "a file of recipients of comments", file: vips, text: "# ceo@here.test\n\n", status: 1, want: stays + vips + ":1:1: the file is empty"},
		{name: "a number that is none of a process", file: config, text: whole, args: []string{"1"}, status: 2, want: `"1" is not the number of a process`},
	} {
		before, err := os.ReadFile(row.file)
		if err != nil {
			t.Fatal(err)
		}
		put(row.file, row.text)
		if said, status := reloadedBy(t, dir, row.args...); status != row.status || !strings.Contains(said, row.want) {
			t.Errorf("%s: status %d, want %d, said\n%swant\n%s", row.name, status, row.status, said, row.want)
		}
		put(row.file, string(before))
		if said, status := reloadedBy(t, dir); status != 0 {
			t.Fatalf("%s: put back, status %d, %s", row.name, status, said)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, outcomeFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the outcome may quote the configuration: %v, %v", info.Mode(), err)
	}
	s.terminate(t)
	if log := s.stderr.String(); !strings.Contains(log, `changed="mode: enforce -> monitor; sampling_secret: (not set) -> (set, not shown); not_judged.networks: [] -> [192.0.2.0/24]"`) ||
		!strings.Contains(log, "sampling_secret: (set, not shown) -> (not set)") || strings.Contains(log, "0123456789abcdef") {
		t.Errorf("the log does not tell what changed, or it tells the secret:\n%s", log)
	}
	if said, status := reloadedBy(t, dir); status != 1 || !strings.Contains(said, "signalling process "+pid) {
		t.Errorf("after its end: status %d, %s", status, said)
	}
}

// TestOutOfMonitorModeAsTheFileSays: whoever does what the comment of a first
// configuration says, to the word, has the senders' policies carried out.
func TestOutOfMonitorModeAsTheFileSays(t *testing.T) {
	installed, err := os.ReadFile("../../packaging/alignd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	old := write(t, "opendmarc.conf", "AuthservID HOSTNAME\nRejectFailures true\n")
	for _, row := range []struct{ name, text string }{
		{name: "installed", text: string(installed)},
		{name: "imported", text: alignd(t, "", "config", "import", old).stdout},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			s := &serving{env: []string{"RUNTIME_DIRECTORY=" + dir}}
			s.start(t, "mode: monitor\n", &s.stderr)
			config := s.cmd.Args[len(s.cmd.Args)-1]
			// What only the test needs stands beside it: the file is as it was written.
			dropIn := filepath.Join(filepath.Dir(config), "conf.d", "test.yaml")
			if err := errors.Join(os.Mkdir(filepath.Dir(dropIn), 0o700), os.WriteFile(dropIn, []byte(noJournal), 0o600), os.WriteFile(config, []byte(row.text), 0o600)); err != nil {
				t.Fatal(err)
			}
			if said, status := reloadedBy(t, dir); status != 0 || !strings.Contains(said, "configuration reloaded (monitor") {
				t.Fatalf("as it was written: status %d, %s", status, said)
			}
			step := regexp.MustCompile(`write\s+(?:# )?['"]([^'"]+)['"] in place of ['"]([^'"]+)['"]`).FindStringSubmatch(row.text)
			if step == nil || strings.Count(row.text, "\n"+step[2]+"\n") != 1 {
				t.Fatalf("%q is not to be done with\n%s", step, row.text)
			}
			enforcing := strings.Replace(row.text, "\n"+step[2]+"\n", "\n"+step[1]+"\n", 1)
			if err := os.WriteFile(config, []byte(enforcing), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := alignd(t, "", "config", "check", config); got != (outcome{stdout: config + ": ok\n"}) {
				t.Errorf("config check: %+v", got)
			}
			if said, status := reloadedBy(t, dir); status != 0 || !strings.Contains(said, "  mode: monitor -> enforce\n") {
				t.Errorf("status %d, %s", status, said)
			}
			s.terminate(t)
		})
	}
}

// TestAFileThatWasEmptyMayStaySo: what make install writes first is a comment.
func TestAFileThatWasEmptyMayStaySo(t *testing.T) {
	dir := t.TempDir()
	s := &serving{env: []string{"RUNTIME_DIRECTORY=" + dir}}
	s.start(t, "# What differs from the defaults.\n", &s.stderr)
	for range 2 {
		if said, status := reloadedBy(t, dir); status != 0 || !strings.Contains(said, "configuration reloaded (enforce, 0 exceptions") {
			t.Errorf("status %d, %s", status, said)
		}
	}
	s.terminate(t)
}

// TestReloadWithoutARuntimeDirectory: the signal is sent, and the log has the rest.
func TestReloadWithoutARuntimeDirectory(t *testing.T) {
	s := startServe(t, "dns: {servers: [\"127.0.0.1:1\"]}\n")
	said, status := reloadedBy(t, t.TempDir(), strconv.Itoa(s.cmd.Process.Pid))
	if status != 0 || !strings.Contains(said, "its log says what became of it") {
		t.Errorf("status %d, %s", status, said)
	}
	if said, status := reloadedBy(t, t.TempDir()); status != 1 || !strings.Contains(said, "name its process") {
		t.Errorf("nothing known: status %d, %s", status, said)
	}
	s.deliver(t, 1)
	s.terminate(t)
	if !strings.Contains(s.stderr.String(), "configuration reloaded") {
		t.Error("the log does not tell of the reload")
	}
}

func TestReloadSignalsNoOtherProgram(t *testing.T) {
	if _, err := os.Readlink("/proc/self/exe"); err != nil {
		t.Skip("left out: telling processes apart (needs /proc)")
	}
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	got := alignd(t, "", "reload", strconv.Itoa(other.Process.Pid))
	if got.status != exitFailure || !strings.Contains(got.stderr, "is sleep, not ") {
		t.Errorf("got %+v", got)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

// systemd ends what ExecReload= started after TimeoutStartSec=, and systemctl reload would
// say that it failed while the daemon goes on with it.
func TestTheUnitGivesAReloadItsTime(t *testing.T) {
	text, err := os.ReadFile("../../systemd/alignd.service")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nTimeoutStartSec=")
	value, _, _ := strings.Cut(rest, "\n")
	got, err := time.ParseDuration(strings.Replace(value, "min", "m", 1))
	if err != nil || got < reloadPatience+previewPatience+30*time.Second {
		t.Errorf("TimeoutStartSec is %q (%v); a reload may take %v", value, err, reloadPatience+previewPatience)
	}
}
