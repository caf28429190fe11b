package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/e2e/port"
)

const sieveScript = "../testdata/sieve/junk.sieve"

// TestSieveFilesMarkedMail gives what alignd delivered to a real Sieve
// interpreter with the example script.
func TestSieveFilesMarkedMail(t *testing.T) {
	if _, err := exec.LookPath("sieve-test"); err != nil {
		if os.Getenv("ALIGND_E2E") != "" {
			t.Fatal(err)
		}
		t.Skip("left out: the Sieve example (needs sieve-test of dovecot-sieve; make test installs it)")
	}
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	const zone = `
_dmarc.example.com  TXT "v=DMARC1; p=quarantine"
_dmarc.example.net  TXT "v=DMARC1; p=none"
`
	serve(t, raceBinary(t), "inet:"+addr, zone, "")
	for _, c := range []struct{ name, message, folder string }{
		{name: "a spoofed domain with p=quarantine goes to Junk", message: "From: a@example.com\n\nx\n", folder: "Junk"},
		{name: "a spoofed domain with p=none stays in INBOX", message: "From: a@example.net\n\nx\n", folder: "INBOX"},
		{name: "a mark that came with the message is not believed",
			message: "X-Alignd-Disposition: quarantine\nFrom: a@example.net\n\nx\n", folder: "INBOX"},
	} {
		t.Run(c.name, func(t *testing.T) {
			delivered := deliver(t, addr, c.message)
			if got := sieve(t, delivered); !strings.Contains(got, "store message in folder: "+c.folder) {
				t.Errorf("want %s, got %s\n%s", c.folder, got, delivered)
			}
		})
	}
}

// deliver sends a message through the stand-in MTA and returns it as edited.
func deliver(t *testing.T, addr, message string) []byte {
	t.Helper()
	s := fakemta.Dial(fakemta.Options{Network: "tcp", Address: addr}, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	defer s.Close()
	for _, cmd := range []string{"EHLO x.example", "MAIL FROM:<x@x.example>", "RCPT TO:<bob@here.test>"} {
		if reply := s.Command(cmd); reply.Code != 250 {
			t.Fatalf("%s: %s", cmd, reply)
		}
	}
	r := s.Data([]byte(message))
	if r.Delivered == nil {
		t.Fatalf("not delivered: %s", r.Reply)
	}
	return r.Delivered
}

// TestDovecotFilesMarkedMailForEverybody has Dovecot's own delivery take the
// configuration of the cookbook, and shows that it is the plug-in that does it.
func TestDovecotFilesMarkedMailForEverybody(t *testing.T) {
	const lda = "/usr/lib/dovecot/dovecot-lda"
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the delivery by Dovecot (make test runs it; it sets ALIGND_E2E=1)")
	}
	if out, err := exec.Command("/usr/sbin/dovecot", "--version").Output(); err != nil || !strings.HasPrefix(string(out), "2.3.") {
		t.Skipf("left out: the delivery by Dovecot (needs 2.3, here is %q, %v)", out, err)
	}
	text := string(readFile(t, "../testdata/sieve/99-alignd.conf"))
	for _, c := range []struct{ name, text, mark, folder string }{
		{name: "marked mail goes to Junk", text: text, mark: "quarantine", folder: "mail/.Junk/new"},
		{name: "other mail goes to INBOX", text: text, mark: "none", folder: "mail/new"},
		{name: "without the plug-in all mail goes to INBOX", text: strings.ReplaceAll(text, "mail_plugins sieve", "mail_plugins"),
			mark: "quarantine", folder: "mail/new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, attr := nobodys(t)
			before := filepath.Join(dir, "before")
			if err := os.Mkdir(before, 0o755); err != nil {
				t.Fatal(err)
			}
			copyFile(t, sieveScript, filepath.Join(before, "junk.sieve"))
			if out, err := exec.Command("sievec", filepath.Join(before, "junk.sieve")).CombinedOutput(); err != nil {
				t.Fatalf("sievec: %v\n%s", err, out)
			}
			config := strings.ReplaceAll(c.text, "/etc/dovecot/sieve-before.d", before)
			config += "mail_location = maildir:" + dir + "/mail\nlog_path = /dev/stderr\nbase_dir = " + dir + "/run\n"
			message := "X-Alignd-Disposition: " + c.mark + "\nFrom: a@example.com\n\nx\n"
			for name, text := range map[string]string{"dovecot.conf": config, "message": message} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(lda, "-c", filepath.Join(dir, "dovecot.conf"), "-e", "-p", filepath.Join(dir, "message"))
			cmd.Env, cmd.SysProcAttr = append(os.Environ(), "HOME="+dir, "USER=nobody"), attr
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("dovecot-lda: %v\n%s", err, out)
			}
			if found, _ := filepath.Glob(filepath.Join(dir, c.folder, "*")); len(found) != 1 {
				t.Errorf("no message in %s", c.folder)
			}
		})
	}
}

// nobodys is a folder, and what makes a process of root one of nobody, for whom it is:
// Dovecot refuses to work as root.
func nobodys(t *testing.T) (string, *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "alignd-sieve-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return dir, attr
}

const nobody = 65534

// sieve runs the example script over a message and returns what it would do.
func sieve(t *testing.T, message []byte) string {
	t.Helper()
	return sieveWith(t, string(readFile(t, sieveScript)), message)
}

// sieveWith does so with any script.
func sieveWith(t *testing.T, text string, message []byte) string {
	t.Helper()
	dir, attr := nobodys(t)
	script, mail := filepath.Join(dir, "junk.sieve"), filepath.Join(dir, "message")
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mail, bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if attr.Credential != nil {
		uid, gid = nobody, nobody
	}
	cmd := exec.Command("sieve-test", "-c", "/dev/null",
		"-o", fmt.Sprintf("mail_uid=%d", uid), "-o", fmt.Sprintf("mail_gid=%d", gid), "-o", "first_valid_uid=1",
		"-o", "mail_home="+dir, "-o", "mail_location=maildir:"+dir+"/mail", script, mail)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sieve-test: %v\n%s", err, out)
	}
	return string(out)
}
