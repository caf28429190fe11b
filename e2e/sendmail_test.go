package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alignd/e2e/cases"
	"alignd/e2e/mta"
	"alignd/e2e/port"
	"alignd/e2e/sendmail"
)

// TestSendmail has a real Sendmail in front of alignd: several messages on one
// connection, of which Sendmail tells a milter less than Postfix does.
func TestSendmail(t *testing.T) {
	s, addr := startSendmail(t)
	t.Run("mail waits while alignd is away", func(t *testing.T) {
		c := sendmailClient(t, s)
		if reply := transaction(t, c, "alice@example.com", strings.NewReader(spoof)); reply.Code != 451 {
			t.Errorf("got %s", reply)
		}
	})

	// Clients of this Sendmail are 127.0.0.1, which is not judged by default.
	serve(t, raceBinary(t), "inet:"+addr, `
_dmarc.example.com          TXT "v=DMARC1; p=reject"
example.org                 TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.example.org          TXT "v=DMARC1; p=reject"
_dmarc.example.net          TXT "v=DMARC1; p=quarantine"
`, "not_judged: {loopback: false}\nsocket_mode: 0666")
	c := sendmailClient(t, s)
	for _, m := range []struct {
		name, from, header string
		reply              string
		want               []string
	}{
		{name: "a spoofed domain with p=reject is refused", from: "alice@example.com", reply: "550 5.7.26 *DMARC*example.com*"},
		{name: "the next message of the connection passes by SPF", from: "alice@example.org", reply: "250 *",
			want: []string{"+ Authentication-Results: " + sendmail.Hostname + "; spf=pass*smtp.mailfrom=example.org*dmarc=pass*"}},
		{name: "a third one is marked", from: "alice@example.net", reply: "250 *",
			want: []string{"+ Authentication-Results: *dmarc=fail*", "+ X-Alignd-Disposition: quarantine"}},
		{name: "forged results go, others stay with their spaces", from: "alice@example.org", reply: "250 *",
			header: "Authentication-Results: " + sendmail.Hostname + "; dmarc=pass\nX-Tab:\ttab\nX-None:none\n" +
				"Authentication-Results:  elsewhere; none\nAuthentication-Results: (x) " + sendmail.Hostname + " 1; spf=pass\n",
			want: []string{"+ Authentication-Results: *dmarc=pass*", "- Authentication-Results: " + sendmail.Hostname + "; dmarc=pass",
				"- Authentication-Results: (x) *"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			message := m.header + "From: " + m.from + "\nTo: bob@here.test\nSubject: x\nDate: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: <1@x>\n\nx\n"
			reply := transaction(t, c, m.from, strings.NewReader(message))
			if !cases.Match(m.reply, reply.String()) {
				t.Fatalf("want %q, got %q", m.reply, reply.String())
			}
			if m.want != nil {
				compareDelivery(t, s, reply.QueueID(), message, m.want)
			}
		})
	}
}

// TestSendmailLeadingSpace has a signature over the exact white space after
// the colon, which verifies only if Sendmail's header came unchanged.
func TestSendmailLeadingSpace(t *testing.T) {
	s, addr := startSendmail(t)
	c := "../testdata/cases/14-leading-space/"
	serve(t, raceBinary(t), "inet:"+addr, string(readFile(t, c+"zone")), "not_judged: {loopback: false}")
	reply := transaction(t, sendmailClient(t, s), "alice@example.com", bytes.NewReader(readFile(t, c+"message.eml")))
	if reply.Code != 250 {
		t.Fatalf("got %s", reply)
	}
	d, err := waitDelivery(t, s.Sink(), reply.QueueID())
	if err != nil {
		t.Fatal(err)
	}
	if header := cases.Unfold(string(d.Data)); !strings.Contains(header, "spf=fail") || !strings.Contains(header, "dkim=pass") {
		t.Errorf("want spf=fail and dkim=pass:\n%s", d.Data)
	}
}

// startSendmail runs a Sendmail for the length of the test and returns where
// alignd must listen. Where ALIGND_E2E is not set it skips the test.
func startSendmail(t *testing.T) (s *sendmail.Sendmail, addr string) {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the real Sendmail (make test runs it; it sets ALIGND_E2E=1)")
	}
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	s, err = sendmail.Start("../build/sendmail", "inet:"+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s, addr
}

