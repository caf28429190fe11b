package resolver

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Zone answers from a zone file instead of DNS, for alignd check and for
// tests. It holds the names of any number of domains; everything it does not
// hold does not exist. It never changes and is safe for concurrent use.
type Zone struct {
	nodes map[string]*node // by presentation name, with the empty non-terminals
	// redirects: there is a DNAME record.
	redirects bool
	// answers keeps those that were given for names of the file, so that Memo
	// works as with a Resolver. The file bounds it.
	answers sync.Map // key -> *Answer
}

// node is one name.
type node struct {
	records map[uint16][]dns.RR
	fail    map[uint16]failure // by type; dns.TypeANY is every type
}

// failure is a pseudo-type of the zone file.
type failure string

const (
	fails failure = "SERVFAIL"
	stays failure = "TIMEOUT"
)

// minimum is the TTL of negative answers where the file has no SOA record.
const minimum = 60

// Known implements Knower.
func (z *Zone) Known(name string, qtype uint16) (*Answer, bool) {
	a, err := z.Lookup(context.Background(), name, qtype)
	return a, err == nil
}

// Lookup implements Lookuper. TIMEOUT fails at once, without waiting.
func (z *Zone) Lookup(_ context.Context, name string, qtype uint16) (*Answer, error) {
	name, why := canonical(name)
	k := key{name, qtype}
	switch {
	case why != "":
		return nil, &Error{Name: name, Type: qtype, Err: ErrName, Why: why}
	case !supported(qtype):
		return nil, temporary(k, "record type is not supported")
	}
	if a, ok := z.answers.Load(k); ok {
		return a.(*Answer), nil
	}
	rep, chain, fail := z.find(presentation(name), qtype)
	switch {
	case fail == stays:
		return nil, temporary(k, "timeout")
	case fail != "":
		e := temporary(k, string(fail))
		e.RCode = dns.RcodeToString[dns.RcodeServerFailure]
		return nil, e
	}
	a := &Answer{
		Name: name, Type: qtype, RCode: rep.rcode,
		NameExists: rep.rcode == dns.RcodeSuccess || rep.steps > 0,
		CNAMEs:     rep.through, TTL: leastTTL(chain, rep.records),
	}
	if err := a.fill(rep.records); err != nil {
		return nil, temporary(k, err.Error())
	}
	if !a.Void() && z.nodes[presentation(name)] != nil {
		first, _ := z.answers.LoadOrStore(k, a)
		return first.(*Answer), nil
	}
	return a, nil
}

// leastTTL is 0 for no records.
func leastTTL(sets ...[]dns.RR) time.Duration {
	all := slices.Concat(sets...)
	if len(all) == 0 {
		return 0
	}
	return seconds(slices.MinFunc(all, func(a, b dns.RR) int { return cmp.Compare(a.Header().Ttl, b.Header().Ttl) }).Header().Ttl)
}

// find follows name through the zone. chain are the CNAME records on the way.
// A loop fails as a server would fail it.
func (z *Zone) find(name string, qtype uint16) (rep reply, chain []dns.RR, fail failure) {
	for rep.target = name; ; {
		if d := z.redirect(rep.target); d != nil {
			if chain = append(chain, d); d.Target == "" || len(chain) > maxChain {
				return rep, chain[:len(chain)-1], fails
			}
			rep.steps++
			rep.follow(d.Target)
			continue
		}
		n, source := z.node(rep.target)
		if n == nil {
			rep.rcode = dns.RcodeNameError
			return rep, chain, ""
		}
		if f := n.failure(qtype); f != "" {
			return rep, chain, f
		}
		rep.records = withOwner(n.records[qtype], source, rep.target)
		cname := n.records[dns.TypeCNAME]
		if len(rep.records) > 0 || len(cname) == 0 {
			return rep, chain, ""
		}
		chain = append(chain, withOwner(cname[:1], source, rep.target)...)
		rep.follow(cname[0].(*dns.CNAME).Target)
		if rep.steps++; rep.steps > maxChain {
			return rep, chain, fails
		}
	}
}

