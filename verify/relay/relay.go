// Package relay finds the original client of a message that came through
// trusted relays: a gateway, a filter, a cloud service in front of this host
// (what Microsoft calls enhanced filtering, or skip listing).
//
// It reads the Received fields (RFC 5321 section 4.4) from the topmost down. The
// topmost one is believed because the connected peer, a configured relay, wrote
// it; the next one only if the address in the first is a trusted hop again, and
// so on. The first address that is not trusted is the original client; what
// stands below was written by who knows whom and is not looked at. A relay
// that is listed must therefore put a Received field on top of each message.
//
// A field that cannot be read with certainty ends the search, and RelayProblem
// says why; it is never guessed. That includes fields without a "from" clause:
// a message that was submitted on the relay itself may bring any fields along.
package relay

import (
	"fmt"
	"net/netip"

	"alignd/evidence"
	"alignd/header"
)

// DefaultMaxHops is how many trusted hops are passed over, the peer included.
// The number is ours: longer paths inside one's own network are a loop.
const DefaultMaxHops = 10

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
}

// Relay is one trusted relay.
type Relay struct {
	ID string
	// Peers are the addresses that connect to us.
	Peers []netip.Prefix
	// Skip are further trusted hops behind them, passed over like Peers.
	Skip []netip.Prefix
	// PrivateHops passes private, loopback and link-local addresses over, too.
	PrivateHops bool
	// MaxHops limits the trusted hops, the peer included; 0 is DefaultMaxHops.
	MaxHops        int
	OnParseFailure string
}

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

// Find returns client with what fields, the header as received, tell about its
// path: Relay, Hops, and Original with OriginalHELO or RelayProblem. Neither is
// set when every hop was a trusted one: the message began inside. A client that
// is no trusted relay comes back as it was.
func (o *Options) Find(client evidence.Client, fields *header.Fields) evidence.Client {
	r := o.relay(client.Peer.Unmap().WithZone(""))
	if r == nil {
		return client
	}
	client.Relay, client.Hops = r.ID, 1
	problem := r.walk(&client, fields)
	client.RelayProblem = problem
	client.Unknown = problem != "" && r.OnParseFailure != OnFailurePeer
	return client
}

// walk goes from hop to hop and returns the problem that ended it.
func (r *Relay) walk(client *evidence.Client, fields *header.Fields) (problem string) {
	waiting := true // for the field that the last trusted hop wrote
	for i, at := range fields.Named("Received") {
		h, problem := parseReceived(fields.At(at).Value())
		if problem != "" {
			return fmt.Sprintf("Received field %d: %s", i+1, problem)
		}
		if waiting = h.queued; waiting {
			continue
		}
		if !r.trusts(h.ip) {
			client.Original, client.OriginalHELO = h.ip, h.helo
			return ""
		}
		if client.Hops >= r.maxHops() {
			return "more trusted hops than max_hops"
		}
		client.Hops++
	}
	if waiting {
		return "no Received field of the trusted relay"
	}
	return ""
}

func (r *Relay) maxHops() int {
	if r.MaxHops > 0 {
		return r.MaxHops
	}
	return DefaultMaxHops
}

func (r *Relay) trusts(ip netip.Addr) bool {
	return within(r.Peers, ip) || within(r.Skip, ip) ||
		r.PrivateHops && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

func within(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
