package doctor

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// spooled is when the spool of a healthy host was written.
var spooled = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// healthy are the facts of a host where all is well: a unix socket, a signer for
// submission, a validating resolver of its own.
func healthy() *Facts {
	const socket = "/var/spool/postfix/alignd/alignd.sock"
	return &Facts{
		Alignd: Alignd{
			File: "/etc/alignd/alignd.yaml", Reads: []string{"/etc/alignd/alignd.yaml", "/etc/alignd/dmarc.pem"}, Files: map[string]File{
				"/etc": {Mode: fs.ModeDir | 0o755}, "/etc/alignd": {Mode: fs.ModeDir | 0o755},
				"/etc/alignd/alignd.yaml": {Mode: 0o644}, "/etc/alignd/dmarc.pem": {Mode: 0o640, GID: 990},
			},
			Listen: []string{"unix:" + socket}, SocketGroup: "postfix",
			Drain: 20 * time.Second, MessageTimeout: 20 * time.Second, Authenticated: true, Loopback: true,
			JournalStore: "sqlite", JournalPath: "/var/lib/alignd",
		},
		Postfix: []Instance{{
			Dir: "/etc/postfix", Param: parameters(), Raw: parameters(),
			User: &User{Name: "postfix", UID: 101, Groups: []int{103}},
			Services: []Service{
				{Name: "smtp", Type: "inet", Chroot: true, Command: "smtpd"},
				{Name: "submission", Type: "inet", Chroot: true, Command: "smtpd", Options: map[string]string{"smtpd_milters": ""}},
				{Name: "127.0.0.1:10026", Type: "inet", Command: "smtpd", Options: map[string]string{"smtpd_milters": "", "content_filter": ""}},
				{Name: "pickup", Type: "unix", Command: "pickup"},
				{Name: "cleanup", Type: "unix", Command: "cleanup", Chroot: true},
			},
			Files: map[string]File{
				socket:                      {Mode: fs.ModeSocket | 0o660, UID: 990, GID: 103},
				"/var/spool/postfix/alignd": {Mode: fs.ModeDir | 0o710, UID: 990, GID: 103},
				"/var/spool/postfix":        {Mode: fs.ModeDir | 0o755},
				"/":                         {Mode: fs.ModeDir | 0o755},
			},
		}},
		Unit: &Unit{
			File: "/etc/systemd/system/alignd.service", Running: true, Active: "active", Enabled: "enabled",
			User: "alignd", Group: "alignd", UserKnown: true, UserGroups: []string{"990", "103"},
			Account: &User{Name: "alignd", UID: 990, Groups: []int{990, 103}},
			Exec:    "/usr/local/bin/alignd serve", Stop: 40 * time.Second, Before: []string{"postfix.service"},
			Groups: []string{"postfix"}, Writable: []string{"/run/alignd", "/var/lib/alignd", "/var/spool/postfix/alignd"}, PrivateTmp: true,
		},
		Resolver: Resolver{From: "/etc/resolv.conf", Servers: []Server{{Addr: netip.MustParseAddrPort("127.0.0.1:53"), Asked: true, Answered: true, AD: true}}},
		MX: []MX{{Domain: "here.test", Hosts: []MXHost{
			{Name: "mx.here.test", Addresses: addrs("192.0.2.1")}, {Name: "mx2.here.test", Addresses: addrs("192.0.2.2")},
		}}},
		Journal: Journal{Folder: File{Mode: fs.ModeDir | 0o750, UID: 990, GID: 990}, Free: 40 << 30, All: 100 << 30, Spooled: spooled, Loaded: spooled.Add(time.Second)},
		Clock:   Clock{Known: true, Synchronised: true, Source: "the kernel (adjtimex)"},
		Host:    Host{Name: "mx.here.test", Addresses: addrs("192.0.2.1", "172.17.0.1"), Gateways: addrs("192.0.2.254")},
	}
}

