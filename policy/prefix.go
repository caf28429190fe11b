package policy

import (
	"net/netip"
	"slices"
)

// prefixTable finds the values filed under the networks that hold an address.
// A look-up costs one map access for each distinct prefix length in use.
type prefixTable struct {
	values map[netip.Prefix][]int32
	bits4  []int
	bits6  []int
}

// add files value under p. IPv4-mapped networks are filed as IPv4.
func (t *prefixTable) add(p netip.Prefix, value int32) {
	p = unmapPrefix(p).Masked()
	if t.values == nil {
		t.values = map[netip.Prefix][]int32{}
	}
	t.values[p] = append(t.values[p], value)
	bits := &t.bits6
	if p.Addr().Is4() {
		bits = &t.bits4
	}
	if !slices.Contains(*bits, p.Bits()) {
		*bits = append(*bits, p.Bits())
	}
}

// each calls f with the values of every network that holds ip.
func (t *prefixTable) each(ip netip.Addr, f func([]int32)) {
	if t.values == nil || !ip.IsValid() {
		return
	}
	ip = ip.Unmap().WithZone("")
	bits := t.bits6
	if ip.Is4() {
		bits = t.bits4
	}
	for _, n := range bits {
		p, err := ip.Prefix(n)
		if err != nil {
			continue
		}
		if v := t.values[p]; v != nil {
			f(v)
		}
	}
}

// first returns the lowest value filed under a network that holds ip, or -1.
func (t *prefixTable) first(ip netip.Addr) int32 {
	low := int32(-1)
	t.each(ip, func(v []int32) {
		if m := slices.Min(v); low < 0 || m < low {
			low = m
		}
	})
	return low
}

// unmapPrefix turns ::ffff:192.0.2.0/120 into 192.0.2.0/24.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
