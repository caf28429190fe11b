package e2e

import (
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// packageZone has a sender whose client is 192.0.2.1, and one that is forged.
const packageZone = `$TTL 60
sender.example. TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.sender.example. TXT "v=DMARC1; p=reject"
bank.example. TXT "v=spf1 -all"
_dmarc.bank.example. TXT "v=DMARC1; p=reject"
`

// builtPackage is the package that make packages built, or the next version of it.
func builtPackage(t *testing.T, which string) string {
	t.Helper()
	dir := os.Getenv("ALIGND_PACKAGES")
	if dir == "" {
		t.Skip("left out: the package and the image (make packages runs it)")
	}
	found, err := filepath.Glob(filepath.Join(dir, which, "alignd_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages in %s: %q, %v", dir, found, err)
	}
	return found[0]
}

// TestPackageHasNoFaults: what lintian has against the package, down to pedantic
// remarks, is overridden with a reason.
func TestPackageHasNoFaults(t *testing.T) {
	out, _ := exec.Command("lintian", "--allow-root", "--display-info", "--pedantic", "--show-overrides", builtPackage(t, "")).CombinedOutput()
	t.Logf("%s", out)
	overridden := 0
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.HasPrefix(line, "O: "):
			overridden++
		case !strings.HasPrefix(line, "N: "):
			t.Errorf("lintian: %s", line)
		}
	}
	if overridden == 0 {
		t.Error("lintian shows no override, so it saw nothing")
	}
	reason := false
	for line := range strings.Lines(string(readFile(t, "../packaging/deb/lintian-overrides"))) {
		if !strings.HasPrefix(line, "#") && !reason {
			t.Errorf("no reason is given for %s", line)
		}
		reason = strings.HasPrefix(line, "#")
	}
}

// TestPackageLivesInDebian takes a package through its life in a fresh Debian 12, as the
// README has it, with mail of a Postfix that goes on meanwhile.
func TestPackageLivesInDebian(t *testing.T) {
	first, next := builtPackage(t, ""), builtPackage(t, "next")
	d := newDebian(t, packageZone)
	copyFile(t, first, d.path("packages/first.deb"))
	copyFile(t, next, d.path("packages/next.deb"))
	fresh := d.files()

	packageInstalls(t, d)
	packageFilters(t, d)
	packageShowsPages(t, d)
	packageUpgrades(t, d)
	packageIsCarefulWithAFault(t, d)
	packageIsRemoved(t, d)

	d.must("dpkg -i /packages/next.deb")
	wantJournal(t, d, 2)
	d.called()
	d.must("apt-get -y purge alignd")
	wantCalls(t, d, "stop alignd.socket", "stop alignd.service", "stop alignd-web.service")
	left := d.files()
	if more := slices.DeleteFunc(slices.Clone(left), func(f string) bool { return slices.Contains(fresh, f) }); len(more) > 0 {
		t.Errorf("purged, it leaves %q", more)
	}
	if lost := slices.DeleteFunc(fresh, func(f string) bool { return slices.Contains(left, f) }); len(lost) > 0 {
		t.Errorf("purged, it took with it %q", lost)
	}
	d.must("getent passwd alignd alignd-web") // stay, as the package says
}

