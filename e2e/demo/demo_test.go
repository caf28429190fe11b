package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryColumnIsCompared(t *testing.T) {
	want := []row{{title: "spoofed", spf: "pass", dkim: "none", arc: "none", dmarc: "fail", policy: "reject", delivery: "refuse", reply: "550 5.7.26 *DMARC*"}}
	got := row{spf: "pass", dkim: "none", arc: "none", dmarc: "fail", policy: "reject", delivery: "refuse", reply: "550 5.7.26 rejected per DMARC policy"}
	if err := compare(want, []row{got}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		heading string
		change  func(*row)
	}{
		{"SPF", func(r *row) { r.spf = "fail" }},
		{"DKIM", func(r *row) { r.dkim = "pass(a.example)" }},
		{"ARC", func(r *row) { r.arc = "pass(a.example)" }},
		{"policy", func(r *row) { r.policy = "none" }},
		{"DMARC", func(r *row) { r.dmarc = "none" }},
		{"delivery", func(r *row) { r.delivery = "deliver" }},
		{"SMTP reply", func(r *row) { r.reply = "250 2.0.0 Ok" }},
	} {
		wrong := got
		c.change(&wrong)
		err := compare(want, []row{wrong})
		if err == nil || !strings.Contains(err.Error(), "spoofed: "+c.heading) {
			t.Errorf("%s: %v", c.heading, err)
		}
	}
	if err := compare(want, nil); err == nil {
		t.Error("a message that is missing was not noticed")
	}
}

func TestBuiltInExpectationsHaveARowForEachMessage(t *testing.T) {
	rows, err := readExpectations("")
	if err != nil {
		t.Fatal(err)
	}
	session, err := files.ReadFile("show/session")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(session), "\ndata "); n != len(rows) {
		t.Errorf("%d messages, %d expectations", n, len(rows))
	}
	if _, err := parseExpectations("\na | b\n", "file"); err == nil || !strings.HasPrefix(err.Error(), "file:2:") {
		t.Errorf("a row with two columns: %v", err)
	}
}

// TestWrongExpectationFailsTheDemo runs the whole demo, as it is and with one
// expectation changed.
func TestWrongExpectationFailsTheDemo(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the demo with a real Postfix (make test runs it; it sets ALIGND_E2E=1)")
	}
	text, err := files.ReadFile("expect")
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "expect")
	wrong := strings.Replace(string(text), "| refuse ", "| deliver", 1)
	if wrong == string(text) {
		t.Fatal("nothing to change in the expectations")
	}
	if err := os.WriteFile(changed, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}

	if out, err := demo(t).CombinedOutput(); err != nil {
		t.Errorf("as it is: %v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	out, err := demo(t, "-expect", changed).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		t.Errorf("with a changed expectation: %v, want exit status 1\n%s", err, out)
	}
	if !strings.Contains(string(out), `want "deliver", got "refuse"`) {
		t.Errorf("the difference is not named:\n%s", out)
	}
}

func demo(t *testing.T, args ...string) *exec.Cmd {
	if alignd := os.Getenv("ALIGND_BINARY"); alignd != "" {
		args = append(args, "-alignd", alignd)
	}
	if built := os.Getenv("ALIGND_DEMO"); built != "" {
		return exec.Command(built, args...)
	}
	return exec.Command("go", append([]string{"run", "."}, args...)...)
}