func addrs(all ...string) (list []netip.Addr) {
	for _, a := range all {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

func nets(all ...string) (list []netip.Prefix) {
	for _, a := range all {
		list = append(list, netip.MustParsePrefix(a))
	}
	return list
}

func parameters() map[string]string {
	return map[string]string{
		"mail_version": "3.7.11", "queue_directory": "/var/spool/postfix", "myhostname": "mx.here.test", "mydomain": "here.test",
		"smtpd_milters": "unix:alignd/alignd.sock", "milter_default_action": "tempfail", "milter_protocol": "6",
		"milter_connect_timeout": "30s", "milter_command_timeout": "30s", "milter_content_timeout": "300s",
		"milter_connect_macros": "j {daemon_name}", "milter_mail_macros": "i {auth_type} {auth_authen}", "milter_rcpt_macros": "i {rcpt_addr}",
		"milter_end_of_data_macros": "i", "smtpd_forbid_bare_newline": "normalize", "inet_interfaces": "all", "mynetworks": "127.0.0.0/8",
	}
}

// mc are the facts of a healthy host with Sendmail.
func mc() *Facts {
	f := healthy()
	f.Postfix = nil
	f.Alignd.Listen, f.Alignd.SocketGroup = []string{"unix:/run/alignd/alignd.sock"}, ""
	f.Unit.Before = []string{"sendmail.service"}
	f.Sendmail = &Sendmail{
		File:    "/etc/mail/sendmail.cf",
		Filters: []SendmailFilter{{Name: "alignd", Place: "unix:/run/alignd/alignd.sock", Flags: "T", Timeouts: "S:10s;R:10s;E:5m"}},
		Input:   []string{"alignd"},
		Daemons: []SendmailDaemon{{Name: "MTA", Port: "smtp"}, {Name: "MSA", Port: "587", Input: []string{}}},
	}
	return f
}

func TestHealthyHostsHaveNothing(t *testing.T) {
	for _, h := range []struct {
		name string
		*Facts
	}{{"postfix", healthy()}, {"sendmail", mc()}} {
		r := Examine(h.Facts, nil)
		for _, f := range r.Findings {
			if f.Severity != OK {
				t.Errorf("%s: %+v", h.name, f)
			}
		}
		if r.Status() != 0 || r.Summary.OK < 10 {
			t.Errorf("%s: status %d, summary %+v", h.name, r.Status(), r.Summary)
		}
	}
}

// fault is one thing that is wrong with a host that is healthy otherwise.
type fault struct {
	name     string
	change   func(f *Facts, p map[string]string) // p: parameters of Postfix
	id       string
	severity Severity
	what     string // in What
	cure     string // in Cure; "" for none wanted
	sendmail bool
}

var faults = slices.Concat(postfixFaults, socketFaults, siteFaults, resolverFaults, unitFaults, sendmailFaults)

var postfixFaults = []fault{
	{name: "smtpd has another milter only", id: "not-attached", severity: Error, what: "smtp is not handed", cure: "smtpd_milters = unix:alignd/alignd.sock inet:127.0.0.1:11332",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] = "inet:127.0.0.1:11332" }},
	{name: "one MTA in front, and no port for outside mail here", id: "not-attached", severity: Note, what: "no port",
		change: func(f *Facts, _ map[string]string) { f.Postfix[0].Services = f.Postfix[0].Services[1:] }},
	{name: "the list of a port has other milters of its own", id: "not-attached", severity: Error, what: "by 192.0.2.1:25", cure: "postconf -P '192.0.2.1:25/inet/smtpd_milters=unix:alignd/alignd.sock inet:127.0.0.1:11332'",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Services[0].Name = "192.0.2.1:25"
			f.Postfix[0].Services[0].Options = map[string]string{"smtpd_milters": "inet:127.0.0.1:11332"}
		}},
	{name: "by two places of one alignd", id: "attached-twice", severity: Warning, what: "2 times", cure: "'smtpd_milters = unix:alignd/alignd.sock'",
		change: func(f *Facts, p map[string]string) {
			f.Alignd.Listen = append(f.Alignd.Listen, "inet::8890")
			p["smtpd_milters"] = "unix:alignd/alignd.sock, { inet:192.0.2.1:8890, connect_timeout=10s }"
		}},
	{name: "mail that a filter hands back is judged again", id: "attached-twice", severity: Warning, what: "127.0.0.1:10026 meets alignd a second time", cure: "127.0.0.1:10026/inet/smtpd_milters=",
		change: func(f *Facts, p map[string]string) {
			p["content_filter"] = "amavis:[127.0.0.1]:10024"
			f.Postfix[0].Services[2].Options = map[string]string{"content_filter": "", "smtpd_milters": "unix:/var/spool/postfix/alignd/alignd.sock"}
			f.Alignd.Loopback = false
		}},
	{name: "a map of milters", id: "milter-maps", severity: Note, what: "cidr:/x",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milter_maps"] = "cidr:/x" }},
	{name: "mail made here", id: "non-smtpd-milters", severity: Warning, what: "non_smtpd_milters", cure: "non_smtpd_milters = inet:127.0.0.1:8891",
		change: func(_ *Facts, p map[string]string) {
			p["non_smtpd_milters"] = "unix:alignd/alignd.sock inet:127.0.0.1:8891"
		}},
	{name: "clamav in front", id: "order", severity: Warning, what: "clamav-milter (unix:clamav/clamav-milter.ctl, service clamav-milter)", cure: "smtpd_milters = unix:alignd/alignd.sock unix:clamav/clamav-milter.ctl",
		change: func(f *Facts, p map[string]string) {
			p["smtpd_milters"] = "unix:clamav/clamav-milter.ctl unix:alignd/alignd.sock"
			f.Services = []string{"clamav-milter"}
		}},
	{name: "nothing to compare with", id: "shadow-order", severity: Warning, what: "no filter comes before alignd, and compare_with is mx.here.test", cure: "front of alignd\nsystemctl reload alignd",
		change: func(f *Facts, _ map[string]string) { f.Alignd.CompareWith = []string{"mx.here.test"} }},
	{name: "the others come behind", id: "shadow-order", severity: Warning, what: "no filter comes before alignd", cure: "smtpd_milters = inet:127.0.0.1:8891 inet:127.0.0.1:8893 unix:alignd/alignd.sock",
		change: func(f *Facts, p map[string]string) {
			f.Alignd.CompareWith = []string{"mx.here.test"}
			p["smtpd_milters"] = "unix:alignd/alignd.sock inet:127.0.0.1:8891 inet:127.0.0.1:8893"
		}},
	{name: "alignd in between", id: "shadow-order", severity: Note, what: "behind alignd", cure: "smtpd_milters = inet:127.0.0.1:8891 inet:127.0.0.1:8893 unix:alignd/alignd.sock",
		change: func(f *Facts, p map[string]string) {
			f.Alignd.CompareWith = []string{"mx.here.test"}
			p["smtpd_milters"] = "inet:127.0.0.1:8891 unix:alignd/alignd.sock inet:127.0.0.1:8893"
		}},
	{name: "beside others, and acting", id: "shadow-enforces", severity: Note, what: "acts on mail", cure: "mode: monitor\nsystemctl reload alignd",
		change: func(f *Facts, _ map[string]string) { f.Alignd.CompareWith = []string{"mx.here.test"} }},
	{name: "rspamd known by its port", id: "order", severity: Warning, what: "rspamd (inet:[::1]:11332)",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] = "inet:[::1]:11332 unix:alignd/alignd.sock" }},
	{name: "opendkim of which nothing is known", id: "opendkim-verifies", severity: Warning, what: "may verify", cure: "Mode s",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] += " inet:localhost:8891" }},
	{name: "opendkim signs and verifies", id: "opendkim-verifies", severity: Error, what: "deletes what alignd wrote", cure: "Mode s",
		change: func(f *Facts, p map[string]string) {
			p["smtpd_milters"] += " local:opendkim/opendkim.sock"
			f.OpenDKIM = map[string]string{"mode": "sv"}
		}},
	{name: "opendmarc is still there", id: "second-verifier", severity: Note, what: "opendmarc", cure: "'smtpd_milters = unix:alignd/alignd.sock'",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] += " local:opendmarc/opendmarc.sock" }},
	{name: "others beside alignd are named", id: "other-milters", severity: Note, what: "spamass-milter",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] += " unix:spamass/spamass.sock" }},
	{name: "unfiltered while away", id: "default-action", severity: Warning, what: "is accept", cure: "milter_default_action = tempfail",
		change: func(_ *Facts, p map[string]string) { p["milter_default_action"] = "accept" }},
	{name: "unfiltered while away, where nothing is refused yet", id: "default-action", severity: Note, what: "is accept",
		change: func(f *Facts, p map[string]string) { p["milter_default_action"], f.Alignd.Monitor = "accept", true }},
	{name: "an entry of its own that lets in", id: "default-action", severity: Warning, what: "is accept", cure: "smtpd_milters = { unix:alignd/alignd.sock, default_action=tempfail }",
		change: func(_ *Facts, p map[string]string) {
			p["smtpd_milters"] = "{ unix:alignd/alignd.sock, default_action=accept }"
		}},
	{name: "no time to connect", id: "connect-timeout", severity: Warning, what: "is 1s", cure: "milter_connect_timeout = 30s",
		change: func(_ *Facts, p map[string]string) { p["milter_connect_timeout"] = "1s" }},
	{name: "shorter than a restart", id: "command-timeout", severity: Warning, what: "is 20", cure: "milter_command_timeout = 30s",
		change: func(_ *Facts, p map[string]string) { p["milter_command_timeout"] = "20" }},
	{name: "a drain longer than Postfix waits", id: "command-timeout", severity: Warning, what: "is 30s", cure: "drain: 20s\nsystemctl reload alignd",
		change: func(f *Facts, _ map[string]string) { f.Alignd.Drain, f.Unit.Stop = 30*time.Second, time.Minute }},
	{name: "shorter than the checks", id: "content-timeout", severity: Warning, what: "is 25s", cure: "milter_content_timeout = 300s",
		change: func(_ *Facts, p map[string]string) { p["milter_content_timeout"] = "25s" }},
	{name: "shorter than the signs of life", id: "content-timeout", severity: Error, what: "is 5s",
		change: func(_ *Facts, p map[string]string) { p["milter_content_timeout"] = "5s" }},
	{name: "longer than the client waits", id: "content-timeout", severity: Note, what: "is 1h",
		change: func(_ *Facts, p map[string]string) { p["milter_content_timeout"] = "1h" }},
	{name: "an old protocol", id: "milter-protocol", severity: Error, what: "is 4", cure: "postconf -X milter_protocol",
		change: func(_ *Facts, p map[string]string) { p["milter_protocol"] = "4" }},
	{name: "an old protocol with an extension", id: "milter-protocol", severity: Error, what: "2 no_header_reply",
		change: func(_ *Facts, p map[string]string) {
			p["milter_protocol"] = "2 no_header_reply"
		}},
	{name: "no login among the macros", id: "macros", severity: Note, what: "lacks {auth_authen} {auth_type}", cure: "postconf -X milter_mail_macros",
		change: func(_ *Facts, p map[string]string) { p["milter_mail_macros"] = "i" }},
	{name: "no login among the macros of an MTA that is not to be asked", id: "macros", severity: Error, what: "lacks {auth_authen}",
		change: func(_ *Facts, p map[string]string) { p["milter_mail_macros"], p["mail_version"] = "i", "2.5.9" }},
	{name: "everybody has logged in", id: "macros", severity: Error, what: "{auth_authen}=x", cure: "postconf -X milter_macro_defaults",
		change: func(_ *Facts, p map[string]string) { p["milter_macro_defaults"] = "{auth_authen}=x" }},
	{name: "users hand in through alignd", id: "submission", severity: Warning, what: "submission", cure: "postconf -P 'submission/inet/smtpd_milters='",
		change: func(f *Facts, _ map[string]string) { f.Postfix[0].Services[1].Options = nil }},
	{name: "alignd beside a proxy", id: "proxy-filter", severity: Error, what: "smtp has smtpd_proxy_filter (127.0.0.1:10024)", cure: beforeQueue,
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Services[0].Options = map[string]string{"smtpd_proxy_filter": "127.0.0.1:10024"}
		}},
	{name: "what comes back goes round", id: "content-filter-loop", severity: Error, what: "127.0.0.1:10026 goes to content_filter", cure: "127.0.0.1:10026/inet/content_filter=",
		change: func(f *Facts, p map[string]string) {
			p["content_filter"] = "scan:[127.0.0.1]:10025"
			f.Postfix[0].Services[2].Options = map[string]string{"smtpd_milters": ""}
		}},
	{name: "a bare line feed", id: "bare-newline", severity: Warning, what: "is no", cure: "smtpd_forbid_bare_newline = yes",
		change: func(_ *Facts, p map[string]string) { p["smtpd_forbid_bare_newline"] = "no" }},
	{name: "a bare line feed, only noted", id: "bare-newline", severity: Warning, what: "only notes",
		change: func(_ *Facts, p map[string]string) { p["smtpd_forbid_bare_newline"] = "note" }},
	{name: "a Postfix that cannot forbid it", id: "bare-newline", severity: Warning, what: "(3.7.8) does not know", cure: "reject_unauth_pipelining",
		change: func(_ *Facts, p map[string]string) {
			delete(p, "smtpd_forbid_bare_newline")
			p["mail_version"] = "3.7.8"
		}},
	{name: "a place without its kind", id: "milter-form", severity: Error, what: "127.0.0.1:8890", cure: "postconf -e 'smtpd_milters = unix:alignd/alignd.sock inet:127.0.0.1:8890'",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] = "unix:alignd/alignd.sock 127.0.0.1:8890" }},
	{name: "a path without its kind", id: "milter-form", severity: Error, what: "/run/a.sock", cure: "'smtpd_milters = unix:alignd/alignd.sock { unix:/run/a.sock, default_action=accept }'",
		change: func(_ *Facts, p map[string]string) {
			p["smtpd_milters"] = "unix:alignd/alignd.sock { /run/a.sock, default_action=accept }"
		}},
	{name: "a kind that Postfix does not know", id: "milter-form", severity: Error, what: "inet6:[::1]:8891", cure: "unix:alignd/alignd.sock inet:[::1]:8891",
		change: func(_ *Facts, p map[string]string) { p["smtpd_milters"] = "unix:alignd/alignd.sock inet6:[::1]:8891" }},
	{name: "Sendmail's form of a place", id: "milter-form", severity: Error, what: "inet:8891@localhost", cure: "unix:alignd/alignd.sock inet:localhost:8891",
		change: func(_ *Facts, p map[string]string) {
			p["smtpd_milters"] = "unix:alignd/alignd.sock inet:8891@localhost"
		}},
	{name: "everybody says who he is", id: "xclient", severity: Error, what: "::/0",
		change: func(_ *Facts, p map[string]string) { p["smtpd_authorized_xclient_hosts"] = "192.0.2.7, ::/0" }},
	{name: "a filter that speaks no PROXY", id: "proxy-protocol", severity: Warning, what: "127.0.0.1:10026 wants",
		change: func(_ *Facts, p map[string]string) { p["smtpd_upstream_proxy_protocol"] = "haproxy" }},
	{name: "postconf itself warns", id: "postconf-warning", severity: Note, what: "unused parameter: foo=1",
		change: func(f *Facts, _ map[string]string) { f.Postfix[0].Warnings = []string{"unused parameter: foo=1"} }},
}

