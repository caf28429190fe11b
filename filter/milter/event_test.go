package milter

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	protocol "github.com/emersion/go-milter"
)

func TestParseConnect(t *testing.T) {
	addr := netip.MustParseAddr
	tests := []struct {
		name string
		data string
		want Connect
		bad  bool
	}{
		{name: "IPv4", data: "h\x004\x00\x19192.0.2.1\x00", want: Connect{Host: "h", Family: '4', Port: 25, Addr: addr("192.0.2.1")}},
		{name: "IPv6 as Postfix writes it", data: "h\x006\x02\x002001:db8::1\x00", want: Connect{Host: "h", Family: '6', Port: 512,
			Addr: addr("2001:db8::1")}},
		{name: "IPv6 as Sendmail writes it", data: "h\x006\x00\x19IPv6:0:0:0:0:0:0:0:1\x00", want: Connect{Host: "h", Family: '6', Port: 25,
			Addr: addr("::1")}},
		{name: "an IPv4 address in IPv6 form", data: "h\x006\x00\x19::ffff:192.0.2.1\x00", want: Connect{Host: "h", Family: '6', Port: 25,
			Addr: addr("192.0.2.1")}},
		{name: "a zone is dropped", data: "h\x006\x00\x19fe80::1%eth0\x00", want: Connect{Host: "h", Family: '6', Port: 25,
			Addr: addr("fe80::1")}},
		{name: "an address that is none", data: "h\x004\x00\x19unknown\x00", want: Connect{Host: "h", Family: '4', Port: 25, Addr: netip.Addr{}}},
		{name: "the tag alone", data: "h\x006\x00\x19IPv6:\x00", want: Connect{Host: "h", Family: '6', Port: 25, Addr: netip.Addr{}}},
		{name: "unknown family", data: "h\x00U", want: Connect{Host: "h", Family: 'U'}},
		{name: "unknown family with a rest", data: "h\x00U\x00", want: Connect{Host: "h", Family: 'U'}},
		{name: "unix socket with a port", data: "h\x00L\x00\x00/s\x00", want: Connect{Host: "h", Family: 'L', Path: "/s"}},
		{name: "unix socket without a port", data: "h\x00L/s\x00", want: Connect{Host: "h", Family: 'L', Path: "/s"}},
		{name: "a family unknown to us", data: "h\x00X123", want: Connect{Host: "h", Family: 'X'}},
		{name: "an overlong name is cut", data: strings.Repeat("h", 10_000) + "\x00U", want: Connect{Host: strings.Repeat("h", maxGreeting), Family: 'U'}},
		{name: "nothing", data: "", bad: true},
		{name: "a name without end", data: "host", bad: true},
		{name: "no family", data: "h\x00", bad: true},
		{name: "no port", data: "h\x004", bad: true},
		{name: "half a port", data: "h\x004\x00", bad: true},
		{name: "an address without end", data: "h\x004\x00\x19192.0.2.1", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseConnect([]byte(tt.data))
			if ok == tt.bad || ok && got != tt.want {
				t.Errorf("%.40q: got %+v, %v; want %+v", tt.data, got, ok, tt.want)
			}
		})
	}
}

func TestMailbox(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{name: "the null reverse-path", path: "<>"},
		{name: "nothing"},
		{name: "a mailbox in brackets", path: "<a@example.com>", want: "a@example.com"},
		{name: "a mailbox without brackets", path: "a@example.com", want: "a@example.com"},
		{name: "a quoted local part keeps its quotes and brackets", path: `<"<a b>"@example.com>`, want: `"<a b>"@example.com`},
		{name: "a source route (RFC 5321 appendix C)", path: "<@relay.example,@b.example:a@example.com>", want: "a@example.com"},
		{name: "a route through an address literal", path: "<@[IPv6:2001:db8::1],@b:a@example.com>", want: "a@example.com"},
		{name: "an @ without a route", path: "<@example.com>", want: "@example.com"},
		{name: "a colon in a mailbox is no route", path: `<"a:b"@example.com>`, want: `"a:b"@example.com`},
		{name: "an unclosed bracket stays", path: "<a@example.com", want: "<a@example.com"},
		{name: "one bracket alone", path: "<", want: "<"},
		{name: "SMTPUTF8", path: "<\u00fc@example.com>", want: "\u00fc@example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Mailbox(tt.path); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.path, got, tt.want)
			}
		})
	}
}

