package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exposure is the most that systemd-analyze security may say of the unit, where 10 is
// a service without any sandbox. Unit: tenths.
const exposure = 15

// TestSystemdUnits has systemd itself read the units: no unknown option, and little
// that the service can reach.
func TestSystemdUnits(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the unit files as systemd reads them (make test runs it; it sets ALIGND_E2E=1)")
	}
	// Other units of the machine may draw warnings of their own.
	if said := systemdSays(t, map[string]string{}); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	text := strings.ReplaceAll(string(readFile(t, "../systemd/alignd.service")), "@BINDIR@/alignd", binary(t))
	unit := filepath.Join(t.TempDir(), "alignd.service")
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+strconv.Itoa(exposure), unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "exposure level") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// TestDropInsOfTheDocs has systemd read each drop-in that the docs show, beside the unit
// that it is for.
func TestDropInsOfTheDocs(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the drop-ins of the docs as systemd reads them (make test runs it; it sets ALIGND_E2E=1)")
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range pages {
		for _, m := range dropIn.FindAllStringSubmatch(string(readFile(t, page)), -1) {
			seen++
			text, unit := strings.ReplaceAll(m[0], "\n    ", "\n")[1:], "alignd.service"
			if m[1] == "Socket" {
				unit = "alignd.socket"
			}
			if said := systemdSays(t, map[string]string{unit + ".d/docs.conf": text}); said != "" {
				t.Errorf("%s: %s\n%s", page, text, said)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d drop-ins were found", seen)
	}
	if said := systemdSays(t, map[string]string{"alignd.socket.d/docs.conf": "[Socket]\nSocketMod=0600\n"}); !strings.Contains(said, "SocketMod") {
		t.Errorf("a slip was not noticed: %q", said)
	}
}

// dropIn is a block of the docs that begins with a section of a unit.
var dropIn = regexp.MustCompile(`\n    \[(Unit|Service|Socket)\](?:\n    .+)+`)

// systemdSays is what systemd says of alignd's units with further files beside them.
func systemdSays(t *testing.T, beside map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"alignd.service", "alignd.socket"} {
		text := strings.ReplaceAll(string(readFile(t, "../systemd/"+name)), "@BINDIR@/alignd", binary(t))
		beside[name] = strings.ReplaceAll(text, "Documentation=man:alignd(8)\n", "") // not installed here
	}
	for name, text := range beside {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("systemd-analyze", "verify", filepath.Join(dir, "alignd.service"), filepath.Join(dir, "alignd.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "alignd.") {
		return fmt.Sprintf("%s(%v)", out, err)
	}
	return ""
}

// TestUnitSaysWhatItMust: what systemd takes in any case, but mail needs.
func TestUnitSaysWhatItMust(t *testing.T) {
	text := "\n" + string(readFile(t, "../systemd/alignd.service"))
	unit, service, ok := strings.Cut(text, "\n[Service]\n")
	if !ok {
		t.Fatal("no section [Service]")
	}
	_, socket, ok := strings.Cut("\n"+string(readFile(t, "../systemd/alignd.socket")), "\n[Socket]\n")
	if !ok {
		t.Fatal("no section [Socket]")
	}
	for _, line := range []struct{ section, line, why string }{
		{section: unit, line: "Before=postfix.service postfix@-.service sendmail.service", why: "on Debian postfix@-.service is the daemon"},
		{section: unit, line: "StartLimitIntervalSec=0", why: "an address that comes up later must not keep it down"},
		{section: service, line: "RestartSec=5s", why: "it starts again for as long as it takes"},
		{section: service, line: "Restart=always", why: "whatever ended it"},
		{section: service, line: "Type=notify", why: "systemd waits until it serves"},
		{section: service, line: "WatchdogSec=60s", why: "a daemon that hangs is started again"},
		{section: socket, line: "TriggerLimitIntervalSec=0", why: "a daemon that does not come up must not take its socket with it"},
		{section: socket, line: "FileDescriptorName=milter", why: "the name that alignd knows"},
		{section: socket, line: "ListenStream=127.0.0.1:8890", why: "the default of listen"},
		{section: service, line: "ExecReload=@BINDIR@/alignd config check\nExecReload=@BINDIR@/alignd reload $MAINPID", why: "systemctl reload fails when the old configuration stays"},
	} {
		if !strings.Contains(line.section, "\n"+line.line+"\n") {
			t.Errorf("the unit does not say %q in its section: %s", line.line, line.why)
		}
	}
}