const socketFile = "/var/spool/postfix/alignd/alignd.sock"

var socketFaults = []fault{
	{name: "a chroot without the socket", id: "chroot", severity: Error, what: "at /var/spool/postfix/run/alignd/alignd.sock", cure: "install -d -o alignd -g postfix -m 0710 /var/spool/postfix/alignd",
		change: func(f *Facts, p map[string]string) {
			f.Alignd.Listen, p["smtpd_milters"] = []string{"unix:/run/alignd/alignd.sock"}, "unix:/run/alignd/alignd.sock"
		}},
	{name: "no socket", id: "socket-rights", severity: Error, what: "there is no socket", cure: "systemctl status alignd",
		change: func(f *Facts, _ map[string]string) { f.Postfix[0].Files[socketFile] = File{Missing: true} }},
	{name: "a socket of systemd that was stopped", id: "socket-rights", severity: Error, what: "there is no socket", cure: "systemctl start alignd.socket alignd",
		change: func(f *Facts, _ map[string]string) {
			f.Unit.Active, f.Unit.SocketEnabled, f.Unit.Sockets = "inactive", true, []string{"unix:" + socketFile}
			f.Postfix[0].Files[socketFile] = File{Missing: true}
		}},
	{name: "no folder for the socket", id: "socket-rights", severity: Error, what: "there is no socket",
		cure: "install -d -o alignd -g postfix -m 0710 /var/spool/postfix/alignd",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Files[socketFile], f.Postfix[0].Files[path.Dir(socketFile)] = File{Missing: true}, File{Missing: true}
		}},
	{name: "a folder of root's", id: "socket-rights", severity: Error, what: "there is no socket",
		cure: "install -d -o alignd -g postfix -m 0710 /var/spool/postfix/alignd",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Files[socketFile], f.Postfix[0].Files[path.Dir(socketFile)] = File{Missing: true}, File{Mode: fs.ModeDir | 0o755}
		}},
	{name: "a file in its place", id: "socket-rights", severity: Error, what: "is no socket",
		change: func(f *Facts, _ map[string]string) { f.Postfix[0].Files[socketFile] = File{Mode: 0o660, GID: 103} }},
	{name: "a socket of another group", id: "socket-rights", severity: Error, what: "postfix may not write", cure: "socket_group: postfix",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Files[socketFile] = File{Mode: fs.ModeSocket | 0o660, UID: 990, GID: 990}
		}},
	{name: "a group that may only read", id: "socket-rights", severity: Error, what: "mode 0646",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Files[socketFile] = File{Mode: fs.ModeSocket | 0o646, UID: 990, GID: 103}
		}},
	{name: "a closed directory", id: "socket-rights", severity: Error, what: "may not walk into /var/spool/postfix/alignd", cure: "chgrp postfix /var/spool/postfix/alignd",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Files["/var/spool/postfix/alignd"] = File{Mode: fs.ModeDir | 0o700, UID: 990, GID: 990}
		}},
	{name: "nobody may look", id: "socket-rights", severity: Note, what: "cannot tell",
		change: func(f *Facts, _ map[string]string) {
			f.Postfix[0].Files[socketFile] = File{Unknown: "permission denied"}
		}},
}

