// Package relay finds the original client of a message that came through
// trusted relays: a gateway, a filter, a cloud service in front of this host
// (what Microsoft calls enhanced filtering, or skip listing).
//
// It reads the Received fields (RFC 5321 section 4.4) from the topmost down. The
// topmost one is believed because the connected peer, a configured relay, wrote
// it; the next one only if the address in the first is a trusted hop again, and
// so on. The first address that is not trusted is the original client; what
// stands below was written by who knows whom and is not looked at. A relay
// that is listed must therefore put a Received field on top of each message;
// one that does not, such as a TCP balancer, lets its clients write that field.
//
// Trusted hops are addresses, never names, as names are the client's to write:
// Peers, Skip, our own networks, loopback (a hop inside the host that wrote the
// field), and private addresses where that is wanted.
//
// A field that cannot be read with certainty ends the search, and RelayProblem
// says why; it is never guessed. So do a login of somebody outside, and what
// did not come by SMTP: a message that was submitted on the relay itself may
// bring any fields along.
package relay

import (
	"fmt"
	"net/netip"
	"strings"

	"alignd/evidence"
)

// defaultMaxHops is how many trusted hops are passed over, the peer included.
// The number is ours: longer paths inside one's own network are a loop.
const defaultMaxHops = 10

// What Relay.OnParseFailure may be.
const (
	// OnFailurePeer lets the checks use the relay's own address.
	OnFailurePeer = "peer"
	// OnFailureNone leaves the client unknown, so that SPF is none. It is what
	// an empty OnParseFailure means.
	OnFailureNone = "none"
)

// Options lists the trusted relays; the first whose peers match counts. A nil
// Options has none. It must not be changed while in use.
type Options struct {
	Relays []Relay
	// Own are our own networks: trusted hops behind every relay.
	Own []netip.Prefix
}

// Relay is one trusted relay.
type Relay struct {
	ID string
	// Peers are the addresses that connect to us.
	Peers []netip.Prefix
	// Skip are further trusted hops behind them, passed over like Peers.
	Skip []netip.Prefix
	// By names the hosts that write the relay's Received fields. With it the
	// topmost field must be by one of them, and fields of theirs without a from
	// clause are passed over. It proves nothing.
	By Writers
	// PrivateHops passes private and link-local addresses over, too.
	PrivateHops bool
	// MaxHops limits the trusted hops, the peer included; 0 is defaultMaxHops.
	MaxHops        int
	OnParseFailure string
}

// Writers are names and addresses that may stand behind "by".
type Writers struct {
	Names    []string // example.com, or ".example.com" for all below it; lower case
	Networks []netip.Prefix
}

func (w Writers) any() bool { return len(w.Names)+len(w.Networks) > 0 }

func (w Writers) has(by string) bool {
	if ip, _, ok := address(by); ok {
		return within(w.Networks, ip)
	}
	by = strings.ToLower(strings.TrimSuffix(by, "."))
	for _, name := range w.Names {
		if by == name || strings.HasPrefix(name, ".") && strings.HasSuffix(by, name) && len(by) > len(name) {
			return true
		}
	}
	return false
}

// hop is what a Received field says about who handed the message over.
type hop struct {
	ip   netip.Addr // invalid where queued or socket is true, and where the field has no from clause
	helo string     // may be empty
	by   string     // who wrote the field, as written
	way  way
	// queued: the field only tells that the message went on inside the host
	// after it came by SMTP; the field below is by the same writer.
	queued bool
	// socket: it came from another process of the same host, without address.
	socket bool
}

// What ends the search besides a field that cannot be read.
const (
	notBy       = "not written by a host of the option by"
	afterLogin  = "handed over after a login, not by a mail server"
	fromMailbox = "fetched from a mailbox outside of the trusted hops"
	notSMTP     = "not received by SMTP"
)

// Trusts reports whether peer is a trusted relay, so that Find has to be asked
// once the header is there.
func (o *Options) Trusts(peer netip.Addr) bool { return o.relay(peer.Unmap().WithZone("")) != nil }

func (o *Options) relay(peer netip.Addr) *Relay {
	if o == nil {
		return nil
	}
	for i := range o.Relays {
		if within(o.Relays[i].Peers, peer) {
			return &o.Relays[i]
		}
	}
	return nil
}

// Find returns client with what hops, the Received fields (Chain), tell about its
// path: Relay, Hops, and Original with OriginalHELO, RelayProblem, or Began. None
// of them is set when all hops were trusted ones and the last has no address of
// its own: the message began inside. A client that is no trusted relay comes
// back as it was.
func (o *Options) Find(client evidence.Client, hops []evidence.Hop) evidence.Client {
	r := o.relay(client.Peer.Unmap().WithZone(""))
	if r == nil {
		return client
	}
	client.Relay, client.Hops = r.ID, 1
	w := walk{relay: r, own: o.Own, client: &client, waiting: true, unproven: r.By.any()}
	client.RelayProblem = w.run(hops)
	if client.RelayProblem == "" && !client.Original.IsValid() {
		client.Began = w.last
	}
	client.Unknown = client.RelayProblem != "" && r.OnParseFailure != OnFailurePeer
	return client
}

// walk is the way from hop to hop.
type walk struct {
	relay  *Relay
	own    []netip.Prefix
	client *evidence.Client
	// waiting for the field that the last trusted hop wrote.
	waiting bool
	// unproven: the writer of the topmost field was not looked at yet.
	unproven bool
	last     netip.Addr // of the last trusted hop; invalid inside a host
}

// run returns the problem that ended the search.
func (w *walk) run(hops []evidence.Hop) string {
	for i := range hops {
		h := &hops[i]
		found, problem := false, h.Problem
		if problem == "" {
			found, problem = w.step(h)
		}
		switch {
		case problem == tooManyHops:
			return problem
		case problem != "":
			return fmt.Sprintf("Received field %d: %s", i+1, problem)
		case found:
			return ""
		}
	}
	if w.waiting {
		return "no Received field of the trusted relay"
	}
	return ""
}

const tooManyHops = "more trusted hops than max_hops"

// step takes one hop. found means that it is the original client.
func (w *walk) step(h *evidence.Hop) (found bool, problem string) {
	if w.waiting, w.last = h.Queued, (netip.Addr{}); h.Queued {
		return false, ""
	}
	if w.unproven && !w.relay.By.has(h.By) {
		return false, notBy
	}
	w.unproven = false
	if !hasFrom(h) {
		// Without "with SMTP" it tells of a submission: "(Postfix, from userid 0)".
		if !w.relay.By.has(h.By) || h.With != smtp.String() && h.With != lmtp.String() {
			return false, noFrom
		}
		return false, ""
	}
	trusted := h.Socket || w.trusts(h.Addr)
	switch {
	case h.With == other.String():
		return false, notSMTP
	case h.With == login.String() && !trusted:
		return false, afterLogin
	case h.With == mailbox.String() && !trusted:
		return false, fromMailbox
	case !trusted:
		w.client.Original, w.client.OriginalHELO = h.Addr, h.From
		return true, ""
	case w.client.Hops >= w.relay.maxHops():
		return false, tooManyHops
	}
	w.client.Hops++
	if !h.Addr.IsLoopback() {
		w.last = h.Addr
	}
	return false, ""
}

func (r *Relay) maxHops() int {
	if r.MaxHops > 0 {
		return r.MaxHops
	}
	return defaultMaxHops
}

func (w *walk) trusts(ip netip.Addr) bool {
	r := w.relay
	return ip.IsLoopback() || within(r.Peers, ip) || within(r.Skip, ip) || within(w.own, ip) ||
		r.PrivateHops && (ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

func within(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
