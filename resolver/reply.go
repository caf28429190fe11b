package resolver

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxChain is how many CNAME records one question may lead through; beyond it
// the name is taken for a loop, which is a temporary error. The number is
// ours; RFC 1034 section 3.6.2 asks for some limit.
const maxChain = 16

// bareNegativeTTL is how long a negative answer without SOA record is kept.
// RFC 2308 section 5 advises against keeping those, because two caching
// servers that ask each other could pass them round for ever. alignd answers
// nobody, and the stub resolvers of common systems send no SOA at all.
const bareNegativeTTL = 30 * time.Second

// malformed is the reason for the temporary error of an answer that cannot be
// trusted as a whole.
type malformed string

func (m malformed) Error() string { return "malformed answer: " + string(m) }

// reply is what one message, or the zone, says about one name.
type reply struct {
	rcode   int
	records []dns.RR // the RRset asked, at the end of the CNAME chain
	target  string   // end of the chain; presentation form
	steps   int      // CNAMEs followed
	through []string // their targets, as text where they can be
	ttl     time.Duration
	// open: the chain ends at target without saying what is there.
	open bool
}

// readReply follows name through the answer section of m. Records that name
// does not lead to are not looked at.
func readReply(m *dns.Msg, name string, qtype uint16) (reply, error) {
	rep := reply{rcode: m.Rcode, target: name, ttl: maxDuration}
	for {
		cname := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, rep.target) {
				continue
			}
			switch h.Rrtype {
			case qtype:
				rep.records = append(rep.records, rr)
				rep.ttl = min(rep.ttl, seconds(h.Ttl))
			case dns.TypeCNAME:
				to, ok := cnameTarget(rr)
				if !ok || cname != "" && cname != to {
					return rep, malformed("CNAME at " + rep.target)
				}
				cname = to
				rep.ttl = min(rep.ttl, seconds(h.Ttl))
			}
		}
		if len(rep.records) > 0 || cname == "" {
			break
		}
		if rep.steps++; rep.steps > maxChain {
			return rep, malformed("CNAME loop")
		}
		rep.follow(cname)
	}
	if len(rep.records) > 0 {
		if rep.rcode == dns.RcodeNameError {
			return rep, malformed("NXDOMAIN with records of the name")
		}
		return rep, nil
	}
	negative, hasSOA := negativeTTL(m, rep.target)
	rep.ttl = min(rep.ttl, negative)
	rep.open = rep.steps > 0 && rep.rcode == dns.RcodeSuccess && !hasSOA
	return rep, nil
}

// follow goes on at an alias's target.
func (rep *reply) follow(target string) {
	rep.target = target
	if name, ok := text(target); ok {
		rep.through = append(rep.through, name)
	}
}

func cnameTarget(rr dns.RR) (string, bool) {
	c, ok := rr.(*dns.CNAME)
	if !ok || c.Target == "" {
		return "", false
	}
	return lower(c.Target), true
}

// negativeTTL is the lesser of TTL and MINIMUM of the SOA record that covers
// name (RFC 2308 section 5).
func negativeTTL(m *dns.Msg, name string) (ttl time.Duration, hasSOA bool) {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && soa.Mbox != "" && dns.IsSubDomain(soa.Hdr.Name, name) {
			return min(seconds(soa.Hdr.Ttl), seconds(soa.Minttl)), true
		}
	}
	return bareNegativeTTL, false
}

const maxDuration = 1<<63 - 1

// seconds turns a TTL into a duration; one with the top bit set is 0
// (RFC 2181 section 8).
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// fill puts records into a, all or none: a set with one record that cannot be
// read is an error, because what it would have said is not known.
func (a *Answer) fill(records []dns.RR) error {
	for _, rr := range records {
		if !a.add(rr) {
			return malformed(fmt.Sprintf("%s record", dns.TypeToString[a.Type]))
		}
	}
	slices.SortStableFunc(a.MX, func(x, y MX) int {
		return cmp.Or(cmp.Compare(x.Preference, y.Preference), cmp.Compare(x.Host, y.Host))
	})
	return nil
}

// add is fill for one record. A record without rdata, which miekg/dns lets
// pass for dynamic updates, is malformed in an answer.
func (a *Answer) add(rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.TXT:
		if len(rr.Txt) == 0 {
			return false
		}
		a.TXT = append(a.TXT, joinTXT(rr.Txt))
	case *dns.A:
		ip, ok := netip.AddrFromSlice(rr.A.To4())
		if !ok {
			return false
		}
		a.Addrs = append(a.Addrs, ip)
	case *dns.AAAA:
		ip, ok := netip.AddrFromSlice(rr.AAAA)
		if !ok || !ip.Is6() {
			return false
		}
		a.Addrs = append(a.Addrs, ip)
	case *dns.MX:
		host, ok := text(rr.Mx)
		if !ok || rr.Mx == "" {
			return false
		}
		a.MX = append(a.MX, MX{Preference: rr.Preference, Host: host})
	case *dns.PTR:
		host, ok := text(rr.Ptr)
		if !ok || host == "" {
			return false
		}
		a.PTR = append(a.PTR, host)
	default:
		return false
	}
	return true
}

// supported reports whether an Answer can hold records of qtype.
func supported(qtype uint16) bool {
	switch qtype {
	case dns.TypeTXT, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypePTR:
		return true
	}
	return false
}