var siteFaults = []fault{
	{name: "something could not be read", id: "unreadable", severity: Warning, what: "postconf cannot read",
		change: func(f *Facts, _ map[string]string) { f.Problems = []string{"postconf cannot read /etc/x"} }},
	{name: "a delimiter that alignd does not know", id: "recipient-delimiter", severity: Warning, what: "lacks + of Postfix",
		cure: "in /etc/alignd/alignd.yaml: recipient_delimiter: \"-+\"",
		change: func(f *Facts, p map[string]string) {
			f.Alignd.ByRecipient, f.Alignd.Delimiter, p["recipient_delimiter"] = true, "-", "+-"
		}},
	{name: "a faulty configuration", id: "configuration", severity: Error, what: "alignd.yaml:1:1", cure: "alignd config check",
		change: func(f *Facts, _ map[string]string) { f.Alignd.Fault = "alignd.yaml:1:1: unknown" }},
	{name: "no MTA", id: "no-mta", severity: Error, what: "neither", change: func(f *Facts, _ map[string]string) { f.Postfix = nil }},
	{name: "a host without a name", id: "myhostname", severity: Warning, what: "localhost",
		change: func(_ *Facts, p map[string]string) { p["myhostname"] = "localhost.localdomain" }},
	{name: "an id of its own", id: "authserv-id", severity: Warning, what: "mail.example.net",
		change: func(f *Facts, _ map[string]string) { f.Alignd.AuthservID = "mail.example.net" }},
	{name: "another MX host of another name", id: "mx-authserv-id", severity: Warning, what: "backup.example.net of here.test", cure: "own_authserv_ids: [backup.example.net]",
		change: func(f *Facts, _ map[string]string) { f.MX[0].Hosts[1] = MXHost{Name: "backup.example.net"} }},
	{name: "another MX host where ids are names only", id: "mx-authserv-id", severity: Warning, what: "mx2.here.test", cure: "own_authserv_ids: [mx2.here.test]",
		change: func(f *Facts, _ map[string]string) { f.Alignd.NameOnly = true }},
	{name: "MX hosts of a provider", id: "mx", severity: Note, what: "none of the MX hosts of here.test", cure: "peers: [198.51.100.9]",
		change: func(f *Facts, _ map[string]string) {
			f.MX[0].Hosts = []MXHost{{Name: "in.provider.example", Addresses: addrs("198.51.100.9")}}
		}},
	{name: "MX records that are not answered", id: "mx", severity: Note, what: "SERVFAIL",
		change: func(f *Facts, _ map[string]string) { f.MX = []MX{{Domain: "here.test", Problem: "SERVFAIL"}} }},
	{name: "the NAT of docker as a relay", id: "nat-relay", severity: Error, what: "172.18.0.1", cure: "haproxy",
		change: func(f *Facts, _ map[string]string) {
			f.Alignd.Relays = []Relay{{ID: "d", Peers: nets("172.18.0.0/16")}}
		}},
	{name: "the gateway of a container as an own network", id: "nat-relay", severity: Error, what: "this is a container",
		change: func(f *Facts, _ map[string]string) {
			f.Host.Container, f.Host.Gateways, f.Alignd.Networks = true, addrs("10.5.0.1"), nets("10.0.0.0/8")
		}},
	{name: "this host's own bridge", id: "nat-relay", severity: Note, what: "172.17.0.1",
		change: func(f *Facts, _ map[string]string) { f.Alignd.Networks = nets("172.17.0.0/16") }},
	{name: "the router as a relay", id: "nat-relay", severity: Warning, what: "the router 192.0.2.254",
		change: func(f *Facts, _ map[string]string) {
			f.Alignd.Relays = []Relay{{ID: "gw", Peers: nets("192.0.2.254/32")}}
		}},
	{name: "the router in an own network", id: "nat-relay", severity: Note, what: "the router 192.0.2.254",
		change: func(f *Facts, _ map[string]string) { f.Alignd.Networks = nets("192.0.2.0/24") }},
	{name: "a private relay that names nobody", id: "private-relay", severity: Note, what: "10.0.0.5/32", cure: "by:",
		change: func(f *Facts, _ map[string]string) { f.Alignd.Relays = []Relay{{ID: "lb", Peers: nets("10.0.0.5/32")}} }},
	{name: "a balancer that tells the client, as a relay", id: "private-relay", severity: Warning, what: "10.0.0.5/32", cure: "take it out",
		change: func(f *Facts, p map[string]string) {
			p["postscreen_upstream_proxy_protocol"] = "haproxy"
			f.Alignd.Relays = []Relay{{ID: "lb", Peers: nets("10.0.0.5/32")}}
		}},
	{name: "mynetworks with a container's gateway", id: "mynetworks", severity: Warning, what: "172.18.0.0/16",
		change: func(f *Facts, p map[string]string) {
			f.Host.Container, f.Host.Gateways, p["mynetworks"] = true, addrs("172.18.0.1"), "127.0.0.0/8 172.18.0.0/16 [::1]/128"
		}},
	{name: "a folder of the journal that the unit closes", id: "journal-folder", severity: Warning, what: "/srv/alignd", cure: "ReadWritePaths=/srv/alignd",
		change: func(f *Facts, _ map[string]string) { f.Alignd.JournalPath = "/srv/alignd" }},
	{name: "a folder beside one that the unit opens", id: "journal-folder", severity: Warning, what: "/var/lib/alignd2", cure: "ReadWritePaths=/var/lib/alignd2",
		change: func(f *Facts, _ map[string]string) { f.Alignd.JournalPath = "/var/lib/alignd2" }},
	{name: "a folder that is not there", id: "journal-folder", severity: Warning, what: "not there, though alignd runs", cure: "restart",
		change: func(f *Facts, _ map[string]string) { f.Journal = Journal{Folder: File{Missing: true}} }},
	{name: "a folder that is not there yet", id: "journal-folder", severity: Note, what: "not there yet",
		change: func(f *Facts, _ map[string]string) {
			f.Journal, f.Unit.Running = Journal{Folder: File{Missing: true}}, false
		}},
	{name: "a folder that nobody may look into", id: "journal-folder", severity: Note, what: "cannot tell what is in /var/lib/alignd: permission denied",
		change: func(f *Facts, _ map[string]string) { f.Journal = Journal{Folder: File{Unknown: "permission denied"}} }},
	{name: "a file that root left there", id: "journal-folder", severity: Warning, what: "/var/lib/alignd/spool/lock belongs to another user", cure: "chown -R",
		change: func(f *Facts, _ map[string]string) { f.Journal.Foreign = "/var/lib/alignd/spool/lock" }},
	{name: "a folder for all users", id: "journal-folder", severity: Note, what: "0755", cure: "chmod 0750",
		change: func(f *Facts, _ map[string]string) { f.Journal.Folder.Mode = fs.ModeDir | 0o755 }},
	{name: "a folder for its owner alone", id: "journal-folder", severity: Note, what: "0700", cure: "chmod 0750",
		change: func(f *Facts, _ map[string]string) { f.Journal.Folder.Mode = fs.ModeDir | 0o700 }},
	{name: "a disk that is nearly full", id: "journal-space", severity: Warning, what: "7 % of the disk",
		change: func(f *Facts, _ map[string]string) { f.Journal.Free = 7 << 30 }},
	{name: "a store that takes nothing", id: "journal-loaded", severity: Warning, what: "2h0m0s before its spool", cure: "journalctl",
		change: func(f *Facts, _ map[string]string) { f.Journal.Loaded = spooled.Add(-2 * time.Hour) }},
	{name: "a store that never took anything", id: "journal-loaded", severity: Warning, what: "never been written",
		change: func(f *Facts, _ map[string]string) { f.Journal.Loaded = time.Time{} }},
	{name: "a damaged file", id: "journal-damaged", severity: Warning, what: "2026-11-27.1.db.damaged", cure: "2026-11-27.1.db.damaged .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 recovered.db",
		change: func(f *Facts, _ map[string]string) {
			f.Journal.Damaged = []string{"/var/lib/alignd/journal/2026-11-27.1.db.damaged"}
		}},
	{name: "answers to reports that are lost", id: "reports-mx", severity: Warning, what: "it has no MX", cure: "alignd report dns",
		change: needed(ReportFact{Check: "mx", Name: "here.example", Wrong: true, Say: "it has no MX"})},
	{name: "envelope senders of reports", id: "reports-spf", severity: Warning, what: "it has no SPF record", cure: "alignd report dns",
		change: needed(ReportFact{Check: "spf", Name: "here.example", Wrong: true, Say: "it has no SPF record"})},
	{name: "a key of reports that DNS does not tell of", id: "reports-key", severity: Note, what: "cannot tell whether DMARC reports pass DMARC: s1._domainkey.here.example",
		change: needed(ReportFact{Check: "key", Name: "s1._domainkey.here.example", Unknown: true, Say: "DNS does not say"})},
	{name: "reports without a policy of their own", id: "reports-dmarc", severity: Warning, what: "no DMARC record",
		change: needed(ReportFact{Check: "mx", Name: "here.example"}, ReportFact{Check: "dmarc", Name: "_dmarc.here.example", Wrong: true, Say: "there is no DMARC record"})},
	{name: "a clock on its own", id: "clock", severity: Warning, what: "not synchronised", cure: "set-ntp",
		change: func(f *Facts, _ map[string]string) { f.Clock.Synchronised = false }},
	{name: "a clock that tells nothing", id: "clock", severity: Note, what: "cannot tell",
		change: func(f *Facts, _ map[string]string) { f.Clock = Clock{} }},
}

