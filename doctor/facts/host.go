package facts

import (
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"strings"

	"alignd/doctor"
)

// host is about the machine: names, addresses, routers, whether it is a container.
func (g *gatherer) host() {
	h := &g.facts.Host
	h.Name, _ = os.Hostname()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		g.problem("addresses of this host: %v", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			h.Addresses = append(h.Addresses, p.Addr().Unmap())
		}
	}
	h.Gateways = append(gateways4(g.read("/proc/net/route")), gateways6(g.read("/proc/net/ipv6_route"))...)
	h.Container = g.exists("/.dockerenv") || g.exists("/run/.containerenv") ||
		strings.Contains("\x00"+g.read("/run/systemd/container"), "docker") || g.exists("/run/secrets/kubernetes.io")
}

// gateways4 are the routers of default routes in /proc/net/route: interface,
// destination and gateway in hexadecimal of the host's byte order, here little endian.
func gateways4(text string) (all []netip.Addr) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil || len(b) != 4 {
			continue
		}
		a := netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]})
		if !a.IsUnspecified() {
			all = append(all, a)
		}
	}
	return all
}

// gateways6 does so for /proc/net/ipv6_route: destination, its length, source, its
// length, next hop.
func gateways6(text string) (all []netip.Addr) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 || f[1] != "00" || strings.Trim(f[0], "0") != "" {
			continue
		}
		b, err := hex.DecodeString(f[4])
		if err != nil || len(b) != 16 {
			continue
		}
		if a := netip.AddrFrom16([16]byte(b)); !a.IsUnspecified() && !a.IsLinkLocalUnicast() {
			all = append(all, a)
		}
	}
	return all
}

// clock asks the kernel, and where that tells nothing, systemd.
func (g *gatherer) clock() {
	if g.Root == "" {
		if g.facts.Clock = kernelClock(); g.facts.Clock.Known {
			return
		}
	}
	out, _, err := g.Run(g.ctx, nil, "timedatectl", "show", "-p", "NTPSynchronized", "--value")
	switch strings.TrimSpace(out) {
	case "yes", "no":
		if err == nil {
			g.facts.Clock = doctor.Clock{Known: true, Synchronised: strings.TrimSpace(out) == "yes", Source: "timedatectl"}
		}
	}
}

// openDKIM reads the options of opendkim: name, white space, value.
func (g *gatherer) openDKIM() {
	text := ""
	for _, name := range []string{"/etc/opendkim.conf", "/etc/opendkim/opendkim.conf", "/etc/mail/opendkim.conf"} {
		if text = g.read(name); text != "" {
			break
		}
	}
	if text == "" {
		return
	}
	g.facts.OpenDKIM = map[string]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 1 {
			g.facts.OpenDKIM[strings.ToLower(words[0])] = words[1]
		}
	}
}
