package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/mta"
	"alignd/e2e/port"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// peers run filters with a resolv.conf of their own.
type peers struct {
	dir, resolv string
	dns         string // address of the server, on port 53
}

// startPeers serves the zone on port 53 of an address of this host's loopback network
// that nobody has.
func startPeers(t *testing.T, zone string) *peers {
	t.Helper()
	parsed, err := resolver.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	p := &peers{dir: t.TempDir()}
	for i := range 200 {
		p.dns = fmt.Sprintf("127.53.%d.%d", os.Getpid()%250, i+1)
		server, err := dnsserver.ServeZone(parsed, p.dns+":53")
		if err != nil {
			continue
		}
		t.Cleanup(func() { server.Close() })
		p.resolv = filepath.Join(p.dir, "resolv.conf")
		if err := os.WriteFile(p.resolv, []byte("nameserver "+p.dns+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no address for a DNS server on port 53")
	return nil
}

// run starts a filter in the foreground and waits until it listens.
func (p *peers) run(t *testing.T, addr, program string, args ...string) {
	t.Helper()
	out := new(bytes.Buffer)
	cmd := exec.Command("unshare", append([]string{"-m", "sh", "-c", `mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`, "sh", p.resolv, program}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-done
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", program, out)
		}
	})
	for range 300 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not listen at %s", program, addr)
}

// opendkimAndOpendmarc starts both, and returns where they listen, in their order.
func (p *peers) opendkimAndOpendmarc(t *testing.T) []string {
	t.Helper()
	a, b := freePort(t), freePort(t)
	socket := func(addr string) string {
		host, port, _ := net.SplitHostPort(addr)
		return "inet:" + port + "@" + host
	}
	kim := writeFile(t, "opendkim.conf", "Mode v\nSocket "+socket(a)+"\nBackground no\nSyslog no\nAuthservID mx.here.test\nAlwaysAddARHeader yes\n"+
		"SoftwareHeader no\nPidFile "+p.dir+"/kim.pid\nNameservers "+p.dns+"\n")
	none := writeFile(t, "ignore", "127.0.0.2\n")
	marc := writeFile(t, "opendmarc.conf", "Socket "+socket(b)+"\nBackground false\nSyslog false\nAuthservID mx.here.test\nTrustedAuthservIDs mx.here.test\n"+
		"RejectFailures false\nSPFIgnoreResults true\nSPFSelfValidate true\nPidFile "+p.dir+"/marc.pid\nBaseDirectory "+p.dir+"\nIgnoreHosts "+none+
		"\nPublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat\n")
	p.run(t, a, "/usr/sbin/opendkim", "-f", "-x", kim)
	p.run(t, b, "/usr/sbin/opendmarc", "-f", "-c", marc)
	return []string{a, b}
}

const rspamdConf = `
options {
    pidfile = "DIR/rspamd.pid"; filters = "dkim"; check_all_filters = true; disable_hyperscan = true; hs_cache_dir = "DIR";
    cache_file = "DIR/symbols.cache"; history_file = "DIR/history"; rrd = ""; max_lua_urls = 0; local_addrs = ["127.0.0.2"];
    url_tld = "DIR/suffixes"; # its own list takes half a minute to compile
    dns { nameserver = ["DNS:53"]; timeout = 5s; }
}
logging { type = "file"; filename = "DIR/rspamd.log"; level = "error"; }
modules { path = "/usr/share/rspamd/plugins"; }
metric { name = "default"; actions { reject = null; add_header = null; greylist = null; } }
spf { max_dns_nesting = 10; max_dns_requests = 30; }
dkim { trusted_only = false; skip_multi = false; max_sigs = 10; }
dmarc { }
arc { }
milter_headers {
    use = ["authentication-results"]; skip_local = false; skip_authenticated = false;
    routines { authentication-results { add_smtp_user = false; } }
}
worker "rspamd_proxy" {
    bind_socket = "ADDR"; count = 1; milter = yes; timeout = 120s;
    upstream "local" { default = yes; self_scan = yes; }
}
`

func (p *peers) rspamd(t *testing.T) []string {
	t.Helper()
	addr := freePort(t)
	if err := os.WriteFile(filepath.Join(p.dir, "suffixes"), []byte("com\nnet\norg\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	conf := writeFile(t, "rspamd.conf", strings.NewReplacer("DIR", p.dir, "DNS", p.dns, "ADDR", addr).Replace(rspamdConf))
	p.run(t, addr, "/usr/bin/rspamd", "-f", "-i", "-u", "root", "-g", "root", "-c", conf)
	return []string{addr}
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// TestShadowBesideRealFilters runs alignd behind opendkim and opendmarc, and behind
// rspamd, with mail on which they differ: the summary names each difference.
func TestShadowBesideRealFilters(t *testing.T) {
	if os.Getenv("ALIGND_SHADOW") == "" {
		t.Skip("left out: real filters in front (make shadow runs it; it sets ALIGND_SHADOW=1)")
	}
	corpus := shadowCorpus(t)
	var zone strings.Builder
	for i := range corpus {
		zone.WriteString(strings.ReplaceAll(corpus[i].zone, "{d}", corpus[i].domain))
	}
	p := startPeers(t, zone.String())
	for _, c := range []struct {
		name  string
		start func(*testing.T) []string
		want  func(*shadowMessage) []string
	}{
		{name: "opendkim and opendmarc", start: p.opendkimAndOpendmarc, want: func(m *shadowMessage) []string { return m.open }},
		{name: "rspamd", start: p.rspamd, want: func(m *shadowMessage) []string { return m.rspamd }},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, ids := p.behind(t, c.start(t), corpus)
			out, err := exec.Command(binary(t), "doctor", "--compare", "--config", config).Output()
			t.Logf("doctor --compare (%v):\n%s", err, out)
			if out, err = exec.Command(binary(t), "doctor", "--compare", "--json", "--config", config).Output(); err == nil {
				t.Error("exit 0, with differences to look at")
			}
			checkPlanted(t, out, corpus, ids, c.want)
		})
	}
}

// behind sends the corpus through these filters and alignd, and returns the configuration
// that names its journal, and which message has which queue id.
func (p *peers) behind(t *testing.T, chain []string, corpus []shadowMessage) (config string, ids map[string]int) {
	t.Helper()
	addr := freePort(t)
	postfix, err := mta.Start([]mta.Line{
		{Name: "alone", Milter: "inet:" + strings.Join(chain, ",inet:")},
		{Name: "chain", Milter: "inet:" + strings.Join(append(chain, addr), ",inet:")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postfix.Stop() })
	config = writeFile(t, "alignd.yaml", "mode: monitor\ncompare_with: mx.here.test\ncompare_discovery: true\n"+
		"journal: {store: sqlite, path: "+t.TempDir()+"}\ndns: {servers: [\""+p.dns+":53\"]}\n")
	d := &daemon.Daemon{Binary: binary(t), Config: config, Listen: "inet:" + addr}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	ids = map[string]int{}
	for i := range corpus {
		m := &corpus[i]
		message := m.message()
		_, alone := p.through(t, postfix, "alone", m, message)
		id, behind := p.through(t, postfix, "chain", m, message)
		ids[id] = i
		if before, after := resultsOf(alone, "mx.here.test"), resultsOf(behind, "mx.here.test"); len(before) == 0 || !slices.Equal(before, after) {
			t.Errorf("%s: without alignd users read %q, behind it %q", m.name, before, after)
		}
		if own := resultsOf(behind, "alignd-shadow.here.test"); len(own) != 1 {
			t.Errorf("%s: alignd wrote %q", m.name, own)
		}
	}
	if err := d.Stop(); err != nil {
		t.Errorf("%v\n%s", err, d.Log())
	}
	return config, ids
}

// through sends a message and returns its queue id, and what was delivered.
func (p *peers) through(t *testing.T, postfix *mta.Postfix, line string, m *shadowMessage, message []byte) (id string, delivered []byte) {
	t.Helper()
	reply := transaction(t, dial(t, postfix, line, cmp.Or(m.client, shadowClient)), "a@"+m.domain, bytes.NewReader(message))
	if reply.Code != 250 {
		t.Fatalf("%s: %s", m.name, reply)
	}
	got, err := waitDelivery(t, postfix.Sink(), reply.QueueID())
	if err != nil {
		t.Fatal(err)
	}
	return reply.QueueID(), got.Data
}

// resultsOf are the fields of an id, as they are.
func resultsOf(message []byte, id string) (fields []string) {
	header, _, _ := strings.Cut(string(message), "\r\n\r\n")
	for _, field := range strings.Split(strings.NewReplacer("\r\n\t", "\x00\t", "\r\n ", "\x00 ").Replace(header), "\r\n") {
		if strings.HasPrefix(field, "Authentication-Results: "+id+";") {
			fields = append(fields, field)
		}
	}
	return fields
}

// checkPlanted looks whether the summary names each difference that was planted, and no
// other.
func checkPlanted(t *testing.T, summary []byte, corpus []shadowMessage, ids map[string]int, want func(*shadowMessage) []string) {
	t.Helper()
	var s struct {
		Messages int
		Filters  []struct {
			Wrote       int
			Differences []struct {
				Theirs, Ours, Kind, Right, Section string
				Samples                            []string
			}
		}
	}
	if err := json.Unmarshal(summary, &s); err != nil || len(s.Filters) != 1 || s.Messages != len(corpus) || s.Filters[0].Wrote != len(corpus) {
		t.Fatalf("%v: %s", err, summary)
	}
	got := make([][]string, len(corpus))
	for _, d := range s.Filters[0].Differences {
		for _, id := range d.Samples {
			got[ids[id]] = append(got[ids[id]], d.Kind+" "+d.Theirs+"/"+d.Ours)
		}
		if d.Section == "" {
			t.Errorf("by which section? %+v", d)
		}
	}
	for i := range corpus {
		planted := slices.Sorted(slices.Values(want(&corpus[i])))
		if slices.Sort(got[i]); !slices.Equal(got[i], planted) {
			t.Errorf("%s: named %q, planted %q", corpus[i].name, got[i], planted)
		}
	}
}
