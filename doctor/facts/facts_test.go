package facts

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"alignd/doctor"
)

// plant makes files below a root of its own.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// noCommand has nothing installed.
func noCommand(context.Context, []string, string, ...string) (string, string, error) {
	return "", "", errors.New("not here")
}

func nothing(t *testing.T, root string) *gatherer {
	return &gatherer{Options: Options{Root: root, Run: noCommand, Offline: true}, ctx: t.Context()}
}

func TestForwardersOfEachResolver(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             []string
	}{
		{name: "systemd-resolved", file: "/run/systemd/resolve/resolv.conf", text: "# x\nnameserver 8.8.8.8\nnameserver 10.0.0.1\n", want: []string{"8.8.8.8", "10.0.0.1"}},
		{name: "unbound", file: "/etc/unbound/unbound.conf.d/f.conf", text: "forward-zone:\n  name: \".\"\n  forward-addr: 1.1.1.1@853#cloudflare-dns.com\n  # forward-addr: 9.9.9.9\n", want: []string{"1.1.1.1"}},
		{name: "bind", file: "/etc/bind/named.conf.options", text: "options {\n // forwarders { 9.9.9.9; };\n forwarders {\n  8.8.4.4; 2001:4860:4860::8888;\n };\n};\n", want: []string{"8.8.4.4", "2001:4860:4860::8888"}},
		{name: "dnsmasq", file: "/etc/dnsmasq.conf", text: "server=/lan.example/10.0.0.1\nserver=208.67.222.222#53\n#server=1.1.1.1\n", want: []string{"208.67.222.222"}},
		{name: "PowerDNS", file: "/etc/powerdns/recursor.conf", text: "forward-zones-recurse=.=8.8.8.8;9.9.9.9\n", want: []string{"8.8.8.8", "9.9.9.9"}},
		{name: "Knot", file: "/etc/knot-resolver/kresd.conf", text: "-- policy 9.9.9.9\npolicy.add(policy.all(policy.FORWARD({'1.0.0.1'})))\n", want: []string{"1.0.0.1"}},
		{name: "none", file: "/etc/unbound/unbound.conf", text: "server:\n  interface: 127.0.0.1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range nothing(t, plant(t, map[string]string{c.file: c.text})).forwarders() {
				if f.File != c.file {
					t.Errorf("file %s, want %s", f.File, c.file)
				}
				got = append(got, f.Addr.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// dnsServer answers what answer makes of a question; nil is silence.
func dnsServer(t *testing.T, answer func(*dns.Msg) *dns.Msg) string {
	t.Helper()
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: packet, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		if a := answer(q); a != nil {
			_ = w.WriteMsg(a)
		}
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return packet.LocalAddr().String()
}

// rr answers with records; ad sets the bit where it was asked for.
func rr(q *dns.Msg, ad bool, records ...string) *dns.Msg {
	a := new(dns.Msg).SetReply(q)
	a.AuthenticatedData = ad && q.AuthenticatedData
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		if r.Header().Rrtype == q.Question[0].Qtype && r.Header().Name == q.Question[0].Name {
			a.Answer = append(a.Answer, r)
		}
	}
	return a
}

const rootSOA = ". 60 IN SOA a.root. h.root. 1 2 3 4 5"

func TestResolversAreAskedForASignedName(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  func(*dns.Msg) *dns.Msg
		id      string
		want    doctor.Severity
		offline bool
	}{
		{name: "one that validates", answer: func(q *dns.Msg) *dns.Msg { return rr(q, true, rootSOA) }, id: "resolver-dnssec", want: doctor.OK},
		{name: "one that does not", answer: func(q *dns.Msg) *dns.Msg { return rr(q, false, rootSOA) }, id: "resolver-dnssec", want: doctor.Warning},
		{name: "one that refuses", answer: func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeRefused) }, id: "resolver-dnssec", want: doctor.Note},
		{name: "one without a root", answer: func(q *dns.Msg) *dns.Msg { return rr(q, true) }, id: "resolver-dnssec", want: doctor.Note},
		{name: "one that keeps silent", answer: func(*dns.Msg) *dns.Msg { return nil }, id: "resolver-silent", want: doctor.Error},
		{name: "none is asked", answer: func(q *dns.Msg) *dns.Msg { return rr(q, true, rootSOA) }, offline: true, id: "resolver-dnssec", want: doctor.Note},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := nothing(t, plant(t, nil))
			g.Offline = c.offline
			g.facts.Alignd.DNSServers = []string{dnsServer(t, c.answer)}
			g.resolver()
			r := doctor.Examine(&g.facts, nil)
			if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool {
				return f.ID == c.id && f.Severity == c.want || c.want == doctor.OK && f.Severity == c.want && f.What == "the resolver validates DNSSEC"
			}) {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

func TestServersOfTheSystem(t *testing.T) {
	g := nothing(t, plant(t, map[string]string{"/etc/resolv.conf": "search x\nnameserver 192.0.2.53\nnameserver ::1\n"}))
	g.resolver()
	if s := g.facts.Resolver.Servers; len(s) != 2 || s[0].Addr != netip.MustParseAddrPort("192.0.2.53:53") || g.facts.Resolver.From != "/etc/resolv.conf" {
		t.Errorf("%+v", g.facts.Resolver)
	}
	g = nothing(t, plant(t, nil))
	g.resolver()
	if s := g.facts.Resolver.Servers; len(s) != 1 || s[0].Addr != netip.MustParseAddrPort("127.0.0.1:53") {
		t.Errorf("%+v", s)
	}
}

func TestMailHostsAreLookedUp(t *testing.T) {
	records := []string{
		rootSOA, "here.test. 60 IN MX 10 mx.here.test.", "here.test. 60 IN MX 20 backup.example.net.",
		"mx.here.test. 60 IN A 192.0.2.1", "backup.example.net. 60 IN AAAA 2001:db8::1",
	}
	g := nothing(t, plant(t, nil))
	g.Offline, g.DNS = false, dnsServer(t, func(q *dns.Msg) *dns.Msg {
		if q.Question[0].Name == "broken.test." {
			return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		}
		return rr(q, true, records...)
	})
	for _, name := range []string{"here.test", "here.test", "broken.test", "localdomain"} {
		g.facts.Postfix = append(g.facts.Postfix, doctor.Instance{Param: map[string]string{"mydomain": name}})
	}
	g.resolver()
	g.mx()
	mx := g.facts.MX
	if len(mx) != 2 || len(mx[0].Hosts) != 2 || mx[1].Problem != "SERVFAIL" {
		t.Fatalf("%+v", mx)
	}
	if h := mx[0].Hosts; h[0].Name != "backup.example.net" || h[0].Addresses[0] != netip.MustParseAddr("2001:db8::1") || h[1].Addresses[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%+v", h)
	}
}

func TestSendmailIsRead(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string // ids of warnings and errors
	}{
		{file: "good.mc"},
		{file: "made.cf"},
		{file: "bad.mc", want: []string{"sendmail-timeouts", "sendmail-order", "sendmail-flags", "sendmail-timeouts", "sendmail-submission", "sendmail-macros", "sendmail-macros", "sendmail-macros"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			own := configured(os.DevNull)
			own.Listen = []string{"unix:/run/alignd/alignd.sock"}
			found := Collect(t.Context(), Options{Root: plant(t, nil), Run: noCommand, Sendmail: "../testdata/sendmail/" + c.file, Offline: true}, own)
			var got []string
			for _, f := range doctor.Examine(&found, nil).Findings {
				if strings.HasPrefix(f.ID, "sendmail-") && f.Severity != doctor.OK {
					got = append(got, f.ID)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q\n%+v", got, c.want, found.Sendmail)
			}
		})
	}
}

func TestSendmailWithoutAnyFile(t *testing.T) {
	root := plant(t, map[string]string{"/etc/mail/sendmail.cf": "Xalignd, S=inet:8890@127.0.0.1, F=T\nO InputMailFilters=alignd\n", "/etc/mail/sendmail.mc": ""})
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(root+"/etc/mail/sendmail.cf", old, old); err != nil {
		t.Fatal(err)
	}
	found := Collect(t.Context(), Options{Root: root, Run: noCommand, Offline: true}, configured(os.DevNull))
	if found.Sendmail == nil || !strings.HasSuffix(found.Sendmail.Stale, "sendmail.mc") {
		t.Errorf("%+v", found.Sendmail)
	}
	if found = Collect(t.Context(), Options{Root: plant(t, nil), Run: noCommand, Offline: true}, configured(os.DevNull)); found.Sendmail != nil {
		t.Errorf("%+v", found.Sendmail)
	}
}

func TestUnitFromFiles(t *testing.T) {
	shipped, err := os.ReadFile("../../systemd/alignd.service")
	if err != nil {
		t.Fatal(err)
	}
	g := nothing(t, plant(t, map[string]string{
		"/etc/systemd/system/alignd.service":             string(shipped),
		"/etc/systemd/system/alignd.service.d/more.conf": "[Service]\nSupplementaryGroups=postfix\nTimeoutStopSec=1min 30s\n",
	}))
	g.unit()
	u := g.facts.Unit
	if u == nil {
		t.Fatal("not found")
	}
	if u.Running || u.Stop != 90*time.Second || !slices.Contains(u.Groups, "postfix") || !slices.Contains(u.Before, "postfix.service") ||
		!u.PrivateTmp || !slices.Contains(u.Writable, "/var/spool/postfix/alignd") || !slices.Contains(u.Writable, "/run/alignd") || slices.Contains(u.Writable, "/") {
		t.Errorf("%+v", u)
	}
	if g = nothing(t, plant(t, nil)); g.facts.Unit != nil {
		t.Error("found in nothing")
	}
}

func TestUnitAsSystemdShowsIt(t *testing.T) {
	u := unitOfShow(parameters(`LoadState=loaded
ActiveState=failed
UnitFileState=disabled
NeedDaemonReload=yes
NRestarts=4
ExecStart={ path=/usr/local/bin/alignd ; argv[]=/usr/local/bin/alignd serve --config /srv/a.yaml ; ignore_errors=no ; }
TimeoutStopUSec=1min 30s
Before=sendmail.service postfix.service
SupplementaryGroups=postfix
Group=alignd
ReadWritePaths=-/var/spool/postfix/alignd
RuntimeDirectory=alignd
StateDirectory=alignd
PrivateTmp=yes
ProtectSystem=strict
FragmentPath=/etc/systemd/system/alignd.service`))
	if u.Active != "failed" || u.Enabled != "disabled" || !u.NeedsReload || u.Restarts != 4 || u.Stop != 90*time.Second ||
		u.Exec != "/usr/local/bin/alignd serve --config /srv/a.yaml" || !slices.Equal(u.Writable, []string{"/var/spool/postfix/alignd", "/run/alignd", "/var/lib/alignd"}) {
		t.Errorf("%+v", u)
	}
}

// Where alignd was stopped with its socket, the MTA is still to go where that will be.
func TestPlacesOfASocketThatIsStopped(t *testing.T) {
	for _, c := range []struct {
		name, service, state string
		want                 string
	}{
		{name: "both are stopped", service: "inactive", state: "enabled", want: "unix:/run/alignd.sock"},
		{name: "alignd opens its own", service: "inactive", state: "disabled", want: "inet:127.0.0.1:8890"},
		{name: "alignd was started without it", service: "active", state: "enabled", want: "inet:127.0.0.1:8890"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := nothing(t, "")
			g.facts.Alignd.Listen = []string{"inet:127.0.0.1:8890"}
			g.Run = func(_ context.Context, _ []string, _ string, args ...string) (string, string, error) {
				if args[1] == "alignd.socket" {
					return "Listen=/run/alignd.sock (Stream)\nActiveState=inactive\nUnitFileState=" + c.state + "\n", "", nil
				}
				return "LoadState=loaded\nActiveState=" + c.service + "\n", "", nil
			}
			g.use(g.runningUnit())
			if got := g.facts.Alignd.Listen; !slices.Equal(got, []string{c.want}) {
				t.Errorf("got %q, want %s", got, c.want)
			}
		})
	}
}

