package e2e

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"alignd/e2e/daemon"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// debian is a fresh Debian 12 in a folder, entered by chroot. No systemd runs in it: its
// systemctl asks this, which holds the socket and starts the daemon as the units say.
type debian struct {
	t    *testing.T
	root string

	mu      sync.Mutex
	calls   []string // that changed something: "start alignd.socket"
	systemd *daemon.Systemd
	service *daemon.Daemon
}

// systemctl passes each call on and waits for the answer. What is enabled the real one
// reads from the files.
const systemctl = `#!/bin/sh
case "$*" in
*is-enabled* | *preset*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real "$@" ;;
esac
echo "$@" >/run/ask
read -r status </run/answer
exit "$status"
`

// newDebian unpacks one. It is only for a network namespace of its own.
func newDebian(t *testing.T, zone string) *debian {
	t.Helper()
	loopback(t)
	serveLocally(t, zone)
	d := &debian{t: t, root: filepath.Join(t.TempDir(), "debian")}
	for _, command := range []string{
		"mkdir -p " + d.root,
		"tar -xf ../build/debian12.tar -C " + d.root + " --numeric-owner",
		"mkdir -p " + d.root + "/run/systemd/system " + d.root + "/run/sd " + d.root + "/packages",
		"mv " + d.root + "/usr/bin/systemctl " + d.root + "/usr/bin/systemctl.real",
		"mkfifo " + d.root + "/run/ask " + d.root + "/run/answer",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	d.write("usr/bin/systemctl", systemctl, 0o755)
	d.write("etc/resolv.conf", "nameserver 127.0.0.1\n", 0o644)
	d.write("var/spool/postfix/etc/resolv.conf", "nameserver 127.0.0.1\n", 0o644)
	d.answerSystemctl()
	t.Cleanup(func() { d.act("stop alignd.socket"); d.act("stop alignd.service") })
	return d
}

// loopback makes one of a network namespace that has nothing else, with the address of
// a client. The machine's own is left alone.
func loopback(t *testing.T) {
	t.Helper()
	if all, err := net.Interfaces(); err != nil || len(all) != 1 {
		t.Fatalf("this is not the network namespace that make packages makes: %v, %v", all, err)
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "replace", "192.0.2.1/32", "dev", "lo"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %q: %v\n%s", args, err, out)
		}
	}
}

// serveLocally serves a zone where a resolv.conf expects a name server.
func serveLocally(t *testing.T, text string) {
	t.Helper()
	zone, err := resolver.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnsserver.ServeZone(zone, "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
}

func (d *debian) path(name string) string { return filepath.Join(d.root, name) }

func (d *debian) write(name, text string, mode os.FileMode) {
	d.t.Helper()
	path := d.path(name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// sh runs a line as root of the Debian, and returns what it says.
func (d *debian) sh(line string) (string, error) {
	cmd := exec.Command("chroot", d.root, "/bin/sh", "-c", line)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must is sh of a line that is to work.
func (d *debian) must(line string) string {
	d.t.Helper()
	out, err := d.sh(line)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s\n%s", line, err, out, d.log())
	}
	d.t.Logf("# %s\n%s", line, out)
	return out
}

func (d *debian) log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.service == nil {
		return ""
	}
	return d.service.Log()
}

// answerSystemctl does what the systemctl of the Debian is asked for.
func (d *debian) answerSystemctl() {
	ask, err := os.OpenFile(d.path("run/ask"), os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := os.OpenFile(d.path("run/answer"), os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for in := bufio.NewScanner(ask); in.Scan(); {
			words := slices.DeleteFunc(strings.Fields(in.Text()), func(w string) bool { return strings.HasPrefix(w, "-") })
			status := 0
			if err := d.act(strings.Join(words, " ")); err != nil {
				status = 3
				fmt.Fprintln(os.Stderr, "systemctl:", err)
			}
			fmt.Fprintln(answer, status)
		}
	}()
	d.t.Cleanup(func() { ask.Close(); answer.Close(); <-ended })
}

// act is one call of systemctl, as systemd would carry it out.
func (d *debian) act(call string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	verb, unit, _ := strings.Cut(call, " ")
	if verb != "is-active" && verb != "daemon-reload" {
		d.calls = append(d.calls, call)
	}
	switch call {
	case "daemon-reload":
		return nil
	case "start alignd.socket":
		return d.holdSocket()
	case "stop alignd.socket":
		if d.systemd != nil {
			d.systemd.Close()
			d.systemd = nil
		}
		return nil
	case "start alignd.service", "restart alignd.service", "stop alignd.service":
		return d.serve(verb)
	case "try-restart alignd-web.service", "stop alignd-web.service": // nobody started it here
		return nil
	case "is-active alignd.socket", "is-active alignd.service":
		if unit == "alignd.socket" && d.systemd != nil || unit == "alignd.service" && d.service != nil && !d.service.Ended() {
			return nil
		}
	}
	return fmt.Errorf("%s: not so", call)
}

func (d *debian) holdSocket() error {
	if d.systemd != nil {
		return nil
	}
	before := os.Getenv("TMPDIR")
	os.Setenv("TMPDIR", d.path("run/sd")) // where the daemon in the chroot reaches it
	defer os.Setenv("TMPDIR", before)
	systemd, err := daemon.NewSystemd()
	if err != nil {
		return err
	}
	d.systemd = systemd
	if _, err := systemd.Listen("milter", "tcp", "127.0.0.1:8890"); err != nil {
		return err
	}
	return filepath.WalkDir(d.path("run/sd"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o777)
	})
}

// serve stops, starts, or both, what ExecStart= names, as User= and with the directories
// that the unit asks for.
func (d *debian) serve(verb string) error {
	if d.service != nil && verb != "start" && !d.service.Ended() {
		if err := d.service.Stop(); err != nil {
			return err
		}
	}
	if verb == "stop" {
		return os.RemoveAll(d.path("run/alignd"))
	}
	if d.systemd == nil {
		return fmt.Errorf("%s alignd.service: no socket is held", verb)
	}
	if out, err := d.sh("install -d -o alignd -g alignd -m 755 /run/alignd"); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	notify, err := filepath.Glob(d.path("run/sd/*/notify"))
	if err != nil || len(notify) == 0 {
		return fmt.Errorf("there is no notify socket: %v", err)
	}
	if d.service == nil {
		d.service = &daemon.Daemon{Binary: "/usr/bin/alignd", Before: []string{"chroot", "--userspec=alignd:alignd", d.root}}
	}
	d.service.Systemd = d.systemd
	d.service.Env = []string{"NOTIFY_SOCKET=" + strings.TrimPrefix(notify[len(notify)-1], d.root),
		"RUNTIME_DIRECTORY=/run/alignd", "STATE_DIRECTORY=/var/lib/alignd", "CONFIGURATION_DIRECTORY=/etc/alignd"}
	return d.service.Start()
}

// called are the calls of systemctl since the last time.
func (d *debian) called() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// files are all paths but those that dpkg, logs, users and the MTA may leave.
func (d *debian) files() []string {
	d.t.Helper()
	leave := []string{"/var/lib/dpkg/", "/var/log/", "/var/cache/", "/var/mail/", "/var/spool/postfix/", "/var/lib/postfix/", "/etc/postfix/", "/run/", "/packages/", "/home/",
		"/var/lib/apt/", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid"}
	var all []string
	err := filepath.WalkDir(d.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, d.root)
		if !slices.ContainsFunc(leave, func(l string) bool { return strings.HasPrefix(name, l) }) {
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}