// packageInstalls: all is in place, enabled, running, and of alignd's user.
func packageInstalls(t *testing.T, d *debian) {
	d.must("apt-get -y install /packages/first.deb")
	wantCalls(t, d, "start alignd.socket", "start alignd.service")
	d.must("dpkg --verify alignd")
	d.must("systemctl is-enabled alignd.socket alignd.service")
	if said := d.must("systemctl is-enabled alignd-web.service || true"); said != "disabled" {
		t.Errorf("the pages are %s before anybody wanted them", said)
	}
	if said := d.must("systemd-analyze verify --man=yes alignd.socket alignd.service alignd-web.service 2>&1 | grep alignd || true"); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	d.must("mkdir /etc/systemd/system/alignd.socket.d && printf '[Socket]\\nSocketMod=0600\\n' >/etc/systemd/system/alignd.socket.d/slip.conf")
	if said := d.must("systemd-analyze verify alignd.socket 2>&1 || true; rm -r /etc/systemd/system/alignd.socket.d"); !strings.Contains(said, "SocketMod") {
		t.Errorf("systemd-analyze does not notice a slip: %s", said)
	}
	d.must("man -w alignd alignd.yaml")
	for path, want := range map[string]string{
		"/var/lib/alignd":         "alignd alignd 750",
		"/etc/alignd":             "root root 755",
		"/etc/alignd/alignd.yaml": "root root 644",
		"/usr/bin/alignd":         "root root 755",
	} {
		if got := d.must("stat -c '%U %G %a' " + path); got != want {
			t.Errorf("%s is of %s, want %s", path, got, want)
		}
	}
	if got := d.must("cat /etc/alignd/alignd.yaml"); !strings.HasSuffix(got, "write 'mode: enforce' in place of 'mode: monitor', then\n# 'alignd config check' and 'alignd reload'.\nmode: monitor") {
		t.Errorf("the configuration does not begin with mode: monitor and how to leave it:\n%s", got)
	}
	version := d.must("dpkg-query -W -f '${Version}' alignd")
	if got := d.must("alignd --version"); !strings.HasPrefix(got, "alignd "+strings.Replace(strings.TrimSuffix(version, "-1"), "~", "-", 1)+" (") {
		t.Errorf("package %s has %s", version, got)
	}
	d.must("zcat /usr/share/doc/alignd/licenses.gz | grep -c '^modernc.org/sqlite'")
	d.must("grep -c __complete /usr/share/bash-completion/completions/alignd /usr/share/zsh/vendor-completions/_alignd")
	d.must("alignd probe")
}

// packageFilters does what README and README.Debian say next, and sends mail from outside.
func packageFilters(t *testing.T, d *debian) {
	d.must("useradd -m kim")
	d.must("postconf -e 'smtpd_milters = inet:127.0.0.1:8890' 'milter_default_action = tempfail' 'myhostname = mx.here.test' 'mydestination = localhost, mx.here.test' inet_protocols=ipv4 'smtpd_client_connection_rate_limit = 0'")
	d.must("postfix start")
	t.Cleanup(func() { d.sh("postfix abort") })
	for _, author := range []string{"sender.example", "bank.example"} {
		if err := sendToPackage(author, "first"); err != nil {
			t.Fatalf("%v\n%s", err, d.log())
		}
	}
	box := waitForMail(t, d, 2)
	for _, want := range []string{"Authentication-Results: mx.here.test;", "spf=pass", "dmarc=pass", "dmarc=fail (p=reject dis=none) header.from=bank.example"} {
		if !strings.Contains(box, want) {
			t.Errorf("%q is not in what was delivered:\n%s", want, box)
		}
	}
	wantJournal(t, d, 2)
	d.must("grep -q . /etc/alignd/alignd.yaml && printf 'exceptions:\\n  - {id: vendor, action: accept, scope: {author_domains: [partner.example]}, proof: {clients: [198.51.100.0/24]}, reason: vendor breaks DKIM, never_expires: true}\\n' >>/etc/alignd/alignd.yaml")
	d.must("alignd config check")
	if said := d.must("alignd reload"); !strings.Contains(said, "reloaded") {
		t.Errorf("alignd reload says %q", said)
	}
}

// packageUpgrades: mail goes on, nothing of it is put off, and configuration and journal
// are what they were.
func packageUpgrades(t *testing.T, d *debian) {
	before := d.must("md5sum /etc/alignd/alignd.yaml")
	had := strings.Count(waitForMail(t, d, 2), "\nFrom: ")
	d.called()
	var sent atomic.Int64
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := sendToPackage("sender.example", "meanwhile"); err != nil {
				ended <- err
				return
			}
			sent.Add(1)
		}
	}()
	for sent.Load() < 3 {
		time.Sleep(10 * time.Millisecond)
	}
	d.must("apt-get -y install /packages/next.deb")
	wantCalls(t, d, "start alignd.socket", "restart alignd.service", "try-restart alignd-web.service")
	d.must("systemctl is-enabled alignd-web.service") // as the admin left it
	for at := sent.Load(); sent.Load() < at+3 && len(ended) == 0; {
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("mail was not taken during the upgrade: %v", err)
	}
	all := had + int(sent.Load())
	box := waitForMail(t, d, all)
	if got := strings.Count(box, "Authentication-Results: mx.here.test;"); got != all {
		t.Errorf("%d of %d messages carry results", got, all)
	}
	t.Logf("%d messages were sent during the upgrade, and judged", sent.Load())
	if after := d.must("md5sum /etc/alignd/alignd.yaml"); after != before {
		t.Errorf("the configuration became another: %s, %s", before, after)
	}
	if got := d.must("alignd --version"); !strings.HasPrefix(got, "alignd 99.0.0 (") {
		t.Errorf("upgraded, it is %s", got)
	}
	wantJournal(t, d, all)
}