func TestFilesThatAligndReadsAreLookedAt(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	file := filepath.Join(root, "alignd.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g := nothing(t, "")
	g.facts.Alignd.Reads = []string{file, filepath.Join(root, "none.pem")}
	u := &doctor.Unit{User: "daemon", UserGroups: []string{"4711", "postfix"}}
	g.reads(u)
	if u.Account == nil {
		t.Skip("this host has no user daemon")
	}
	files := g.facts.Alignd.Files
	if f := files[file]; f.Mode.Perm() != 0o600 || strconv.Itoa(f.UID) != me.Uid || !files[filepath.Join(root, "none.pem")].Missing || !files[root].Mode.IsDir() {
		t.Errorf("%+v", files)
	}
	if !slices.Contains(u.Account.Groups, 4711) {
		t.Errorf("groups %v", u.Account.Groups)
	}
}

// A daemon that runs has its sockets, also where a slip in a drop-in keeps systemd from
// starting it again.
func TestAUnitThatSystemdCannotUse(t *testing.T) {
	for _, c := range []struct {
		load  string
		known bool
		want  string
	}{
		{load: "loaded", known: true},
		{load: "bad-setting", known: true, want: "bad-setting"},
		{load: "masked", known: true, want: "masked"},
		{load: "not-found"},
		{load: ""},
	} {
		t.Run(c.load, func(t *testing.T) {
			g := nothing(t, t.TempDir())
			g.Run = func(_ context.Context, _ []string, _ string, args ...string) (string, string, error) {
				if args[1] == "alignd.socket" {
					return "Listen=127.0.0.1:8890 (Stream)\nActiveState=active\n", "", nil
				}
				return "LoadState=" + c.load + "\nActiveState=active\n", "", nil
			}
			u := g.runningUnit()
			if (u != nil) != c.known || u != nil && (u.Load != c.want || !u.SocketActive) {
				t.Errorf("got %+v", u)
			}
		})
	}
}

func TestSocketUnit(t *testing.T) {
	u := &doctor.Unit{Enabled: "disabled"}
	socketOfShow(u, "Listen=127.0.0.1:8890 (Stream)\nListen=/run/alignd/alignd.sock (Stream)\nListen=x (Datagram)\nActiveState=active\nUnitFileState=enabled\n")
	if !u.SocketActive || !u.SocketEnabled || u.Enabled != "enabled" || !slices.Equal(u.Sockets, []string{"inet:127.0.0.1:8890", "unix:/run/alignd/alignd.sock"}) {
		t.Errorf("%+v", u)
	}
}

func TestPlacesThatSystemdHolds(t *testing.T) {
	const show = "Listen=/var/spool/postfix/alignd/alignd.sock (Stream)\nUnitFileState=enabled\nActiveState="
	for _, c := range []struct {
		name, show string
		noSystemd  bool
		want       []string
	}{
		{name: "alignd.socket is open", show: show + "active\n", want: []string{"unix:/var/spool/postfix/alignd/alignd.sock"}},
		{name: "it was stopped", show: show + "inactive\n"},
		{name: "there is none", show: "ActiveState=inactive\n"},
		{name: "systemd does not run", show: show + "active\n", noSystemd: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Root: t.TempDir(), Run: func(context.Context, []string, string, ...string) (string, string, error) { return c.show, "", nil }}
			if !c.noSystemd {
				o.Root = plant(t, map[string]string{"/run/systemd/system/x": ""})
			}
			if got := Places(t.Context(), o); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestClock(t *testing.T) {
	for out, want := range map[string]doctor.Clock{
		"yes\n": {Known: true, Synchronised: true, Source: "timedatectl"},
		"no\n":  {Known: true, Source: "timedatectl"},
		"":      {},
	} {
		g := nothing(t, t.TempDir())
		g.Run = func(context.Context, []string, string, ...string) (string, string, error) { return out, "", nil }
		g.clock()
		if g.facts.Clock != want {
			t.Errorf("%q: %+v", out, g.facts.Clock)
		}
	}
}

func TestRoutersAndContainers(t *testing.T) {
	g := nothing(t, plant(t, map[string]string{
		"/proc/net/route":      "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\neth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0\neth0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n",
		"/proc/net/ipv6_route": "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n",
		"/run/.containerenv":   "",
	}))
	g.host()
	h := g.facts.Host
	if !h.Container || !slices.Equal(h.Gateways, []netip.Addr{netip.MustParseAddr("172.17.0.1"), netip.MustParseAddr("2001:db8::1")}) {
		t.Errorf("%+v", h)
	}
	g = nothing(t, plant(t, nil))
	if g.host(); g.facts.Host.Container {
		t.Error("nothing is a container")
	}
}

func TestChrootColumn(t *testing.T) {
	for _, c := range []struct {
		name, version, level, column string
		want                         bool
	}{
		{name: "yes", version: "3.7.11", level: "3.6", column: "y", want: true},
		{name: "no", version: "3.7.11", level: "3.6", column: "n"},
		{name: "the default", version: "3.7.11", level: "3.6", column: "-"},
		{name: "the default before compatibility levels", version: "3.7.11", level: "0", column: "-", want: true},
		{name: "the default of old", version: "2.11.3", column: "-", want: true},
	} {
		param := map[string]string{"mail_version": c.version, "compatibility_level": c.level}
		s := masterServices("smtp inet n - "+c.column+" - - smtpd -o a=b\n", chrootDefault(param))
		if len(s) != 1 || s[0].Chroot != c.want || s[0].Command != "smtpd" {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

// TestSocketRightsAsTheyAre makes sockets, and has a real postconf tell where they are
// looked for. With root they belong to whom they would.
func TestSocketRightsAsTheyAre(t *testing.T) {
	needPostconf(t)
	postfix, err := user.Lookup("postfix")
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("ALIGND_E2E") != "" {
			t.Fatal("no user postfix, or no root: ", err)
		}
		t.Skip("left out: sockets of other users, which wants root and the user postfix (make test has both)")
	}
	gid, err := strconv.Atoi(postfix.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		dir, mode fs.FileMode
		dirGroup  int
		group     int
		want      string // "" for nothing
	}{
		{name: "as the howto has it", dir: 0o710, mode: 0o660, dirGroup: gid, group: gid},
		{name: "open to all", dir: 0o755, mode: 0o666},
		{name: "a socket of root alone", dir: 0o755, mode: 0o660, want: "may not write"},
		{name: "a directory of root alone", dir: 0o700, mode: 0o666, want: "may not walk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()                        // postconf waits until a file is some seconds old
			queue, err := os.MkdirTemp("", "q") // short, as a socket's path must be
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(queue) })
			dir, socket := filepath.Join(queue, "alignd"), filepath.Join(queue, "alignd", "s")
			if err := errors.Join(os.Chmod(queue, 0o755), os.Mkdir(dir, 0o755)); err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := errors.Join(os.Chown(dir, -1, c.dirGroup), os.Chmod(dir, c.dir), os.Chown(socket, -1, c.group), os.Chmod(socket, c.mode)); err != nil {
				t.Fatal(err)
			}
			etc := plant(t, map[string]string{
				"main.cf":   "compatibility_level = 3.6\nqueue_directory = " + queue + "\nsmtpd_milters = unix:alignd/s\n",
				"master.cf": "smtp inet n - y - - smtpd\n",
			})
			own := configured(os.DevNull)
			own.Listen = []string{"unix:" + socket}
			found := Collect(t.Context(), Options{Root: plant(t, nil), Postfix: []string{etc}, Offline: true}, own)
			var got []string
			for _, f := range doctor.Examine(&found, nil).Findings {
				if (f.ID == "socket-rights" || f.ID == "chroot" || f.ID == "not-attached") && f.Severity != doctor.OK {
					got = append(got, f.What)
				}
			}
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