func TestParsePathSplitsArguments(t *testing.T) {
	tests := []struct {
		data string
		want []string
	}{
		{"<>\x00", nil},
		{"<>\x00SIZE=1\x00", []string{"SIZE=1"}},
		{"<>\x00SIZE=1\x00\x00BODY=8BITMIME\x00", []string{"SIZE=1", "", "BODY=8BITMIME"}},
	}
	for _, tt := range tests {
		if raw, args := parsePath([]byte(tt.data)); raw != "<>" || !reflect.DeepEqual(args, tt.want) {
			t.Errorf("%q: got %q, %q; want %q", tt.data, raw, args, tt.want)
		}
	}
}

func TestParseHeader(t *testing.T) {
	tests := []struct {
		name, data, field, value, without string
		bad                               bool
	}{
		{name: "a usual field", data: "A\x00 v\x00", field: "A", value: " v", without: "  v"},
		{name: "no space after the colon", data: "A\x00v\x00", field: "A", value: "v", without: " v"},
		{name: "an empty value", data: "A\x00\x00", field: "A", value: "", without: " "},
		{name: "folds and octets stay as they are", data: "A\x00 \xff\n\t b\x00", field: "A", value: " \xff\n\t b", without: "  \xff\n\t b"},
		{name: "an empty name", data: "\x00v\x00", value: "v", without: " v"},
		{name: "nothing", data: "", bad: true},
		{name: "no value", data: "A\x00", bad: true},
		{name: "a value without end", data: "A\x00v", bad: true},
		{name: "NUL within the value would hide its rest", data: "A\x00v\x00w\x00", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, value, ok := parseHeader([]byte(tt.data), true)
			if ok == tt.bad || string(name) != tt.field || string(value) != tt.value {
				t.Errorf("with leading space: got %q, %q, %v", name, value, ok)
			}
			name, value, ok = parseHeader([]byte(tt.data), false)
			if ok == tt.bad || string(name) != tt.field || string(value) != tt.without {
				t.Errorf("without leading space: got %q, %q, %v", name, value, ok)
			}
		})
	}
}

func TestMacrosAreLookedUpFromTheLatestEvent(t *testing.T) {
	var m macros
	set := func(cmd protocol.Code, pairs string) { m.set([]byte(string(rune(cmd)) + pairs)) }
	check := func(when, name, want string) {
		t.Helper()
		if got := m.lookup(name); got != want {
			t.Errorf("%s: macro %s is %q, want %q", when, name, got, want)
		}
	}
	set('C', "j\x00mx.example\x00{daemon_name}\x00smtpd\x00")
	m.begin(macroConnect)
	set('M', "i\x00Q1\x00{auth_type}\x00PLAIN\x00")
	m.begin(macroMail)
	check("at MAIL", "j", "mx.example")
	check("at MAIL", "{j}", "mx.example")
	check("at MAIL", "daemon_name", "smtpd")
	check("at MAIL", "{i}", "Q1")
	check("at MAIL", "nothing", "")
	check("at MAIL", "", "")
	set('R', "{rcpt_addr}\x00a\x00")
	set('R', "{rcpt_addr}\x00b\x00")
	set('L', "i\x00Q2\x00")
	check("in the header", "rcpt_addr", "b")
	check("in the header", "i", "Q2")
	set('E', "i\x00\x00{msg_id}\x00<m>")
	check("an empty value is none", "i", "Q2")
	check("a value without end", "msg_id", "<m>")
	m.begin(macroMail)
	check("a new MAIL without macros of its own", "auth_type", "")
	check("a new MAIL without macros of its own", "i", "")
	check("a new MAIL", "rcpt_addr", "")
	check("a new MAIL", "j", "mx.example")
	set('X', "a\x00b\x00")
	m.set(nil)
	check("an event unknown to us", "a", "")
	set('M', "a\x00b")
	if m.set([]byte("M" + strings.Repeat("x", maxMacros+1))) {
		t.Error("macros over the limit are not reported")
	}
	check("macros over the limit", "a", "")
}