// redirect is the CNAME record that the DNAME nearest to the root makes for a
// name below it, whatever else the file has there (RFC 6672 section 2.3); nil
// without one. Its target is empty where it would be too long for a name.
func (z *Zone) redirect(name string) *dns.CNAME {
	var made *dns.CNAME
	if !z.redirects {
		return nil
	}
	for owner := name; owner != "."; {
		owner = parentOf(owner)
		n := z.nodes[owner]
		if n == nil || len(n.records[dns.TypeDNAME]) == 0 {
			continue
		}
		d := n.records[dns.TypeDNAME][0].(*dns.DNAME)
		made = &dns.CNAME{Hdr: d.Hdr}
		made.Hdr.Name, made.Hdr.Rrtype = name, dns.TypeCNAME
		made.Target = strings.TrimSuffix(name, strings.TrimPrefix(owner, ".")) + strings.TrimPrefix(d.Target, ".")
		if _, ok := dns.IsDomainName(made.Target); !ok {
			made.Target = ""
		}
	}
	return made
}

// failure is what a question for qtype meets. A failure of every type leaves
// the types that the file has records of.
func (n *node) failure(qtype uint16) failure {
	f := n.fail[qtype]
	if f == "" && len(n.records[qtype]) == 0 && len(n.records[dns.TypeCNAME]) == 0 {
		f = n.fail[dns.TypeANY]
	}
	return f
}

// node finds the node for name, or the wildcard that stands for it: the one
// right below the longest existing ancestor, and no other (RFC 4592 section
// 3.3.1). source is the name in the file.
func (z *Zone) node(name string) (n *node, source string) {
	if n := z.nodes[name]; n != nil {
		return n, name
	}
	for parent := name; parent != "."; {
		parent = parentOf(parent)
		if z.nodes[parent] == nil {
			continue
		}
		source = "*." + parent
		if parent == "." {
			source = "*."
		}
		return z.nodes[source], source
	}
	return nil, ""
}

// parentOf drops the first label of a presentation name; the last parent is
// the root, ".".
func parentOf(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

// withOwner returns records with name as their owner where a wildcard made them.
func withOwner(records []dns.RR, source, name string) []dns.RR {
	if source == name || len(records) == 0 {
		return records
	}
	made := make([]dns.RR, len(records))
	for i, rr := range records {
		made[i] = dns.Copy(rr)
		made[i].Header().Name = name
	}
	return made
}

// Reply answers req as an authoritative server for everything would, without
// regard to message size. It is nil where the zone says TIMEOUT.
func (z *Zone) Reply(req *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	if len(req.Question) != 1 || req.Opcode != dns.OpcodeQuery {
		return m.SetRcode(req, dns.RcodeNotImplemented)
	}
	m.SetReply(req)
	m.Authoritative, m.RecursionAvailable = true, true
	q := req.Question[0]
	rep, chain, fail := z.find(strings.ToLower(q.Name), q.Qtype)
	switch fail {
	case stays:
		return nil
	case fails:
		m.Rcode = dns.RcodeServerFailure
		return m
	}
	m.Rcode = rep.rcode
	m.Answer = append(chain, rep.records...)
	if len(rep.records) == 0 {
		m.Ns = []dns.RR{z.soa(rep.target)}
	}
	return m
}

// soa is the SOA record that covers name, or one that lets a negative answer
// be kept for a minute.
func (z *Zone) soa(name string) dns.RR {
	for {
		if n := z.nodes[name]; n != nil && len(n.records[dns.TypeSOA]) > 0 {
			return n.records[dns.TypeSOA][0]
		}
		if name == "." {
			break
		}
		name = parentOf(name)
	}
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: minimum},
		Ns:  ".", Mbox: ".", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: minimum,
	}
}
