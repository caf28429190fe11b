package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/doctor"
)

// noMTA is a call that finds neither MTA nor DNS, so that it says the same on every
// machine.
func noMTA(t *testing.T, args ...string) outcome {
	t.Helper()
	all := []string{"doctor", "--config", os.DevNull, "--sendmail", "../../doctor/testdata/sendmail/made.cf", "--postfix", t.TempDir(), "--offline"}
	return alignd(t, "", append(all, args...)...)
}

func TestDoctorSaysWhatIsWrongAndEndsSo(t *testing.T) {
	got := noMTA(t, "--unit", "../../systemd/alignd.service", "--listen", "unix:/run/elsewhere.sock")
	if got.status != 2 || !strings.Contains(got.stdout, "ERROR   Sendmail does not hand mail to alignd [sendmail-not-attached]") ||
		!strings.Contains(got.stdout, "of alignd: INPUT_MAIL_FILTER(`alignd', `S=unix:/run/elsewhere.sock, F=T, T=S:10s;R:30s;E:5m')") {
		t.Errorf("%+v", got)
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, " errors, ") && !strings.Contains(last, " error, ") {
		t.Errorf("no summary at the end: %q", last)
	}
	if got.stderr != "" {
		t.Errorf("on standard error: %q", got.stderr)
	}
}

func TestDoctorJSON(t *testing.T) {
	got := noMTA(t, "--json", "--listen", "unix:/run/alignd/alignd.sock")
	var r doctor.Report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, got.stdout)
	}
	if got.status != r.Status() || r.Summary.OK == 0 {
		t.Errorf("status %d, report %+v", got.status, r.Summary)
	}
	for _, f := range r.Findings {
		if f.ID == "sendmail-not-attached" && f.Severity != doctor.OK {
			t.Errorf("%+v", f)
		}
	}
}

func TestDoctorWithWrongUsageIsUnknown(t *testing.T) {
	for _, c := range []struct{ name, want, arg string }{
		{name: "an unknown flag", arg: "--compare-with", want: "doctor has no flag --compare-with"},
		{name: "an argument", arg: "x", want: "doctor takes no argument"},
		{name: "an id that no check has", arg: "--ignore=orders", want: `no check "orders"`},
		{name: "no place", arg: "--listen=x", want: "--listen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := noMTA(t, c.arg); got.status != exitUnknown || !strings.Contains(got.stderr, c.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestDoctorListsItsChecks(t *testing.T) {
	got := alignd(t, "", "doctor", "--list")
	if got.status != 0 || strings.TrimSpace(got.stdout) != strings.Join(doctor.IDs(), "\n") {
		t.Errorf("%+v", got)
	}
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range doctor.IDs() {
		if !strings.Contains(string(text), "| `"+id+"` |") {
			t.Errorf("docs/doctor.md does not tell of %s", id)
		}
	}
}

// TestDoctorReadsTheConfiguration: each option that a check needs gets there.
func TestDoctorReadsTheConfiguration(t *testing.T) {
	file := write(t, "alignd.yaml", `mode: monitor
listen: [unix:/run/a.sock, inet:127.0.0.1:9]
socket_group: mail
drain: 7s
limits: {message_timeout: 9s}
authserv_id: id.example.com
authserv_id_covers: name
own_authserv_ids: [own.example.com]
compare_with: [mx.example.com]
not_judged: {authenticated: false, loopback: false, networks: [192.0.2.0/24]}
trusted_relays: [{id: a, peers: [198.51.100.1], by: [gw.example.com]}, {id: b, peers: [198.51.100.2]}]
dns: {servers: [192.0.2.53]}
journal: {path: /srv/alignd}
`)
	want := doctor.Alignd{
		File: file, Reads: []string{file}, Listen: []string{"unix:/run/a.sock", "inet:127.0.0.1:9"}, ListenWritten: true, SocketGroup: "mail",
		Drain: 7 * time.Second, MessageTimeout: 9 * time.Second, Monitor: true,
		AuthservID: "id.example.com", NameOnly: true, OwnAuthservIDs: []string{"own.example.com"}, CompareWith: []string{"mx.example.com"},
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Relays: []doctor.Relay{
			{ID: "a", Peers: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}, HasBy: true},
			{ID: "b", Peers: []netip.Prefix{netip.MustParsePrefix("198.51.100.2/32")}},
		},
		DNSServers:   []string{"192.0.2.53:53"},
		JournalStore: "sqlite", JournalPath: "/srv/alignd",
	}
	if got := configured(file); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	faulty := configured(write(t, "faulty.yaml", "mode: enforcing\n"))
	if !strings.Contains(faulty.Fault, "enforcing") || len(faulty.Listen) != 1 || !faulty.Authenticated {
		t.Errorf("%+v", faulty)
	}
}

// What the daemon reads is looked at, and what the pages read is not.
func TestFilesThatADaemonReads(t *testing.T) {
	file := write(t, "alignd.yaml", "reports: {from: d@example.net, dkim: [{selector: s, key_file: /etc/alignd/dmarc.pem}]}\nweb: {listen: 'inet:127.0.0.1:0'}\n")
	dropIn := filepath.Join(filepath.Dir(file), "conf.d", "a.yaml")
	if err := os.MkdirAll(filepath.Dir(dropIn), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dropIn, []byte("iprev: true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := configured(file).Reads, []string{file, dropIn, "/etc/alignd/dmarc.pem"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// An entry for a whole domain holds for extended addresses, too.
func TestEntriesThatNameRecipients(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{name: "none", text: "mode: monitor\n"},
		{name: "an exception", text: "exceptions: [{id: a, action: reject, scope: {recipients: [bob@here.example], author_domains: [a.example]}, reason: x, never_expires: true}]\n", want: true},
		{name: "a whole domain", text: "profiles: [{id: a, recipients: [here.example], honor: {reject: tag}}]\n"},
		{name: "a profile", text: "profiles: [{id: a, recipients: [bob@here.example], honor: {reject: tag}}]\n", want: true},
		{name: "a sealer", text: "trusted_sealers: [{id: a, domains: [a.example], clients: [192.0.2.1], recipients: [bob@here.example]}]\n", want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := configured(write(t, "alignd.yaml", c.text))
			if got.Fault != "" || got.ByRecipient != c.want {
				t.Errorf("got %v, %s", got.ByRecipient, got.Fault)
			}
		})
	}
}
