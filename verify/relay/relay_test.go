package relay

import (
	"net/netip"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/header"
)

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// from is a Received field of a hop that got the message from ip.
func from(ip string) string { return "from h-" + ip + " (unknown [" + ip + "]) by gw.example; date" }

// submission is a Received field of a hop that got the message after a login.
func submission(ip, with string) string {
	return "from h-" + ip + " (unknown [" + ip + "]) by gw.example with " + with + "; date"
}

func TestFind(t *testing.T) {
	plain := Relay{ID: "gw", Peers: prefixes("192.0.2.0/28"), Skip: prefixes("198.51.100.0/28", "2001:db8:5::/48")}
	private := plain
	private.PrivateHops = true
	short := plain
	short.MaxHops = 2
	named := plain
	named.By = Writers{Names: []string{"gw.example", ".gw.example"}, Networks: prefixes("2001:db8:a05::/48")}
	lenient := plain
	lenient.OnParseFailure = OnFailurePeer

	tests := []struct {
		name     string
		relay    Relay
		peer     string
		received []string
		want     evidence.Client // without Peer and HELO
	}{
		{name: "a client that is no relay is left alone", relay: plain, peer: "203.0.113.1",
			received: []string{from("203.0.113.2")}},
		{name: "the client behind one relay", relay: plain, peer: "192.0.2.1",
			received: []string{from("203.0.113.2"), from("203.0.113.3")},
			want:     evidence.Client{Relay: "gw", Hops: 1, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "an IPv4-mapped peer is IPv4", relay: plain, peer: "::ffff:192.0.2.1",
			received: []string{from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "further trusted hops are passed over", relay: plain, peer: "192.0.2.1",
			received: []string{from("192.0.2.2"), from("198.51.100.3"), from("IPv6:2001:db8:5::1"), from("IPv6:2001:db8:6::1"), from("198.51.100.3")},
			want:     evidence.Client{Relay: "gw", Hops: 4, Original: netip.MustParseAddr("2001:db8:6::1"), OriginalHELO: "h-IPv6:2001:db8:6::1"}},
		{name: "a trusted address that an untrusted hop wrote is not looked at", relay: plain, peer: "192.0.2.1",
			received: []string{from("203.0.113.66"), from("198.51.100.3"), from("203.0.113.80")},
			want:     evidence.Client{Relay: "gw", Hops: 1, Original: netip.MustParseAddr("203.0.113.66"), OriginalHELO: "h-203.0.113.66"}},
		{name: "loopback is a hop inside the relay", relay: plain, peer: "192.0.2.1",
			received: []string{from("127.0.0.1"), from("IPv6:::1"), from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 3, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "loopback and nothing below began inside the relay", relay: plain, peer: "192.0.2.1",
			received: []string{from("127.0.0.1")}, want: evidence.Client{Relay: "gw", Hops: 2}},
		{name: "an own network is a hop", relay: plain, peer: "192.0.2.1",
			received: []string{from("198.18.0.9"), from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 2, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "mail that began in an own network", relay: plain, peer: "192.0.2.1",
			received: []string{from("198.18.0.9")}, want: evidence.Client{Relay: "gw", Hops: 2, Began: netip.MustParseAddr("198.18.0.9")}},
		{name: "mail that went on from an own network to the relay itself", relay: plain, peer: "192.0.2.1",
			received: []string{from("127.0.0.1"), from("198.18.0.9")}, want: evidence.Client{Relay: "gw", Hops: 3, Began: netip.MustParseAddr("198.18.0.9")}},
		{name: "what an own network handed on unread did not begin there", relay: plain, peer: "192.0.2.1",
			received: []string{from("198.18.0.9"), "by ws.example (Postfix, from userid 1000) id 1; date"},
			want:     evidence.Client{Relay: "gw", Hops: 2, RelayProblem: "Received field 2: " + noFrom, Unknown: true}},
		{name: "a login from an own network is passed over", relay: plain, peer: "192.0.2.1",
			received: []string{submission("198.18.0.9", "ESMTPSA")}, want: evidence.Client{Relay: "gw", Hops: 2, Began: netip.MustParseAddr("198.18.0.9")}},
		{name: "a login from elsewhere leaves the client unknown", relay: plain, peer: "192.0.2.1",
			received: []string{from("198.51.100.3"), submission("203.0.113.2", "ESMTPA")},
			want:     evidence.Client{Relay: "gw", Hops: 2, RelayProblem: "Received field 2: " + afterLogin, Unknown: true}},
		{name: "a hop of Exchange's mailboxes leaves the client unknown, wherever it is", relay: private, peer: "192.0.2.1",
			received: []string{"from a.example ([10.0.0.1]) by b.example ([10.0.0.2]) with mapi id 15.20; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + notSMTP, Unknown: true}},
		{name: "a mailbox of a trusted host is a hop", relay: plain, peer: "192.0.2.1",
			received: []string{"from pop.example [198.51.100.3] by gw.example with POP3 (fetchmail-6.4); date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 2, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "a mailbox of another host is no client", relay: plain, peer: "192.0.2.1",
			received: []string{"from pop.example [203.0.113.3] by gw.example with IMAP (fetchmail-6.4); date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + fromMailbox, Unknown: true}},
		{name: "a hop by a local socket is passed over", relay: plain, peer: "192.0.2.1",
			received: []string{"from gw.example by store.example with LMTP id 1; date", "from localhost ([unix socket]) by gw.example (Cyrus) with LMTPA; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 3, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "by: fields without a from clause are passed over", relay: named, peer: "192.0.2.1",
			received: []string{"by mail-1.gw.example with SMTP id 1; date", "by 2001:db8:a05::1 with SMTP id 1; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "by: what only the relay itself names began inside", relay: named, peer: "192.0.2.1",
			received: []string{"by mail-1.gw.example with SMTP id 1; date"}, want: evidence.Client{Relay: "gw", Hops: 1}},
		{name: "by: a submission is not passed over", relay: named, peer: "192.0.2.1",
			received: []string{"by mail-1.gw.example (Postfix, from userid 1000) id 1; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + noFrom, Unknown: true}},
		{name: "by: nor is a web mailer", relay: named, peer: "192.0.2.1",
			received: []string{"by 2001:db8:a05::1 with HTTP; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + noFrom, Unknown: true}},
		{name: "by: nor is a field of another host", relay: named, peer: "192.0.2.1",
			received: []string{from("198.51.100.3"), "by mail.evil.example with SMTP id 1; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 2, RelayProblem: "Received field 2: " + noFrom, Unknown: true}},
		{name: "by: the topmost field of another host is not the relay's", relay: named, peer: "192.0.2.1",
			received: []string{strings.Replace(from("203.0.113.2"), "gw.example", "evil.example", 1)},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + notBy, Unknown: true}},
		{name: "by: a name that only ends alike is another one", relay: named, peer: "192.0.2.1",
			received: []string{strings.Replace(from("203.0.113.2"), "gw.example", "evilgw.example", 1)},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + notBy, Unknown: true}},
		{name: "by: fields below may be by others", relay: named, peer: "192.0.2.1",
			received: []string{from("198.51.100.3"), strings.Replace(from("203.0.113.2"), "gw.example", "inner.example", 1)},
			want:     evidence.Client{Relay: "gw", Hops: 2, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "private hops are clients by default", relay: plain, peer: "192.0.2.1",
			received: []string{from("10.0.0.1"), from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, Original: netip.MustParseAddr("10.0.0.1"), OriginalHELO: "h-10.0.0.1"}},
		{name: "private and link-local hops are passed over on request", relay: private, peer: "192.0.2.1",
			received: []string{from("10.0.0.1"), from("127.0.0.1"), from("fe80::1%eth0"), from("fd00::1"), from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 5, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "qmail's note of the way inside the host is no hop", relay: plain, peer: "192.0.2.1",
			received: []string{"(qmail 1 invoked from network); date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 1, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "a message that began inside has no original client and no problem", relay: plain, peer: "192.0.2.1",
			received: []string{from("198.51.100.3")},
			want:     evidence.Client{Relay: "gw", Hops: 2, Began: netip.MustParseAddr("198.51.100.3")}},
		{name: "without Received the client is unknown", relay: plain, peer: "192.0.2.1",
			want: evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "no Received field of the trusted relay", Unknown: true}},
		{name: "a note of qmail alone is no Received of the relay", relay: plain, peer: "192.0.2.1",
			received: []string{"(qmail 1 invoked from network); date"},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "no Received field of the trusted relay", Unknown: true}},
		{name: "what cannot be read ends the search", relay: plain, peer: "192.0.2.1",
			received: []string{from("198.51.100.3"), "by x with LMTP; date", from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 2, RelayProblem: "Received field 2: " + noFrom, Unknown: true}},
		{name: "on request the relay's own address counts then", relay: lenient, peer: "192.0.2.1",
			received: []string{"by x with LMTP; date"},
			want:     evidence.Client{Relay: "gw", Hops: 1, RelayProblem: "Received field 1: " + noFrom}},
		{name: "as many hops as allowed", relay: short, peer: "192.0.2.1",
			received: []string{from("198.51.100.3"), from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 2, Original: netip.MustParseAddr("203.0.113.2"), OriginalHELO: "h-203.0.113.2"}},
		{name: "more hops than allowed", relay: short, peer: "192.0.2.1",
			received: []string{from("198.51.100.3"), from("198.51.100.4"), from("203.0.113.2")},
			want:     evidence.Client{Relay: "gw", Hops: 2, RelayProblem: "more trusted hops than max_hops", Unknown: true}},
		{name: "the default limit stops a loop", relay: plain, peer: "192.0.2.1",
			received: strings.SplitAfter(strings.Repeat(from("198.51.100.3")+"\n", 200), "\n"),
			want:     evidence.Client{Relay: "gw", Hops: defaultMaxHops, RelayProblem: "more trusted hops than max_hops", Unknown: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fields header.Fields
			fields.Add([]byte("Subject"), []byte(" x"))
			for _, r := range tt.received {
				fields.Add([]byte("received"), []byte(" "+strings.TrimSuffix(r, "\n")))
				fields.Add([]byte("X-Received"), []byte(" "+from("203.0.113.99")))
			}
			opt := &Options{Own: prefixes("198.18.0.0/24"), Relays: []Relay{{ID: "other", Peers: prefixes("203.0.113.200/32")}, tt.relay}}
			client := evidence.Client{Peer: netip.MustParseAddr(tt.peer), HELO: "relay.example"}
			want := tt.want
			want.Peer, want.HELO = client.Peer, client.HELO
			if got := opt.Find(client, Chain(&fields, evidence.MaxHops)); got != want {
				t.Errorf("Received %q\n got %+v\nwant %+v", tt.received, got, want)
			}
			if got := opt.Trusts(client.Peer); got != (tt.want.Relay != "") {
				t.Errorf("Trusts(%v) = %v", client.Peer, got)
			}
		})
	}
}

func TestNoOptionsTrustNobody(t *testing.T) {
	var none *Options
	client := evidence.Client{Peer: netip.MustParseAddr("127.0.0.1")}
	if none.Trusts(client.Peer) || none.Trusts(netip.Addr{}) || none.Find(client, nil) != client {
		t.Error("nil Options found a relay")
	}
}

func TestUnknownClientHasNoAddress(t *testing.T) {
	c := evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "relay.example", Unknown: true}
	if c.IP().IsValid() || c.HELOName() != "" {
		t.Errorf("got %v and %q, want neither", c.IP(), c.HELOName())
	}
}
