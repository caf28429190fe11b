package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"alignd/e2e/cases"
	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/play"
	"alignd/e2e/port"
)

// TestCheck puts each message of each case to alignd check --json and compares
// with want.verdict.
func TestCheck(t *testing.T) {
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			for _, m := range c.Envelopes() {
				want, err := c.WantVerdict(m.Step.Message)
				if err != nil {
					t.Fatal(err)
				}
				if len(want) == 0 {
					continue
				}
				got := check(t, c, m)
				if diff := cases.CompareVerdict(want, got); diff != nil {
					t.Errorf("%s, message %d: %s\n%s", c.Title, m.Step.Message, strings.Join(diff, "\n"), got["authentication_results"])
				}
			}
		})
	}
}

func check(t *testing.T, c *cases.Case, e cases.Envelope) map[string]string {
	t.Helper()
	args := append([]string{"check", "--json", "--zone", c.Zone, "--authserv-id", mta.Hostname}, e.Args()...)
	if c.Config != "" {
		args = append(args, "--config", c.Config)
	}
	cmd := exec.Command(binary(t), append(args, c.Dir+"/"+e.Step.File)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("alignd %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	got, err := cases.Flatten(out)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestMilter plays each case to a stand-in MTA that speaks milter to alignd
// serve through go-milter's client. What it then delivers is given to readers of
// Authentication-Results that are not ours.
func TestMilter(t *testing.T) {
	var seen delivered
	t.Cleanup(func() { seen.compare(t) })
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			addr, err := port.Free()
			if err != nil {
				t.Fatal(err)
			}
			old := strings.HasPrefix(c.MTA(), "milter_protocol=")
			playCase(t, c, play.Stand{Options: fakemta.Options{Network: "tcp", Address: addr, Old: old}}, addr, func(o play.Outcome) {
				compareHeaders(t, c, o, *update)
				seen.add(o.Delivered)
			})
		})
	}
}

// TestPostfix plays each case to a real Postfix. What it then delivers is given
// to readers of Authentication-Results that are not ours.
func TestPostfix(t *testing.T) {
	p := realMTA(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	})
	var seen delivered
	t.Cleanup(func() { seen.compare(t) })
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			addr, ok := listenAt[c.MTA()]
			if !ok {
				t.Fatalf("no smtpd line has %q", c.MTA())
			}
			playCase(t, c, play.Postfix{Postfix: p, Line: c.MTA()}, addr, func(o play.Outcome) {
				compareHeaders(t, c, o, false)
				seen.add(o.Delivered)
			})
		})
	}
}

// playCase runs alignd serve on addr with the zone and configuration of c,
// plays the session to m, has seen look at each message, and compares replies
// and log.
func playCase(t *testing.T, c *cases.Case, m play.MTA, addr string, seen func(play.Outcome)) {
	t.Helper()
	dns := serveZone(t, c.Zone)
	config, err := play.Config(c, t.TempDir(), dns.Addr())
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon.Daemon{Binary: raceBinary(t), Config: config, Listen: "inet:" + addr}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	err = play.Play(c, m, d, seen)
	if err != nil {
		t.Error(err)
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	for _, diff := range cases.CompareLog(c.Log, d.Log()) {
		t.Error(diff)
	}
	if t.Failed() {
		t.Logf("%s\nalignd's log:\n%s", c.Title, d.Log())
	}
}

func compareHeaders(t *testing.T, c *cases.Case, o play.Outcome, write bool) {
	t.Helper()
	n := o.Step.Message
	want, exists, err := c.WantHeaders(n)
	if err != nil {
		t.Fatal(err)
	}
	if o.Delivered == nil {
		if exists {
			t.Errorf("message %d: %s has headers, but the message was not delivered: %s", n, c.WantFile(n, "headers"), o.Reply)
		}
		return
	}
	got, err := cases.Diff(o.Sent, o.Delivered, mta.Hostname)
	if err != nil {
		t.Errorf("message %d: %v", n, err)
		return
	}
	diff := cases.CompareLines(want, got)
	if len(diff) == 0 && exists {
		return
	}
	if write {
		writeHeaders(t, c.WantFile(n, "headers"), got)
		return
	}
	t.Errorf("message %d, %s (go test ./e2e -update writes it):\n%s", n, c.WantFile(n, "headers"), strings.Join(diff, "\n"))
}

func writeHeaders(t *testing.T, file string, lines []string) {
	t.Helper()
	text := strings.Join(slices.Concat(lines, []string{""}), "\n")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(fmt.Errorf("writing %s: %w", file, err))
	}
	t.Logf("wrote %s", file)
}
