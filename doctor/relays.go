package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// relayChecks are about clients that hide who is behind them.
var relayChecks = []check{
	{id: "nat-relay", fine: "no NAT or balancer is listed as a relay or an own network", applies: always, run: natRelay},
	{id: "private-relay", fine: "every private relay says who writes its Received field", applies: always, run: privateRelay},
	{id: "mynetworks", fine: "mynetworks does not have what all clients come from", applies: withPostfix, run: each(myNetworks)},
}

// bridges are the addresses that hosts have in the networks which docker, podman and the
// like make by themselves. Who comes through a published port comes from there.
var bridges = func() (all []netip.Addr) {
	for _, a := range []string{
		"172.17.0.1", "172.18.0.1", "172.19.0.1", "172.20.0.1", "172.21.0.1", "172.22.0.1", "172.23.0.1", "172.24.0.1",
		"172.25.0.1", "172.26.0.1", "172.27.0.1", "172.28.0.1", "172.29.0.1", "172.30.0.1", "172.31.0.1", // docker
		"10.88.0.1", "10.89.0.1", // podman
		"10.0.2.2", "10.0.2.100", // slirp4netns, rootless
		"10.0.3.1",                // lxc
		"10.42.0.1", "10.244.0.1", // k3s, flannel
		"192.168.65.1",  // Docker Desktop
		"192.168.122.1", // libvirt
	} {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}()

// narrowest is where a network is about some hosts rather than all private ones: an
// own network of 10.0.0.0/8 says nothing of containers.
const narrowest = 12

// listed are the networks that alignd takes on trust.
type listed struct {
	what   string // "trusted_relays gateway"
	peers  []netip.Prefix
	hasBy  bool
	relays bool
}

func (f *Facts) listed() []listed {
	all := []listed{{what: "not_judged.networks", peers: f.Alignd.Networks}}
	for _, r := range f.Alignd.Relays {
		all = append(all, listed{what: "trusted_relays " + r.ID, peers: r.Peers, hasBy: r.HasBy, relays: true})
	}
	return all
}

// natRelay: a box that only passes TCP on writes no Received field, so the topmost one is the
// sender's, who thereby chooses the address that SPF is asked for. In not_judged.networks
// it would leave everybody unjudged.
func natRelay(f *Facts) (found []Finding) {
	for _, l := range f.listed() {
		if l.hasBy {
			continue // a field that the sender wrote has another name in it
		}
		for _, p := range l.peers {
			if finding, bad := f.nat(l, p); bad {
				found = append(found, finding)
			}
		}
	}
	return found
}

func (f *Facts) nat(l listed, p netip.Prefix) (Finding, bool) {
	finding := Finding{
		Why:   "NAT and a TCP balancer write no Received field: the topmost one is the sender's, who chooses with it which address SPF is asked for",
		Cure:  f.trueClient(l),
		Where: f.Alignd.File,
	}
	if !l.relays {
		finding.Why = "NAT and a TCP balancer show one address for all clients, and no mail of that one is judged"
	}
	gateway := slices.IndexFunc(f.Host.Gateways, func(a netip.Addr) bool { return p.Contains(a.Unmap()) })
	bridge := slices.IndexFunc(bridges, p.Contains)
	switch {
	case gateway >= 0 && f.Host.Container:
		finding.Severity = Error
		finding.What = fmt.Sprintf("%s has %s: this is a container, and clients that come through its NAT come from its gateway %s", l.what, p, f.Host.Gateways[gateway])
	case bridge >= 0 && p.Bits() >= narrowest && l.relays:
		finding.Severity = Error
		finding.What = fmt.Sprintf("%s has %s, which looks like the NAT of containers (%s)", l.what, p, bridges[bridge])
	case bridge >= 0 && p.Bits() >= narrowest:
		finding.Severity = Warning
		finding.What = fmt.Sprintf("%s has %s, which looks like the NAT of containers (%s)", l.what, p, bridges[bridge])
		if slices.ContainsFunc(f.Host.Addresses, p.Contains) {
			finding.Severity = Note // this host's own bridge: its containers come with their own addresses
			finding.Why = "containers on this host are not judged. Where the MTA runs in one of them, that is everybody"
		}
	case gateway >= 0 && l.relays:
		finding.Severity = Warning
		finding.What = fmt.Sprintf("%s has %s, and with it the router %s", l.what, p, f.Host.Gateways[gateway])
	case gateway >= 0:
		finding.Severity = Note
		finding.What = fmt.Sprintf("%s has %s, and with it the router %s", l.what, p, f.Host.Gateways[gateway])
		finding.Why = "if it rewrites the addresses of clients (source NAT), no mail from outside is judged: see whether client_ip in the log is ever that one"
	default:
		return finding, false
	}
	return finding, true
}

// trueClient is how Postfix learns the client from a balancer.
func (f *Facts) trueClient(l listed) []string {
	cure := []string{"take it out of " + l.what, reload}
	for i := range f.Postfix {
		in := &f.Postfix[i]
		for _, s := range in.public() {
			if s.get("smtpd_upstream_proxy_protocol") == "" && s.Type == "inet" {
				cure = append(cure, in.postconfP(s.Service, "smtpd_upstream_proxy_protocol=haproxy")+"   # where the balancer speaks the PROXY protocol (send-proxy)", in.reload())
				return cure
			}
		}
	}
	return cure
}

// privateRelay: a private address is mostly a gateway of the site, and sometimes a
// balancer. by tells them apart.
func privateRelay(f *Facts) (found []Finding) {
	for _, l := range f.listed() {
		if !l.relays || l.hasBy {
			continue
		}
		for _, p := range l.peers {
			if _, bad := f.nat(l, p); bad || !p.Addr().Unmap().IsPrivate() {
				continue
			}
			finding := Finding{
				Severity: Note, What: fmt.Sprintf("%s has the private address %s and no by", l.what, p),
				Why: "if it is a balancer or NAT, it writes no Received field, and senders choose the address that SPF is asked for; " +
					"by names the host that must have written the topmost field",
				Cure: []string{"by: [NAME-OF-THE-GATEWAY]", reload}, Where: f.Alignd.File,
			}
			if f.proxied() {
				finding.Severity, finding.Cure = Warning, []string{"take it out of " + l.what, reload}
				finding.Why = "Postfix learns the true client from the balancer (smtpd_upstream_proxy_protocol), so nothing comes from that address " +
					"but what the balancer itself sends; " + finding.Why
			}
			found = append(found, finding)
		}
	}
	return found
}

func (f *Facts) proxied() bool {
	return slices.ContainsFunc(f.Postfix, func(in Instance) bool {
		return in.Param["postscreen_upstream_proxy_protocol"] != "" ||
			slices.ContainsFunc(in.smtpds(), func(s smtpd) bool { return s.get("smtpd_upstream_proxy_protocol") != "" })
	})
}

// myNetworks: in a container that all clients reach through NAT, mynetworks with the gateway
// is an open relay.
func myNetworks(f *Facts, in *Instance) (found []Finding) {
	if !f.Host.Container || f.proxied() {
		return nil
	}
	for _, text := range splitList(in.Param["mynetworks"]) {
		p, err := netip.ParsePrefix(strings.NewReplacer("[", "", "]", "").Replace(text))
		if err != nil {
			if a, err2 := netip.ParseAddr(strings.Trim(text, "[]")); err2 == nil {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
		}
		if err != nil {
			continue
		}
		for _, g := range f.Host.Gateways {
			if p.Contains(g.Unmap()) {
				found = append(found, Finding{
					Severity: Warning, What: fmt.Sprintf("mynetworks has %s, and with it the gateway %s of this container", text, g),
					Why:  "where clients come through the container's NAT, everybody is one of mynetworks: an open relay, and SPF is asked for the gateway",
					Cure: []string{in.postconf("mynetworks = 127.0.0.0/8 [::1]/128"), in.reload()}, Where: in.main(),
				})
			}
		}
	}
	return found
}
