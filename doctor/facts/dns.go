package facts

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"alignd/doctor"
)

// askTime is how long one server is waited for.
const askTime = 3 * time.Second

// resolver finds the servers that alignd asks and how they answer.
func (g *gatherer) resolver() {
	r := &g.facts.Resolver
	texts := g.facts.Alignd.DNSServers
	r.From = "dns.servers"
	if g.DNS != "" {
		texts, r.From = []string{g.DNS}, "--dns"
	} else if len(texts) == 0 {
		r.From = "/etc/resolv.conf"
		texts = nameservers(g.read("/etc/resolv.conf"))
	}
	if len(texts) == 0 {
		texts = []string{"127.0.0.1"} // resolv.conf(5): none named
	}
	for _, text := range texts {
		at, err := serverAddr(text)
		if err != nil {
			g.problem("DNS server %s: %v", text, err)
			continue
		}
		s := doctor.Server{Addr: at}
		if !g.Offline {
			ask(g.ctx, &s)
		}
		r.Servers = append(r.Servers, s)
	}
	r.Forwarders = g.forwarders()
}

func nameservers(text string) (all []string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			all = append(all, f[1])
		}
	}
	return all
}

func serverAddr(text string) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at, nil
	}
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = text, "53"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errors.New("no address")
	}
	addrs, err := net.LookupHost(host)
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}, errors.New("no address")
	}
	a, err := netip.ParseAddr(addrs[0])
	return netip.AddrPortFrom(a, uint16(n)), err
}

// ask wants to know whether a server validates: the root is signed, and one that does says
// so by the AD bit, where it is asked for (RFC 6840 section 5.7).
func ask(ctx context.Context, s *doctor.Server) {
	s.Asked = true
	q := new(dns.Msg)
	q.SetQuestion(".", dns.TypeSOA)
	q.AuthenticatedData = true
	q.SetEdns0(1232, true)
	answer, err := exchange(ctx, q, s.Addr.String())
	switch {
	case err != nil:
		s.Problem = err.Error()
	case answer.Rcode != dns.RcodeSuccess || len(answer.Answer) == 0:
		s.Answered = true
		s.Problem = "it knows no root zone (" + dns.RcodeToString[answer.Rcode] + ")"
	default:
		s.Answered, s.AD = true, answer.AuthenticatedData
	}
}

func exchange(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, _, err := (&dns.Client{Timeout: askTime}).ExchangeContext(ctx, q, server)
	if err == nil && answer.Truncated {
		answer, _, err = (&dns.Client{Net: "tcp", Timeout: askTime}).ExchangeContext(ctx, q, server)
	}
	return answer, err
}

// mx asks for the mail hosts of each instance's mydomain.
func (g *gatherer) mx() {
	servers := g.facts.Resolver.Servers
	if g.Offline || len(servers) == 0 {
		return
	}
	i := max(0, slices.IndexFunc(servers, func(s doctor.Server) bool { return s.Answered }))
	server := servers[i].Addr.String()
	var seen []string
	for _, in := range g.facts.Postfix {
		name := strings.ToLower(in.Param["mydomain"])
		if name == "" || slices.Contains(seen, name) || !strings.Contains(name, ".") || name == "localdomain" {
			continue
		}
		seen = append(seen, name)
		g.facts.MX = append(g.facts.MX, g.mailHosts(name, server))
	}
}

func (g *gatherer) mailHosts(name, server string) doctor.MX {
	mx := doctor.MX{Domain: name}
	answer, err := g.lookup(name, dns.TypeMX, server)
	if err != nil {
		mx.Problem = err.Error()
		return mx
	}
	for _, rr := range answer {
		r, ok := rr.(*dns.MX)
		if !ok || r.Mx == "." {
			continue
		}
		h := doctor.MXHost{Name: strings.ToLower(strings.TrimSuffix(r.Mx, "."))}
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
			found, _ := g.lookup(h.Name, kind, server)
			for _, rr := range found {
				if a, ok := addressOf(rr); ok {
					h.Addresses = append(h.Addresses, a)
				}
			}
		}
		mx.Hosts = append(mx.Hosts, h)
	}
	slices.SortFunc(mx.Hosts, func(a, b doctor.MXHost) int { return cmp.Compare(a.Name, b.Name) })
	return mx
}

