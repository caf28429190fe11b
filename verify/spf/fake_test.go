package spf

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// fakeDNS answers from memory. Names are lower case without trailing dot; a
// name that is not there is NXDOMAIN. Answers are kept, as a cache would.
type fakeDNS struct {
	nodes map[string]*node

	mu      sync.Mutex
	answers map[question]*resolver.Answer
	asked   []question
	refuse  error // when set, every question gets it
}

type question struct {
	name  string
	qtype uint16
}

// node is all there is at one name.
type node struct {
	txt   []string
	addrs []netip.Addr
	mx    []resolver.MX
	ptr   []string
	cname string
	alias bool
	// broken types that have no record here get a temporary error.
	broken bool
}

func newFakeDNS() *fakeDNS {
	return &fakeDNS{nodes: map[string]*node{}, answers: map[question]*resolver.Answer{}}
}

// zone builds a fake from "name type value" lines.
func zone(lines ...string) *fakeDNS {
	f := newFakeDNS()
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		kind, value, _ := strings.Cut(rest, " ")
		n := f.at(name)
		switch kind {
		case "TXT":
			n.txt = append(n.txt, value)
		case "A", "AAAA":
			n.addrs = append(n.addrs, netip.MustParseAddr(value))
		case "MX":
			n.mx = append(n.mx, resolver.MX{Host: value})
		case "PTR":
			n.ptr = append(n.ptr, value)
		case "SERVFAIL":
			n.broken = true
		default:
			panic("unknown type in " + line)
		}
	}
	return f
}

func (f *fakeDNS) at(name string) *node {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if f.nodes[name] == nil {
		f.nodes[name] = &node{}
	}
	return f.nodes[name]
}

func (f *fakeDNS) Lookup(_ context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := question{name, qtype}
	if len(f.asked) < 1000 {
		f.asked = append(f.asked, q)
	}
	if f.refuse != nil {
		return nil, &resolver.Error{Name: name, Type: qtype, Err: f.refuse}
	}
	if a := f.answers[q]; a != nil {
		return a, nil
	}
	a, err := f.answer(name, qtype, 8)
	if err == nil {
		f.answers[q] = a
	}
	return a, err
}

func (f *fakeDNS) answer(name string, qtype uint16, depth int) (*resolver.Answer, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	a := &resolver.Answer{Name: name, Type: qtype}
	n := f.nodes[name]
	switch {
	case n == nil:
		a.RCode = dns.RcodeNameError
		return a, nil
	case n.alias && depth == 0:
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "CNAME loop"}
	case n.alias:
		return f.answer(n.cname, qtype, depth-1)
	}
	a.NameExists = true
	switch qtype {
	case dns.TypeTXT:
		a.TXT = n.txt
	case dns.TypeMX:
		a.MX = n.mx
	case dns.TypePTR:
		a.PTR = n.ptr
	default:
		for _, ip := range n.addrs {
			if ip.Is4() == (qtype == dns.TypeA) {
				a.Addrs = append(a.Addrs, ip)
			}
		}
	}
	if a.Void() && n.broken {
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "SERVFAIL"}
	}
	return a, nil
}
