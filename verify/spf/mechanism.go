package spf

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"alignd/domain"
	"alignd/evidence"
)

// match evaluates one directive (RFC 7208 section 5). by names the directive
// that matched.
func (e *evaluation) match(t *Term, current string) (by outcome, matched bool, stop *halt) {
	by = outcome{term: t, termDomain: current, wide: e.wide(t)}
	switch t.Kind {
	case All:
		return by, true, nil
	case IP4, IP6:
		return by, t.Prefix.Contains(e.ip), nil
	}
	if stop = e.count(t, current); stop != nil {
		return by, false, stop
	}
	name, ok, stop := e.name(t.Target, current)
	if stop != nil || !ok {
		return by, false, stop
	}
	switch t.Kind {
	case Include:
		return e.include(name, current)
	case A:
		matched, stop = e.address(t, name)
	case MX:
		matched, stop = e.exchangers(t, name)
	case Exists:
		matched, stop = e.exists(name)
	case PTR:
		matched, stop = e.pointer(name)
	}
	return by, matched, stop
}

// Networks wider than these, in bits, say nothing about a client. The numbers
// are ours: nobody sends mail from so many addresses.
const (
	widest4 = 8
	widest6 = 24
)

// wide reports whether t matches clients of this family by a network that is
// wider, or all of them.
func (e *evaluation) wide(t *Term) bool {
	switch t.Kind {
	case All:
		return true
	case IP4:
		return t.Prefix.Bits() < widest4
	case IP6:
		return t.Prefix.Bits() < widest6
	case A, MX:
		if e.ip.Is4() {
			return t.Bits4 < widest4
		}
		return t.Bits6 < widest6
	}
	return false
}

// family is the address type of the client (RFC 7208 section 5).
func (e *evaluation) family() uint16 {
	if e.ip.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// covers reports whether the client is in the network of one of addrs, by the
// prefix length of a or mx.
func (e *evaluation) covers(t *Term, addrs []netip.Addr) bool {
	bits := int(t.Bits6)
	if e.ip.Is4() {
		bits = int(t.Bits4)
	}
	for _, a := range addrs {
		if netip.PrefixFrom(a, bits).Contains(e.ip) {
			return true
		}
	}
	return false
}

// address is the a mechanism (RFC 7208 section 5.3).
func (e *evaluation) address(t *Term, name string) (bool, *halt) {
	answer, stop := e.ask(name, e.family())
	if answer == nil {
		return false, stop
	}
	return e.covers(t, answer.Addrs), stop
}

// exists looks for an A record whatever the family of the client (RFC 7208
// section 5.7).
func (e *evaluation) exists(name string) (bool, *halt) {
	answer, stop := e.ask(name, dns.TypeA)
	return answer != nil && len(answer.Addrs) > 0, stop
}

// exchangers is the mx mechanism (RFC 7208 section 5.4). A name without MX
// records is not its own exchanger, and a null MX (RFC 7505) has no address.
func (e *evaluation) exchangers(t *Term, name string) (bool, *halt) {
	answer, stop := e.ask(name, dns.TypeMX)
	if answer == nil {
		return false, stop
	}
	for i, mx := range answer.MX {
		if i >= e.limits.MX {
			return false, permanent("%q has more than %d MX records", name, e.limits.MX)
		}
		addresses, stop := e.lookup(mx.Host, e.family())
		if stop != nil {
			return false, stop
		}
		if addresses != nil && e.covers(t, addresses.Addrs) {
			return true, nil
		}
	}
	return false, nil
}

// pointer is the ptr mechanism (RFC 7208 section 5.5). Names that do not end
// in the target cannot decide, so they are not validated.
func (e *evaluation) pointer(target string) (bool, *halt) {
	names, stop := e.pointerNames()
	if stop != nil {
		return false, stop
	}
	for _, name := range names {
		if name != target && !domain.IsBelow(name, target) {
			continue
		}
		if ok, stop := e.validates(name); ok || stop != nil {
			return ok, stop
		}
	}
	return false, nil
}

// pointerNames are the names of the client's PTR records, at most as many as
// the limit says, asked for once. A DNS error means no names: the reverse
// zone is not in the publisher's hands (RFC 7208 section 5.5).
func (e *evaluation) pointerNames() ([]string, *halt) {
	if e.pointersAsked {
		return e.pointers, nil
	}
	e.pointersAsked = true
	ask := e.ask
	if e.explaining {
		ask = e.lookup
	}
	answer, stop := ask(reverseName(e.ip), dns.TypePTR)
	if answer == nil {
		return nil, e.tolerated(stop)
	}
	e.pointers = answer.PTR[:min(len(answer.PTR), e.limits.PTR)]
	return e.pointers, nil
}

// tolerated drops a DNS error of a PTR check; spent time and budgets stay.
func (e *evaluation) tolerated(stop *halt) *halt {
	if stop != nil && stop.result == evidence.TempError && e.ctx.Err() == nil {
		return nil
	}
	return stop
}

// validates reports whether name leads back to the client. A DNS error means
// no (RFC 7208 section 5.5).
func (e *evaluation) validates(name string) (bool, *halt) {
	answer, stop := e.lookup(name, e.family())
	if stop != nil {
		return false, e.tolerated(stop)
	}
	if answer != nil {
		for _, a := range answer.Addrs {
			if a == e.ip {
				return true, nil
			}
		}
	}
	return false, nil
}

// validatedName is %{p}: the validated name of the client that equals the
// current domain, else one below it, else any, else "unknown" (RFC 7208
// section 7.3). Its PTR question counts as a term (section 4.6.4).
func (e *evaluation) validatedName(current string) (string, *halt) {
	if e.validated != "" && e.validatedFor == current {
		return e.validated, nil
	}
	if !e.pointersAsked && !e.explaining {
		if stop := e.countQuestion("%{p}", current); stop != nil {
			return "", stop
		}
	}
	names, stop := e.pointerNames()
	if stop != nil {
		return "", stop
	}
	found, best := "unknown", 0
	for _, name := range names {
		rank := closeness(name, current)
		if rank <= best {
			continue
		}
		ok, stop := e.validates(name)
		if stop != nil {
			return "", stop
		}
		if ok {
			found, best = name, rank
		}
	}
	e.validated, e.validatedFor = found, current
	return found, nil
}

func closeness(name, current string) int {
	switch {
	case name == current:
		return 3
	case domain.IsBelow(name, current):
		return 2
	}
	return 1
}

// reverseName is the name that holds the PTR records of ip (RFC 1035 section
// 3.5, RFC 3596 section 2.5).
func reverseName(ip netip.Addr) string {
	if ip.Is4() {
		b := ip.As4()
		return netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}).String() + ".in-addr.arpa"
	}
	b := ip.As16()
	digits := hex.EncodeToString(b[:])
	var name strings.Builder
	name.Grow(2*len(digits) + len("ip6.arpa"))
	for i := len(digits) - 1; i >= 0; i-- {
		name.WriteByte(digits[i])
		name.WriteByte('.')
	}
	name.WriteString("ip6.arpa")
	return name.String()
}
