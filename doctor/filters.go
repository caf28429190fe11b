package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// filterChecks are about content filters, before and behind the queue.
var filterChecks = []check{
	{id: "proxy-filter", fine: "no smtpd_proxy_filter hides mail from alignd", applies: withPostfix, run: each(proxyFilter)},
	{id: "content-filter-loop", fine: "no content_filter hands mail to itself", applies: withPostfix, run: each(filterLoop)},
}

// proxyFilter: Postfix gives milters no header and no body of mail that goes
// through a proxy (MILTER_README, limitations), so alignd belongs on the port where the
// proxy hands mail back, with loopback as a trusted relay.
func proxyFilter(f *Facts, in *Instance) (found []Finding) {
	for _, s := range in.smtpds() {
		proxy := s.get("smtpd_proxy_filter")
		if proxy == "" || s.submission() || s.loopback() {
			continue
		}
		back := in.judgedInner(f)
		finding := Finding{Severity: Error, Where: s.where("smtpd_proxy_filter")}
		switch {
		case len(s.alignd(f)) > 0:
			finding.What = fmt.Sprintf("%s has smtpd_proxy_filter (%s), and alignd as a milter beside it", s.Name, proxy)
			finding.Why = "Postfix gives a milter no header and no body of such mail: no message is judged, and the log has no line of it"
			finding.Cure = s.behindProxy(f, back)
		case len(back) == 0:
			finding.What = fmt.Sprintf("mail through the proxy of %s (%s) is handed to alignd nowhere", s.Name, proxy)
			finding.Why = "it is delivered unjudged; alignd belongs on the port where the proxy hands mail back"
			finding.Cure = s.behindProxy(f, back)
		case !f.relayed() && f.Alignd.Loopback:
			finding.What = fmt.Sprintf("mail that the proxy of %s hands back by %s is not judged: it comes from loopback", s.Name, back[0].Name)
			finding.Why = "alignd must know that the client is in the Received field which Postfix writes before the proxy"
			finding.Cure = []string{beforeQueue, reload}
			finding.Where = f.Alignd.File
		default:
			continue
		}
		found = append(found, finding)
	}
	return found
}

const beforeQueue = `trusted_relays: [{id: before-queue, peers: [127.0.0.1, "::1"], reject: reject}]`

// behindProxy moves alignd to the port where the proxy hands mail back.
func (s smtpd) behindProxy(f *Facts, back []smtpd) (cure []string) {
	if at := s.alignd(f); len(at) > 0 {
		var keep []Milter
		for i, m := range s.milters() {
			if !slices.Contains(at, i) {
				keep = append(keep, m)
			}
		}
		cure = append(cure, s.in.postconfP(s.Service, "smtpd_milters="+texts(keep)))
	}
	if len(back) == 0 {
		if inner := s.in.inner(); len(inner) > 0 {
			cure = append(cure, s.in.postconfP(inner[0].Service, "smtpd_milters="+f.place(s.in, inner[0].Chroot)))
		} else {
			cure = append(cure, "at the port where the proxy hands mail back: -o smtpd_milters="+f.place(s.in, false))
		}
	}
	cure = append(cure, s.in.reload())
	if !f.relayed() {
		cure = append(cure, f.inFile(beforeQueue), reload)
	}
	return cure
}

// judgedInner are the loopback ports with alignd.
func (in *Instance) judgedInner(f *Facts) []smtpd {
	return slices.DeleteFunc(in.inner(), func(s smtpd) bool { return len(s.alignd(f)) == 0 })
}

// filterLoop: what a filter hands back must not go to the filter again.
func filterLoop(_ *Facts, in *Instance) (found []Finding) {
	filters := map[string]bool{}
	for _, s := range in.smtpds() {
		if !s.loopback() {
			filters[s.get("content_filter")] = true
		}
	}
	filters[in.Param["content_filter"]] = true
	delete(filters, "")
	for _, s := range in.inner() {
		filter := s.get("content_filter")
		if !filters[filter] || s.filteredBy(filter) {
			continue
		}
		found = append(found, Finding{
			Severity: Error, What: fmt.Sprintf("what comes back by %s goes to content_filter %s again", s.Name, filter),
			Why:  "the message goes round until Postfix finds too many hops and bounces it",
			Cure: s.setHere("content_filter", ""), Where: s.label(),
		})
	}
	return append(found, in.pickupLoop()...)
}

// filteredBy reports whether the service is where the mail for the filter would have to
// go in, so that it is the filter itself: a filter on this host's own smtpd.
func (s smtpd) filteredBy(filter string) bool {
	_, next, _ := strings.Cut(filter, ":")
	return strings.TrimPrefix(strings.Trim(next, "[]"), "inet:") == s.Name
}

