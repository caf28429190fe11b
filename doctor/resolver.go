package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// resolverChecks are about DNS, on which every verdict rests.
var resolverChecks = []check{
	{id: "resolver-silent", fine: "every resolver answers", applies: withServers, run: silentResolver},
	{id: "resolver-remote", fine: "the resolver is on this host", applies: withServers, run: remoteResolver},
	{id: "resolver-public", fine: "no public resolver is asked", applies: withServers, run: publicResolver},
	{id: "resolver-dnssec", fine: "the resolver validates DNSSEC", applies: withServers, run: validates},
}

func withServers(f *Facts) bool { return len(f.Resolver.Servers) > 0 }

// publicResolvers are open to everybody, by operator.
var publicResolvers = map[string]string{
	"8.8.8.8": "Google", "8.8.4.4": "Google", "2001:4860:4860::8888": "Google", "2001:4860:4860::8844": "Google",
	"1.1.1.1": "Cloudflare", "1.0.0.1": "Cloudflare", "1.1.1.2": "Cloudflare", "1.0.0.2": "Cloudflare", "1.1.1.3": "Cloudflare", "1.0.0.3": "Cloudflare",
	"2606:4700:4700::1111": "Cloudflare", "2606:4700:4700::1001": "Cloudflare",
	"9.9.9.9": "Quad9", "149.112.112.112": "Quad9", "9.9.9.10": "Quad9", "149.112.112.10": "Quad9", "9.9.9.11": "Quad9", "149.112.112.11": "Quad9",
	"2620:fe::fe": "Quad9", "2620:fe::9": "Quad9", "2620:fe::10": "Quad9", "2620:fe::11": "Quad9",
	"208.67.222.222": "OpenDNS", "208.67.220.220": "OpenDNS", "2620:119:35::35": "OpenDNS", "2620:119:53::53": "OpenDNS",
	"94.140.14.14": "AdGuard", "94.140.15.15": "AdGuard", "185.228.168.9": "CleanBrowsing", "185.228.169.9": "CleanBrowsing",
	"64.6.64.6": "Vercara", "64.6.65.6": "Vercara", "4.2.2.1": "Level 3", "4.2.2.2": "Level 3", "4.2.2.3": "Level 3", "4.2.2.4": "Level 3",
	"76.76.2.0": "Control D", "76.76.10.0": "Control D", "84.200.69.80": "DNS.WATCH", "84.200.70.40": "DNS.WATCH",
	"193.110.81.0": "dns0.eu", "185.253.5.0": "dns0.eu", "86.54.11.1": "DNS4EU", "86.54.11.100": "DNS4EU", "185.222.222.222": "DNS.SB",
	"77.88.8.8": "Yandex", "77.88.8.1": "Yandex", "223.5.5.5": "AliDNS", "223.6.6.6": "AliDNS", "114.114.114.114": "114DNS", "119.29.29.29": "DNSPod",
}

func isPublic(a netip.Addr) (operator string, ok bool) {
	operator, ok = publicResolvers[a.Unmap().String()]
	return operator, ok
}

const whyPublic = "it is far away, answers many others from a limited number of addresses, refuses or thins out questions when there are many, and " +
	"what comes back can be changed on the way"

// localResolver is the cure for all that is wrong with another one.
func (f *Facts) localResolver() []string {
	if f.Resolver.From == "dns.servers" {
		return []string{"apt install unbound", f.inFile("dns: {servers: [127.0.0.1]}"), restart}
	}
	return []string{"apt install unbound", f.inFile("dns: {servers: [127.0.0.1]}   # or nameserver 127.0.0.1 in " + f.Resolver.From), restart}
}

func (f *Facts) isLocal(a netip.Addr) bool {
	return a.Unmap().IsLoopback() || slices.Contains(f.Host.Addresses, a.Unmap())
}

// dockerStub is the resolver within docker's own networks.
var dockerStub = netip.MustParseAddr("127.0.0.11")

func silentResolver(f *Facts) (found []Finding) {
	for _, s := range f.Resolver.Servers {
		if s.Asked && !s.Answered {
			found = append(found, Finding{
				Severity: Error, What: fmt.Sprintf("the resolver %s does not answer: %s", s.Addr, s.Problem),
				Why: "each question waits for it; without DNS mail is let in unjudged or put off", Cure: f.localResolver(), Where: f.Resolver.From,
			})
		}
	}
	if n := len(f.Resolver.Servers); len(found) > 0 && len(found) < n {
		for i := range found {
			found[i].Severity = Warning // another one does
		}
	}
	return found
}

func remoteResolver(f *Facts) (found []Finding) {
	for _, s := range f.Resolver.Servers {
		a := s.Addr.Addr()
		if a == dockerStub {
			found = append(found, Finding{
				Severity: Note, What: fmt.Sprintf("the resolver %s is that of docker, which asks the one of the host", a),
				Why: "look there which that is: here it cannot be told", Where: f.Resolver.From,
			})
			continue
		}
		if _, public := isPublic(a); public || f.isLocal(a) {
			continue
		}
		found = append(found, Finding{
			Severity: Warning, What: fmt.Sprintf("the resolver %s is not on this host", a),
			Why:  "whoever can answer in its place on the way decides what passes SPF, DKIM and DMARC, and each question takes the way there and back",
			Cure: f.localResolver(), Where: f.Resolver.From,
		})
	}
	return found
}

// publicResolver looks at the servers, and at where those on this host ask.
func publicResolver(f *Facts) (found []Finding) {
	for _, s := range f.Resolver.Servers {
		if operator, ok := isPublic(s.Addr.Addr()); ok {
			found = append(found, Finding{
				Severity: Warning, What: fmt.Sprintf("the resolver is %s, of %s", s.Addr.Addr(), operator),
				Why: whyPublic, Cure: f.localResolver(), Where: f.Resolver.From,
			})
		}
	}
	if !slices.ContainsFunc(f.Resolver.Servers, func(s Server) bool { return f.isLocal(s.Addr.Addr()) }) {
		return found
	}
	files := map[string][]string{}
	for _, w := range f.Resolver.Forwarders {
		if operator, ok := isPublic(w.Addr); ok {
			files[w.File] = append(files[w.File], fmt.Sprintf("%s of %s", w.Addr, operator))
		}
	}
	for _, file := range sortedKeys(files) {
		found = append(found, Finding{
			Severity: Warning, What: "the resolver of this host forwards to " + strings.Join(files[file], ", "),
			Why: whyPublic, Cure: []string{"take the forwarding out of " + file + ": the resolver then asks the servers of each domain itself"}, Where: file,
		})
	}
	return found
}

func validates(f *Facts) (found []Finding) {
	for _, s := range f.Resolver.Servers {
		switch {
		case !s.Asked:
			found = append(found, Finding{Severity: Note, What: fmt.Sprintf("cannot tell whether %s validates DNSSEC: it was not asked", s.Addr), Where: f.Resolver.From})
		case !s.Answered: // told already
		case s.Problem != "":
			found = append(found, Finding{Severity: Note, What: fmt.Sprintf("cannot tell whether %s validates DNSSEC: %s", s.Addr, s.Problem), Where: f.Resolver.From})
		case !s.AD:
			found = append(found, Finding{
				Severity: Warning, What: fmt.Sprintf("the resolver %s does not validate DNSSEC", s.Addr),
				Why: "forged answers about signed domains, their keys and policies, are taken for true", Cure: f.localResolver(), Where: f.Resolver.From,
			})
		}
	}
	return found
}