func (g *gatherer) lookup(name string, kind uint16, server string) ([]dns.RR, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	answer, err := exchange(g.ctx, q, server)
	switch {
	case err != nil:
		return nil, err
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, errors.New(dns.RcodeToString[answer.Rcode])
	}
	return answer.Answer, nil
}

func addressOf(rr dns.RR) (netip.Addr, bool) {
	var a netip.Addr
	var ok bool
	switch r := rr.(type) {
	case *dns.A:
		a, ok = netip.AddrFromSlice(r.A)
	case *dns.AAAA:
		a, ok = netip.AddrFromSlice(r.AAAA)
	}
	return a.Unmap(), ok
}

// forwarders reads where the usual resolvers of a host ask in turn.
func (g *gatherer) forwarders() (all []doctor.Forwarder) {
	for _, c := range []struct {
		globs []string
		read  func(string) []string
	}{
		{[]string{"/run/systemd/resolve/resolv.conf"}, nameservers},
		{[]string{"/etc/unbound/unbound.conf", "/etc/unbound/unbound.conf.d/*.conf", "/etc/unbound/*.conf.d/*.conf"}, after("forward-addr:", "forward-host:")},
		{[]string{"/etc/bind/named.conf*", "/etc/named.conf", "/etc/named/*.conf"}, bindForwarders},
		{[]string{"/etc/dnsmasq.conf", "/etc/dnsmasq.d/*", "/etc/NetworkManager/dnsmasq.d/*"}, dnsmasqServers},
		{[]string{"/etc/powerdns/recursor.conf", "/etc/powerdns/recursor.d/*", "/etc/pdns-recursor/recursor.conf"}, after("forward-zones=", "forward-zones-recurse=", "forward-zones", "forward-zones-recurse", "recursor=")},
		{[]string{"/etc/knot-resolver/kresd.conf", "/etc/stubby/stubby.yml"}, anyAddress},
	} {
		for _, file := range g.glob(c.globs) {
			for _, text := range c.read(g.read(file)) {
				// unbound: ADDRESS@PORT#NAME, dnsmasq: ADDRESS#PORT
				text, _, _ = strings.Cut(text, "@")
				text, _, _ = strings.Cut(text, "#")
				if a, err := netip.ParseAddr(strings.Trim(text, `"'[];,{}`)); err == nil && !slices.Contains(all, doctor.Forwarder{File: file, Addr: a}) {
					all = append(all, doctor.Forwarder{File: file, Addr: a})
				}
			}
		}
	}
	return all
}

// glob are the files of the system that patterns name, each once.
func (g *gatherer) glob(patterns []string) (files []string) {
	for _, p := range patterns {
		found, _ := filepath.Glob(g.Root + p)
		for _, name := range found {
			name = strings.TrimPrefix(name, g.Root)
			if info, err := os.Stat(g.Root + name); err == nil && info.Mode().IsRegular() && info.Size() < 1<<20 && !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	return files
}

// after finds the words on lines that begin with one of the keys.
func after(keys ...string) func(string) []string {
	return func(text string) (all []string) {
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
			for _, k := range keys {
				if rest, ok := strings.CutPrefix(line, k); ok {
					all = append(all, words(rest)...)
				}
			}
		}
		return all
	}
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n;,={}\"'", r) })
}

// bindForwarders finds the addresses in forwarders { ... };
func bindForwarders(text string) (all []string) {
	var plain strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			plain.WriteString(line)
		}
	}
	rest := plain.String()
	for {
		_, after, ok := strings.Cut(rest, "forwarders")
		if !ok {
			return all
		}
		inner, more, _ := strings.Cut(after, "}")
		all = append(all, words(inner)...)
		rest = more
	}
}

// dnsmasqServers: server=ADDRESS, server=/DOMAIN/ADDRESS.
func dnsmasqServers(text string) (all []string) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "server="); ok && !strings.HasPrefix(rest, "/") {
			all = append(all, rest)
		}
	}
	return all
}

// anyAddress takes each address of a file for a forwarder.
func anyAddress(text string) (all []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "--") {
			continue
		}
		all = append(all, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t{}()\"',=", r) })...)
	}
	return all
}