// packageIsCarefulWithAFault: a version that does not take the configuration is not
// started, and the upgrade says so; and it tells of a unit that hides the package's.
func packageIsCarefulWithAFault(t *testing.T, d *debian) {
	d.must("sed s,/usr/bin,/usr/local/bin, /lib/systemd/system/alignd.service >/etc/systemd/system/alignd.service")
	d.must("cp -p /etc/alignd/alignd.yaml /root/ && echo 'nonsense: 1' >>/etc/alignd/alignd.yaml")
	pid := d.service.PID()
	d.called()
	said := d.must("dpkg -i /packages/next.deb 2>&1")
	wantCalls(t, d)
	if !strings.Contains(said, "does not take the configuration") || !strings.Contains(said, "nonsense") || d.service.PID() != pid {
		t.Errorf("it says %q, and process %d became %d", said, pid, d.service.PID())
	}
	if !strings.Contains(said, "of make install, stands before") {
		t.Errorf("it does not tell of the unit that make install left: %q", said)
	}
	d.must("rm /etc/systemd/system/alignd.service")
	d.must("mv /root/alignd.yaml /etc/alignd/ && alignd config check && alignd probe")
}

// packageIsRemoved: it stops, the socket first, and configuration and journal stay.
func packageIsRemoved(t *testing.T, d *debian) {
	d.called()
	d.must("apt-get -y remove alignd")
	wantCalls(t, d, "stop alignd.socket", "stop alignd.service", "stop alignd-web.service")
	if conn, err := net.Dial("tcp", "127.0.0.1:8890"); err == nil {
		conn.Close()
		t.Error("removed, it still listens")
	}
	d.must("grep -q never_expires /etc/alignd/alignd.yaml && ls /var/lib/alignd")
	if left, err := d.sh("ls /usr/bin/alignd /lib/systemd/system/alignd.service"); err == nil {
		t.Errorf("removed, it leaves %s", left)
	}
	if err := sendToPackage("sender.example", "away"); err == nil || !strings.HasPrefix(err.Error(), "451") {
		t.Errorf("while it is away the MTA says %v, want 451", err)
	}
}

func wantCalls(t *testing.T, d *debian, want ...string) {
	t.Helper()
	if got := d.called(); !slices.Equal(got, want) {
		t.Errorf("systemctl was asked to %q, want %q", got, want)
	}
}

// wantJournal: at least so many messages are remembered, the forged one among them. A
// record is in the journal a moment after the answer.
func wantJournal(t *testing.T, d *debian, want int) {
	t.Helper()
	var out string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		out, _ = d.sh("alignd log --json --since 1h --limit 10000")
		if strings.Count(out, `"mail_from":"kim@`) >= want && strings.Contains(out, `"from_domain":"bank.example"`) {
			return
		}
	}
	t.Errorf("the journal has not %d messages:\n%s", want, out)
}

// sendToPackage sends one message from outside. The error begins with the reply's code.
func sendToPackage(author, subject string) error {
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, Timeout: 10 * time.Second}).Dial("tcp", "192.0.2.1:25")
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := smtp.NewClient(conn, "mx.here.test")
	if err != nil {
		return err
	}
	if err = c.Hello("client.sender.example"); err != nil {
		return err
	}
	if err = c.Mail("kim@sender.example"); err != nil {
		return err
	}
	if err = c.Rcpt("kim@localhost"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "From: kim@%s\r\nTo: kim@localhost\r\nSubject: %s\r\nMessage-ID: <%d@%s>\r\nDate: %s\r\n\r\nhello\r\n",
		author, subject, time.Now().UnixNano(), author, time.Now().Format(time.RFC1123Z))
	if err = w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// waitForMail returns the mailbox once it has so many messages.
func waitForMail(t *testing.T, d *debian, want int) string {
	t.Helper()
	var box []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		box, _ = os.ReadFile(d.path("var/mail/kim"))
		if strings.Count(string(box), "\nFrom: ") >= want {
			return string(box)
		}
	}
	t.Fatalf("%d messages did not arrive:\n%s\n%s", want, box, d.log())
	return ""
}