// pickupLoop: a filter that is a program mostly hands back with sendmail(1), and so
// through pickup.
func (in *Instance) pickupLoop() []Finding {
	for i := range in.Services {
		s := &in.Services[i]
		if s.Command != "pickup" {
			continue
		}
		filter := smtpd{s, in}.get("content_filter")
		transport, _, _ := strings.Cut(filter, ":")
		loops := slices.ContainsFunc(in.Services, func(p Service) bool {
			return p.Name == transport && p.Command == "pipe" && (strings.Contains(p.Args, "sendmail") || strings.Contains(p.Args, "spamc"))
		})
		if !loops {
			continue
		}
		return []Finding{{
			Severity: Error, What: fmt.Sprintf("content_filter %s also holds for pickup, where the filter hands mail back with sendmail", filter),
			Why:  "the message goes round until Postfix finds too many hops and bounces it",
			Cure: []string{in.postconf("content_filter ="), in.postconfP(&Service{Name: "smtp", Type: "inet"}, "content_filter="+filter), in.reload()}, Where: in.main(),
		}}
	}
	return nil
}

// smtpdChecks are about what smtpd itself lets in.
var smtpdChecks = []check{
	{id: "bare-newline", fine: "a bare line feed ends no message", applies: withPostfix, run: each(bareNewline)},
	{id: "xclient", fine: "no stranger may use XCLIENT", applies: withPostfix, run: each(xclient)},
	{id: "proxy-protocol", fine: "the PROXY protocol is wanted only where it is spoken", applies: withPostfix, run: each(proxyProtocol)},
}

// bareNewline: SMTP smuggling (CVE-2023-51764). What is passed on as one message may end
// early here, and what follows be a second one with the SPF of who sent it.
func bareNewline(_ *Facts, in *Instance) (found []Finding) {
	const why = "a line feed alone ends a line, so what another server sends as one message may be two here, the second with a From of the sender's choice " +
		"and the SPF of that server (SMTP smuggling, CVE-2023-51764)"
	if _, known := in.Param["smtpd_forbid_bare_newline"]; !known {
		if len(in.public()) == 0 {
			return nil
		}
		return []Finding{{
			Severity: Warning, What: fmt.Sprintf("this Postfix (%s) does not know smtpd_forbid_bare_newline", in.Param["mail_version"]),
			Why: why + ". The parameter came with 3.5.23, 3.6.13, 3.7.9, 3.8.4 and 3.9; until there is an update, this stops most of it",
			Cure: []string{
				in.postconf("smtpd_data_restrictions = reject_unauth_pipelining"),
				in.postconf("smtpd_discard_ehlo_keywords = chunking, silent-discard"), in.reload(),
			},
			Where: in.main(),
		}}
	}
	for _, s := range in.public() {
		switch s.get("smtpd_forbid_bare_newline") {
		case "yes", "normalize", "reject":
		case "note":
			found = append(found, s.newline("smtpd_forbid_bare_newline only notes", why))
		default:
			found = append(found, s.newline("smtpd_forbid_bare_newline is no", why))
		}
	}
	return once(found)
}

func (s smtpd) newline(what, why string) Finding {
	return Finding{
		Severity: Warning, What: what, Why: why,
		Cure: s.set("smtpd_forbid_bare_newline", "yes"), Where: s.where("smtpd_forbid_bare_newline"),
	}
}

// xclient: who may use XCLIENT chooses the address that SPF is asked for, and whether
// somebody has logged in.
func xclient(_ *Facts, in *Instance) (found []Finding) {
	for _, s := range in.public() {
		for _, h := range splitList(s.get("smtpd_authorized_xclient_hosts")) {
			p, err := netip.ParsePrefix(h)
			if h != "static:all" && h != "static:{all}" && (err != nil || p.Bits() > widest(p)) {
				continue
			}
			found = append(found, Finding{
				Severity: Error, What: "smtpd_authorized_xclient_hosts has " + h,
				Why:  "everybody may then say which address and login he has, and alignd believes Postfix",
				Cure: s.set("smtpd_authorized_xclient_hosts", ""), Where: s.where("smtpd_authorized_xclient_hosts"),
			})
		}
	}
	return once(found)
}

// widest is the prefix length up to which a network is everybody.
func widest(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 7
	}
	return 15
}

// proxyProtocol: a service that wants the PROXY header gives up a client without one,
// such as a filter on this host.
func proxyProtocol(_ *Facts, in *Instance) (found []Finding) {
	if in.Param["smtpd_upstream_proxy_protocol"] == "" {
		return nil
	}
	for _, s := range in.inner() {
		if s.get("smtpd_upstream_proxy_protocol") != "" {
			found = append(found, Finding{
				Severity: Warning, What: s.Name + " wants the PROXY protocol, as main.cf asks all ports for it",
				Why:  "a filter that hands mail back speaks none, and its connections are given up",
				Cure: s.setHere("smtpd_upstream_proxy_protocol", ""), Where: s.label(),
			})
		}
	}
	return found
}
