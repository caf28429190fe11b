package milter

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPassedSocketCoversThePlacesThatItTakesConnectionsFor(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "run")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	for _, tt := range []struct {
		name, network, address string
		place                  string // PORT is that of the socket
		want                   bool
	}{
		{name: "the same address", network: "tcp4", address: "127.0.0.1:0", place: "inet:127.0.0.1:PORT", want: true},
		{name: "as Sendmail writes it", network: "tcp4", address: "127.0.0.1:0", place: "inet:PORT@127.0.0.1", want: true},
		{name: "a name of the same address", network: "tcp4", address: "127.0.0.1:0", place: "inet:localhost:PORT", want: true},
		{name: "another port", network: "tcp4", address: "127.0.0.1:0", place: "inet:127.0.0.1:1"},
		{name: "another address", network: "tcp4", address: "127.0.0.1:0", place: "inet:127.0.0.2:PORT"},
		{name: "all addresses are more than one", network: "tcp4", address: "127.0.0.1:0", place: "inet:0.0.0.0:PORT"},
		{name: "one of all addresses", network: "tcp4", address: "0.0.0.0:0", place: "inet:127.0.0.1:PORT", want: true},
		{name: "all addresses", network: "tcp4", address: "0.0.0.0:0", place: "inet::PORT", want: true},
		{name: "IPv6 is not covered by IPv4", network: "tcp4", address: "0.0.0.0:0", place: "inet:[::1]:PORT"},
		{name: "IPv4 by both, as systemd opens a port alone", network: "tcp", address: "[::]:0", place: "inet:127.0.0.1:PORT", want: true},
		{name: "all of IPv4 by both", network: "tcp", address: "[::]:0", place: "inet:0.0.0.0:PORT", want: true},
		{name: "IPv6 by both", network: "tcp", address: "[::]:0", place: "inet:[::1]:PORT", want: true},
		{name: "IPv4 by IPv6 only", network: "tcp6", address: "[::]:0", place: "inet:127.0.0.1:PORT"},
		{name: "the same file", network: "unix", address: socket, place: "unix:" + socket, want: true},
		{name: "the same file through a link", network: "unix", address: socket, place: "unix:" + link + "/s", want: true},
		{name: "another file", network: "unix", address: socket, place: "unix:" + socket + "2"},
		{name: "TCP is no file", network: "unix", address: socket, place: "inet:127.0.0.1:1"},
		{name: "a file is no TCP", network: "tcp4", address: "127.0.0.1:0", place: "unix:" + socket},
		{name: "no place at all", network: "tcp4", address: "127.0.0.1:0", place: "inet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen(tt.network, tt.address)
			if err != nil && strings.Contains(tt.address, "::") {
				t.Skip("left out: no IPv6 here")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			place := tt.place
			if tt.network != "unix" {
				_, port, _ := net.SplitHostPort(ln.Addr().String())
				place = strings.ReplaceAll(place, "PORT", port)
			}
			if got := Covers(ln, place); got != tt.want {
				t.Errorf("%s covers %s: got %v, want %v", ln.Addr(), place, got, tt.want)
			}
		})
	}
}