func needed(list ...ReportFact) func(*Facts, map[string]string) {
	return func(f *Facts, _ map[string]string) { f.Alignd.Reports = list }
}

// server replaces the resolver.
func server(change func(*Server)) func(*Facts, map[string]string) {
	return func(f *Facts, _ map[string]string) { change(&f.Resolver.Servers[0]) }
}

var resolverFaults = []fault{
	{name: "a dead resolver", id: "resolver-silent", severity: Error, what: "timeout", cure: "unbound",
		change: server(func(s *Server) { s.Answered, s.AD, s.Problem = false, false, "timeout" })},
	{name: "a dead one beside a living one", id: "resolver-silent", severity: Warning, what: "127.0.0.2:53",
		change: func(f *Facts, _ map[string]string) {
			f.Resolver.Servers = append(f.Resolver.Servers, Server{Addr: netip.MustParseAddrPort("127.0.0.2:53"), Asked: true, Problem: "timeout"})
		}},
	{name: "one on the network", id: "resolver-remote", severity: Warning, what: "10.0.0.53", cure: "in /etc/resolv.conf\nsystemctl restart alignd",
		change: server(func(s *Server) { s.Addr = netip.MustParseAddrPort("10.0.0.53:53") })},
	{name: "that of docker", id: "resolver-remote", severity: Note, what: "docker",
		change: server(func(s *Server) { s.Addr = netip.MustParseAddrPort("127.0.0.11:53") })},
	{name: "a public one", id: "resolver-public", severity: Warning, what: "9.9.9.9, of Quad9",
		change: server(func(s *Server) { s.Addr = netip.MustParseAddrPort("9.9.9.9:53") })},
	{name: "a public one by IPv6", id: "resolver-public", severity: Warning, what: "of Cloudflare",
		change: server(func(s *Server) { s.Addr = netip.MustParseAddrPort("[2606:4700:4700::1111]:53") })},
	{name: "one here that forwards to a public one", id: "resolver-public", severity: Warning, what: "forwards to 8.8.8.8 of Google, 1.1.1.1 of Cloudflare", cure: "/etc/unbound/x.conf",
		change: func(f *Facts, _ map[string]string) {
			f.Resolver.Forwarders = []Forwarder{{"/etc/unbound/x.conf", netip.MustParseAddr("8.8.8.8")}, {"/etc/unbound/x.conf", netip.MustParseAddr("1.1.1.1")}}
		}},
	{name: "one that does not validate", id: "resolver-dnssec", severity: Warning, what: "does not validate", change: server(func(s *Server) { s.AD = false })},
	{name: "one that was not asked", id: "resolver-dnssec", severity: Note, what: "cannot tell", change: server(func(s *Server) { s.Asked = false })},
	{name: "one without a root", id: "resolver-dnssec", severity: Note, what: "REFUSED", change: server(func(s *Server) { s.AD, s.Problem = false, "REFUSED" })},
}

