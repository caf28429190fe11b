package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

func TestDescriptorsSufficeForWhatIsServed(t *testing.T) {
	for _, row := range []struct {
		name        string
		limit       uint64
		connections int
		want        descriptors
	}{
		{name: "enough for all", limit: 4120, connections: 2000, want: descriptors{2000, 1024}},
		{name: "no limit", limit: 1<<64 - 1, connections: 2000, want: descriptors{2000, 1024}},
		{name: "one too few", limit: 4119, connections: 2000, want: descriptors{2000, 1011}},
		{name: "many connections wanted", limit: 65536, connections: 100_000, want: descriptors{32732, 1024}},
		{name: "few connections wanted", limit: 1024, connections: 100, want: descriptors{100, 238}},
		{name: "the usual soft limit", limit: 1024, connections: 2000, want: descriptors{476, 238}},
		{name: "hardly any", limit: 80, connections: 2000, want: descriptors{4, 2}},
		{name: "none", limit: 10, connections: 2000, want: descriptors{1, 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := divide(row.limit, row.connections)
			if got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			if used := got.connections + 2*got.questions + otherDescriptors; row.limit > 100 && uint64(used) > row.limit {
				t.Errorf("%+v take %d of %d", got, used, row.limit)
			}
		})
	}
}

// TestIdleConnectionsLeaveDescriptorsForDNS: without one for the question, the
// policy of a forged sender would be unknown, and his message accepted.
func TestIdleConnectionsLeaveDescriptorsForDNS(t *testing.T) {
	zone, err := resolver.ParseZone(strings.NewReader("_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\nexample.com. TXT \"v=spf1 -all\"\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	dns, err := dnsserver.ServeZone(zone, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	s := &serving{env: []string{withFiles + "=128"}}
	s.start(t, "dns: {servers: [\""+dns.Addr()+"\"]}\n", &s.stderr)

	client := fakemta.Dial(s.mta, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	defer client.Close()
	if r := client.Command("EHLO client.example"); r.Code != 250 { // it is served
		t.Fatalf("EHLO: %s", r)
	}
	for range 150 {
		idle, err := net.Dial(s.mta.Network, s.mta.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	for _, line := range []string{"MAIL FROM:<a@example.com>", "RCPT TO:<bob@here.test>"} {
		if r := client.Command(line); r.Code != 250 {
			t.Fatalf("%s: %s", line, r)
		}
	}
	if r := client.Data([]byte("From: a@example.com\n\nhello\n")); r.Reply.Code != 550 {
		t.Errorf("a forged message got %s", r.Reply)
	}
	s.terminate(t)
	if log := s.stderr.String(); !strings.Contains(log, "connections=28") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log does not say that 28 connections are served, or tells of errors")
	}
}