func sendmailClient(t *testing.T, s *sendmail.Sendmail) *mta.Client {
	t.Helper()
	c, err := mta.Dial(s.Addr(), mta.Peer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func compareDelivery(t *testing.T, s *sendmail.Sendmail, id, sent string, want []string) {
	t.Helper()
	d, err := waitDelivery(t, s.Sink(), id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := cases.Diff([]byte(sent), d.Data, sendmail.Hostname)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cases.CompareLines(want, got); diff != nil {
		t.Errorf("%s\n%s", strings.Join(diff, "\n"), d.Data)
	}
}

// The lines of docs/sendmail.md make a sendmail.cf in which doctor finds nothing wrong.
func TestThePageOnSendmailIsTrue(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the lines of docs/sendmail.md (make test runs it; it sets ALIGND_E2E=1)")
	}
	page := string(readFile(t, "../docs/sendmail.md"))
	_, block, _ := strings.Cut(page, "\n```m4\n")
	block, _, ok := strings.Cut(block, "\n```\n")
	if !ok {
		t.Fatal("the page has no block of sendmail.mc")
	}
	dir := t.TempDir()
	mc, cf, config := filepath.Join(dir, "sendmail.mc"), filepath.Join(dir, "sendmail.cf"), filepath.Join(dir, "alignd.yaml")
	for name, text := range map[string]string{
		mc:     "divert(0)dnl\nOSTYPE(`linux')dnl\n" + block + "\nMAILER(`smtp')dnl\n",
		config: "listen: unix:/run/alignd.sock\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made, err := sendmail.Configuration("../build/sendmail", mc)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cf, made, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"\nXalignd, S=unix:/run/alignd.sock, F=T, T=S:10s;R:30s;E:5m\n",
		"\nO InputMailFilters=alignd, clamav\n",
		"\nO DaemonPortOptions=Name=MSA, Port=submission, M=Ea, InputMailFilters=opendkim\n",
	} {
		if !strings.Contains(string(made), line) {
			t.Errorf("sendmail.cf has no line %q", line)
		}
	}
	out, _ := exec.Command(binary(t), "doctor", "--all", "--config", config, "--sendmail", cf, "--postfix", dir, "--offline").CombinedOutput()
	for _, id := range []string{"not-attached", "order", "flags", "timeouts", "submission", "macros"} {
		found := regexp.MustCompile(`(?m)^(\w+) .*\[sendmail-` + id + `\]`).FindStringSubmatch(string(out))
		if found == nil || found[1] != "ok" {
			t.Errorf("doctor, sendmail-%s: %q\n%s", id, found, out)
		}
	}
}

// A message that alignd holds is in the queue with the reason, and the command of
// docs/sendmail.md lets it go.
func TestSendmailHoldsOverAUnixSocket(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the real Sendmail (make test runs it; it sets ALIGND_E2E=1)")
	}
	socket := filepath.Join(t.TempDir(), "alignd.sock")
	s, err := sendmail.Start("../build/sendmail", "unix:"+socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	serve(t, raceBinary(t), "unix:"+socket, "_dmarc.example.net TXT \"v=DMARC1; p=quarantine\"\n",
		"not_judged: {loopback: false}\nquarantine_as: hold\nsocket_mode: 0600")
	reply := transaction(t, sendmailClient(t, s), "alice@example.net", strings.NewReader("From: alice@example.net\n\nx\n"))
	if reply.Code != 250 {
		t.Fatalf("got %s\n%s", reply, s.Log())
	}
	id := reply.QueueID()
	if out, err := s.Run("-bp", "-qQ"); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "example.net") {
		t.Errorf("mailq -qQ: %v\n%s", err, out)
	}
	if out, err := s.Run("-qQ", "-Q", "-qI"+id); err != nil {
		t.Errorf("letting it go: %v\n%s", err, out)
	}
	if out, err := s.Run("-q", "-v"); err != nil {
		t.Errorf("running the queue: %v\n%s", err, out)
	}
	if _, err := waitDelivery(t, s.Sink(), id); err != nil {
		t.Error(err)
	}
}
