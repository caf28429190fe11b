package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdUnit has systemd itself read the unit: no unknown option, and an
// exposure below 2.0 ("OK"), where 10 is a service without any sandbox.
func TestSystemdUnit(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the unit file as systemd reads it, which wants root (make test runs it; it sets ALIGND_E2E=1)")
	}
	text := string(readFile(t, "../systemd/alignd.service"))
	text = strings.ReplaceAll(text, "@BINDIR@/alignd", binary(t))
	text = strings.ReplaceAll(text, "Documentation=man:alignd(8)\n", "") // not installed here
	unit := filepath.Join(t.TempDir(), "alignd.service")
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// Other units of the machine may draw warnings of their own.
	out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "alignd.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestUnitSaysWhatItMust: what systemd takes in any case, but mail needs.
func TestUnitSaysWhatItMust(t *testing.T) {
	text := "\n" + string(readFile(t, "../systemd/alignd.service"))
	unit, service, ok := strings.Cut(text, "\n[Service]\n")
	if !ok {
		t.Fatal("no section [Service]")
	}
	for _, line := range []struct{ section, line, why string }{
		{section: unit, line: "Before=postfix.service postfix@-.service sendmail.service", why: "on Debian postfix@-.service is the daemon"},
		{section: unit, line: "StartLimitIntervalSec=0", why: "an address that comes up later must not keep it down"},
		{section: service, line: "RestartSec=5s", why: "it starts again for as long as it takes"},
		{section: service, line: "ExecReload=@BINDIR@/alignd config check\nExecReload=@BINDIR@/alignd reload $MAINPID", why: "systemctl reload fails when the old configuration stays"},
	} {
		if !strings.Contains(line.section, "\n"+line.line+"\n") {
			t.Errorf("the unit does not say %q in its section: %s", line.line, line.why)
		}
	}
}