var unitFaults = []fault{
	{name: "no unit", id: "unit-missing", severity: Note, what: "no unit", cure: "make install", change: func(f *Facts, _ map[string]string) { f.Unit = nil }},
	{name: "a dead daemon", id: "unit-state", severity: Error, what: "is failed", cure: "systemctl start alignd",
		change: func(f *Facts, _ map[string]string) { f.Unit.Active = "failed" }},
	{name: "a slip in a drop-in", id: "unit-state", severity: Error, what: "it is bad-setting", cure: "systemd-analyze verify alignd.service",
		change: func(f *Facts, _ map[string]string) { f.Unit.Load = "bad-setting" }},
	{name: "masked", id: "unit-state", severity: Error, what: "it is masked", cure: "systemctl unmask alignd",
		change: func(f *Facts, _ map[string]string) {
			f.Unit.Load, f.Unit.Enabled, f.Unit.Before = "masked", "masked", nil
		}},
	{name: "stopped with its socket", id: "unit-state", severity: Error, what: "alignd.socket and alignd.service are inactive", cure: "systemctl start alignd.socket alignd",
		change: func(f *Facts, _ map[string]string) { f.Unit.Active, f.Unit.SocketEnabled = "inactive", true }},
	{name: "not after a boot", id: "unit-state", severity: Warning, what: "is disabled", cure: "systemctl enable alignd",
		change: func(f *Facts, _ map[string]string) { f.Unit.Enabled = "disabled" }},
	{name: "a new unit that systemd has not read", id: "unit-state", severity: Warning, what: "changed on disk", cure: "daemon-reload",
		change: func(f *Facts, _ map[string]string) { f.Unit.NeedsReload = true }},
	{name: "it falls over", id: "unit-state", severity: Note, what: "3 times", change: func(f *Facts, _ map[string]string) { f.Unit.Restarts = 3 }},
	{name: "killed while it drains", id: "unit-stop", severity: Warning, what: "TimeoutStopSec is 10s", cure: "TimeoutStopSec=40s\nsystemctl daemon-reload",
		change: func(f *Facts, _ map[string]string) { f.Unit.Stop = 10 * time.Second }},
	{name: "after the MTA", id: "unit-order", severity: Note, what: "before postfix.service", change: func(f *Facts, _ map[string]string) { f.Unit.Before = nil }},
	{name: "a configuration of root's alone", id: "unit-reads", severity: Error, what: "alignd may not read /etc/alignd/alignd.yaml (mode 0600, uid 0, gid 0)",
		cure: "chgrp alignd /etc/alignd/alignd.yaml\nchmod g+r /etc/alignd/alignd.yaml\nsystemctl restart alignd",
		change: func(f *Facts, _ map[string]string) {
			f.Alignd.Files["/etc/alignd/alignd.yaml"] = File{Mode: 0o600}
		}},
	{name: "a folder of root's alone", id: "unit-reads", severity: Error, what: "alignd may not walk into /etc/alignd (mode 0700", cure: "chmod g+x /etc/alignd\n",
		change: func(f *Facts, _ map[string]string) {
			f.Alignd.Files["/etc/alignd"] = File{Mode: fs.ModeDir | 0o700}
		}},
	{name: "a key of root's alone", id: "unit-reads", severity: Error, what: "alignd may not read /etc/alignd/dmarc.pem", cure: "chgrp alignd /etc/alignd/dmarc.pem",
		change: func(f *Facts, _ map[string]string) { f.Alignd.Files["/etc/alignd/dmarc.pem"] = File{Mode: 0o600} }},
	{name: "another configuration", id: "unit-config", severity: Warning, what: "/srv/a.yaml", cure: "alignd doctor --config /srv/a.yaml",
		change: func(f *Facts, _ map[string]string) { f.Unit.Exec = "/usr/bin/alignd serve --config=/srv/a.yaml" }},
	{name: "another place", id: "unit-config", severity: Warning, what: "--listen inet:127.0.0.1:9", cure: "alignd doctor --listen inet:127.0.0.1:9",
		change: func(f *Facts, _ map[string]string) { f.Unit.Exec = "/usr/bin/alignd serve --listen inet:127.0.0.1:9" }},
	{name: "a socket that the sandbox forbids", id: "unit-socket", severity: Error, what: "write to /var/spool/postfix/alignd",
		cure:   "systemctl edit alignd\n[Service]\nReadWritePaths=-/var/spool/postfix/alignd\nsystemctl daemon-reload\nsystemctl restart alignd",
		change: func(f *Facts, _ map[string]string) { f.Unit.Writable = []string{"/run/alignd"} }},
	{name: "a socket in a /tmp of its own", id: "unit-socket", severity: Error, what: "PrivateTmp",
		change: func(f *Facts, _ map[string]string) {
			f.Alignd.Listen = []string{"unix:/tmp/a.sock"}
		}},
	{name: "a group that alignd is not in", id: "unit-socket", severity: Error, what: "group postfix",
		cure:   "systemctl edit alignd\n[Service]\nSupplementaryGroups=postfix\nsystemctl daemon-reload\nsystemctl restart alignd",
		change: func(f *Facts, _ map[string]string) { f.Unit.Groups = nil }},
	{name: "a group that alignd is not in, and a sandbox", id: "unit-socket", severity: Error, what: "write to /var/spool/postfix/alignd",
		cure:   "[Service]\nReadWritePaths=-/var/spool/postfix/alignd\nSupplementaryGroups=postfix\nsystemctl daemon-reload\nsystemctl restart alignd",
		change: func(f *Facts, _ map[string]string) { f.Unit.Groups, f.Unit.Writable = nil, []string{"/run/alignd"} }},
	{name: "a group, and a user that this host does not know", id: "unit-socket", severity: Note, what: "cannot tell whether alignd is in the group postfix",
		change: func(f *Facts, _ map[string]string) {
			f.Unit.Groups, f.Unit.User, f.Unit.UserKnown, f.Unit.UserGroups = nil, "filter", false, nil
		}},
	{name: "a socket beside that of systemd", id: "unit-socket", severity: Error, what: "group postfix", cure: "SupplementaryGroups=postfix",
		change: func(f *Facts, _ map[string]string) {
			f.Unit.Groups, f.Unit.SocketActive, f.Unit.Sockets = nil, true, []string{"inet:127.0.0.1:8890"}
		}},
}

