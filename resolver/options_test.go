package resolver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	tests := []struct {
		name    string
		servers []string
		conf    string // resolv.conf; "-" is no file
		want    string // servers, timeout and attempts
	}{
		{name: "configured servers, port 53 unless told", servers: []string{"192.0.2.1", "192.0.2.2:5353", "::1", "[::1]:5300"}, conf: "-",
			want: "192.0.2.1:53 192.0.2.2:5353 [::1]:53 [::1]:5300 2s 3"},
		{name: "the system's servers with timeout and attempts", conf: "search example.com\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\noptions timeout:3 attempts:4\n",
			want: "192.0.2.1:53 [fe80::1%eth0]:53 3s 4"},
		{name: "the system's defaults are those of resolv.conf(5)", conf: "nameserver 192.0.2.1\n", want: "192.0.2.1:53 5s 2"},
		{name: "no nameserver means this host", conf: "# empty\n", want: "127.0.0.1:53 5s 2"},
		{name: "no file means this host", conf: "-", want: "127.0.0.1:53 2s 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "resolv.conf")
			if tt.conf != "-" {
				if err := os.WriteFile(path, []byte(tt.conf), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{Servers: tt.servers, ResolvConf: path}
			servers, err := o.complete()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range servers {
				got = append(got, s.addr.String())
			}
			got = append(got, o.Timeout.String(), string(rune('0'+o.Attempts)))
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

func TestBadServersAreRefused(t *testing.T) {
	for _, s := range []string{"", "192.0.2.1:0", "192.0.2.1:dns", "192.0.2.1:70000", ":53", "no host"} {
		if _, err := New(Options{Servers: []string{s}}); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestFailuresAreKeptForFiveMinutesAtMost(t *testing.T) {
	o := Options{Servers: []string{"::1"}, FailureTTL: time.Hour}
	if _, err := o.complete(); err != nil || o.FailureTTL != 5*time.Minute {
		t.Errorf("%v, %v", o.FailureTTL, err)
	}
}

func TestNewResolverHasCountedNothing(t *testing.T) {
	r, err := New(Options{Servers: []string{"::1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s := r.Stats(); s != (Stats{}) {
		t.Errorf("a new resolver counts %+v", s)
	}
}

// TestTheSystemsServersAreTakenUpWhenTheyChange: at boot the file may be empty, and
// another network has other servers.
func TestTheSystemsServersAreTakenUpWhenTheyChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	now := time.Unix(1_700_000_000, 0)
	r, err := New(Options{ResolvConf: path, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	expect := func(want string) {
		t.Helper()
		now = now.Add(lookEvery)
		r.refresh()
		if got := strings.Join(r.Servers(), " "); got != want {
			t.Errorf("asks %s, want %s", got, want)
		}
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect("127.0.0.1:53")
	write("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
	expect("192.0.2.1:53 192.0.2.2:53")
	stays := (*r.servers.Load())[1]
	write("nameserver 192.0.2.2\n")
	expect("192.0.2.2:53")
	if (*r.servers.Load())[0] != stays {
		t.Error("what is known of a server that stays is lost")
	}
	write("nameserver bad.address.\nnameserver 192.0.2.1#53\n")
	expect("192.0.2.2:53")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("192.0.2.2:53")
	write("# being written\n")
	expect("192.0.2.2:53")
	write("nameserver 192.0.2.3\n")
	r.refresh() // too early
	if got := r.Servers()[0]; got != "192.0.2.2:53" {
		t.Errorf("looked at again at once: %s", got)
	}
}
