package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
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
	dir := t.TempDir()
	for _, name := range []string{"alignd.service", "alignd.socket"} {
		text := string(readFile(t, "../systemd/"+name))
		text = strings.ReplaceAll(text, "@BINDIR@/alignd", binary(t))
		text = strings.ReplaceAll(text, "Documentation=man:alignd(8)\n", "") // not installed here
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unit := filepath.Join(dir, "alignd.service")
	// Other units of the machine may draw warnings of their own.
	out, err := exec.Command("systemd-analyze", "verify", unit, filepath.Join(dir, "alignd.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "alignd.") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+strconv.Itoa(exposure), unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "exposure level") {
			t.Log(strings.TrimSpace(line))
		}
	}
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