var sendmailFaults = []fault{
	{name: "an old sendmail.cf", id: "sendmail-stale", severity: Warning, what: "sendmail.mc is newer", cure: "make -C /etc/mail", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Stale = "/etc/mail/sendmail.mc" }},
	{name: "no filter", id: "sendmail-not-attached", severity: Error, what: "does not hand", cure: "S=unix:/run/alignd/alignd.sock, F=T", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Filters, f.Sendmail.Input = nil, nil }},
	{name: "a filter that is not used", id: "sendmail-not-attached", severity: Error, what: "does not use it", cure: "confINPUT_MAIL_FILTERS', `alignd'", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Input = nil }},
	{name: "twice", id: "sendmail-not-attached", severity: Warning, what: "twice", sendmail: true,
		change: func(f *Facts, _ map[string]string) {
			f.Sendmail.Filters = append(f.Sendmail.Filters, SendmailFilter{Name: "again", Place: "local:/run/alignd/alignd.sock", Flags: "T"})
			f.Sendmail.Input = []string{"alignd", "again"}
		}},
	{name: "opendkim in front", id: "sendmail-order", severity: Warning, what: "opendkim (inet:8891@localhost)", cure: "`alignd,opendkim'", sendmail: true,
		change: func(f *Facts, _ map[string]string) {
			f.Sendmail.Filters = append(f.Sendmail.Filters, SendmailFilter{Name: "opendkim", Place: "inet:8891@localhost"})
			f.Sendmail.Input = []string{"opendkim", "alignd"}
		}},
	{name: "alignd first, beside others", id: "sendmail-shadow-order", severity: Warning, what: "compare_with is mx.here.test", cure: "`opendkim,alignd'", sendmail: true,
		change: func(f *Facts, _ map[string]string) {
			f.Alignd.CompareWith = []string{"mx.here.test"}
			f.Sendmail.Filters = append(f.Sendmail.Filters, SendmailFilter{Name: "opendkim", Place: "inet:8891@localhost"})
			f.Sendmail.Input = []string{"alignd", "opendkim"}
		}},
	{name: "mail goes in without", id: "sendmail-flags", severity: Warning, what: "no F=T", cure: "F=T", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Filters[0].Flags = "" }},
	{name: "mail is refused without", id: "sendmail-flags", severity: Warning, what: "F=R", cure: "F=T", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Filters[0].Flags = "R" }},
	{name: "too short an answer", id: "sendmail-timeouts", severity: Error, what: "waits 3s", cure: "R:30s", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Filters[0].Timeouts = "R:3s" }},
	{name: "too short an end", id: "sendmail-timeouts", severity: Warning, what: "waits 15s", cure: "E:5m", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Filters[0].Timeouts = "S:1s;R:10s;E:15s" }},
	{name: "the default port of submission", id: "sendmail-submission", severity: Warning, what: "port 587", cure: "InputMailFilters=", sendmail: true,
		change: func(f *Facts, _ map[string]string) { f.Sendmail.Daemons[1].Input = nil }},
	{name: "no login among the macros", id: "sendmail-macros", severity: Note, what: "lack {auth_authen}", cure: "confMILTER_MACROS_ENVFROM", sendmail: true,
		change: func(f *Facts, _ map[string]string) {
			f.Sendmail.Macros = map[string]string{"envfrom": "i, {mail_addr}, {auth_type}"}
		}},
}

func TestEachFaultIsFound(t *testing.T) {
	ids := IDs()
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			if c.sendmail {
				f = mc()
			}
			var p map[string]string
			if len(f.Postfix) > 0 {
				p = f.Postfix[0].Param
			}
			c.change(f, p)
			if p != nil && len(f.Postfix) > 0 {
				f.Postfix[0].Raw = p
			}
			r := Examine(f, nil)
			at := slices.IndexFunc(r.Findings, func(one Finding) bool {
				return one.ID == c.id && one.Severity == c.severity && strings.Contains(one.What, c.what)
			})
			if at < 0 {
				t.Fatalf("no %s %s with %q in %+v", c.severity, c.id, c.what, r.Findings)
			}
			if got := strings.Join(r.Findings[at].Cure, "\n"); !strings.Contains(got, c.cure) {
				t.Errorf("cure %q lacks %q", got, c.cure)
			}
		})
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.id })
	}
	if len(ids) > 0 {
		t.Errorf("checks that no row shows: %v", ids)
	}
}

func TestMiltersAreReadAsPostfixReadsThem(t *testing.T) {
	for _, c := range []struct {
		name, list string
		places     []string
		action     string // of the first
	}{
		{name: "commas and blanks divide", list: "inet:a:1, inet:b:2\tunix:c", places: []string{"inet:a:1", "inet:b:2", "unix:c"}},
		{name: "braces hold options", list: "{ inet:a:1, default_action=accept, connect_timeout=1s } inet:b:2", places: []string{"inet:a:1", "inet:b:2"}, action: "accept"},
		{name: "braces without blanks", list: "{inet:a:1,default_action=accept},inet:b:2", places: []string{"inet:a:1", "inet:b:2"}, action: "accept"},
		{name: "braces in braces", list: "{ inet:a:1, { default_action = accept } }", places: []string{"inet:a:1"}, action: "accept"},
		{name: "nothing", list: "  ", places: nil},
		{name: "a brace that is never closed", list: "{ inet:a:1", places: []string{"inet:a:1"}},
		{name: "braces of nothing", list: "{ } {}", places: nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var places []string
			list := Milters(c.list)
			for _, m := range list {
				places = append(places, m.Place)
			}
			if !slices.Equal(places, c.places) {
				t.Errorf("%q: got %q, want %q", c.list, places, c.places)
			}
			if len(list) > 0 && list[0].Options["default_action"] != c.action {
				t.Errorf("%q: options %v", c.list, list[0].Options)
			}
		})
	}
}

func TestPlacesThatReachAlignd(t *testing.T) {
	for _, c := range []struct {
		name, place, listen string
		chroot, want        bool
	}{
		{name: "the same", place: "inet:127.0.0.1:8890", listen: "inet:127.0.0.1:8890", want: true},
		{name: "another name of loopback", place: "inet:localhost:8890", listen: "inet:127.0.0.1:8890", want: true},
		{name: "IPv6 in brackets", place: "inet:[::1]:8890", listen: "inet:[::1]:8890", want: true},
		{name: "IPv6 without brackets", place: "inet:::1:8890", listen: "inet:[::1]:8890", want: true},
		{name: "a port alone", place: "inet:8890", listen: "inet:127.0.0.1:8890", want: true},
		{name: "loopback of IPv4, and alignd has that of IPv6", place: "inet:127.0.0.1:8890", listen: "inet:[::1]:8890"},
		{name: "loopback of IPv6, and alignd has that of IPv4", place: "inet:[::1]:8890", listen: "inet:127.0.0.1:8890"},
		{name: "a name that leads to both", place: "inet:localhost:8890", listen: "inet:[::1]:8890", want: true},
		{name: "Sendmail's way", place: "inet:8890@127.0.0.1", listen: "inet:127.0.0.1:8890", want: true},
		{name: "all addresses", place: "inet:192.0.2.1:8890", listen: "inet::8890", want: true},
		{name: "all addresses, of another host", place: "inet:192.0.2.99:8890", listen: "inet:0.0.0.0:8890"},
		{name: "the name of this host", place: "inet:mx.here.test:8890", listen: "inet:0.0.0.0:8890", want: true},
		{name: "another port", place: "inet:127.0.0.1:8891", listen: "inet:127.0.0.1:8890"},
		{name: "an address that is not listened on", place: "inet:127.0.0.1:8890", listen: "inet:192.0.2.1:8890"},
		{name: "below the queue", place: "unix:alignd/a.sock", listen: "unix:/var/spool/postfix/alignd/a.sock", want: true},
		{name: "a whole path without chroot", place: "unix:/run/a.sock", listen: "unix:/run/a.sock", want: true},
		{name: "a whole path in a chroot", place: "unix:/run/a.sock", listen: "unix:/run/a.sock", chroot: true},
		{name: "a path from the chroot's root", place: "unix:/alignd/a.sock", listen: "local:/var/spool/postfix/alignd/a.sock", chroot: true, want: true},
		{name: "a socket is no port", place: "unix:8890", listen: "inet:127.0.0.1:8890"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			f.Alignd.Listen = []string{c.listen}
			if got := f.reaches(&f.Postfix[0], c.chroot, c.place); got != c.want {
				t.Errorf("%s to %s: %v", c.place, c.listen, got)
			}
		})
	}
}

func TestWhatIsIgnoredIsCounted(t *testing.T) {
	f := healthy()
	f.Clock.Synchronised, f.Postfix[0].Services[1].Options = false, nil
	r := Examine(f, []string{"submission"})
	if r.Summary.Ignored != 1 || r.Summary.Warnings != 1 || r.Status() != 1 {
		t.Errorf("summary %+v, status %d", r.Summary, r.Status())
	}
	if r = Examine(f, []string{"submission", "clock"}); r.Status() != 0 {
		t.Errorf("status %d", r.Status())
	}
}

func TestReportForPeopleAndForScripts(t *testing.T) {
	f := healthy()
	f.Clock.Synchronised = false
	f.Postfix[0].Param["smtpd_milters"], f.Postfix[0].Raw["smtpd_milters"] = "", ""
	f.Problems = []string{"a file\x1b[2J\nthat lies"}
	r := Examine(f, nil)
	var text bytes.Buffer
	if err := r.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if !strings.HasPrefix(lines[0], "ERROR   mail that comes in by smtp") || strings.Contains(text.String(), "\x1b") {
		t.Errorf("%s", text.String())
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "1 error, 2 warnings, no note; ") {
		t.Errorf("the last line is %q", last)
	}
	text.Reset()
	if err := r.JSON(&text); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text.Bytes(), &back); err != nil || back.Summary != r.Summary || back.Findings[0].ID != "not-attached" || back.Findings[0].Cure == nil {
		t.Errorf("%v: %s", err, text.String())
	}
}
