package sources

import (
	"net/netip"
	"strings"

	"alignd/evidence"
)

// Organization finds the Organizational Domain of a name without asking DNS: by the
// Public Suffix List. It is empty where the name has none.
type Organization func(name string) string

// remembered is org with the last answers at hand.
func remembered(org Organization) Organization {
	const most = 20_000
	known := map[string]string{}
	return func(name string) string {
		o, ok := known[name]
		if !ok {
			if len(known) >= most {
				clear(known)
			}
			o = org(name)
			known[name] = o
		}
		return o
	}
}

// Infrastructure is who runs a client: the Organizational Domain of a name of its
// address that leads back to it, else its network of /24 or /48; "unknown" without an
// address. Whoever sends chooses neither.
func Infrastructure(ev *evidence.Message, org Organization) string {
	best := ""
	if ev.IPRev.Result == evidence.Pass {
		for _, name := range ev.IPRev.Names { // DNS answers in any order
			if o := org(name); o != "" && (best == "" || o < best) {
				best = o
			}
		}
	}
	if best != "" {
		return best
	}
	return networkOf(ev.Client.IP())
}

func networkOf(ip netip.Addr) string {
	if !ip.IsValid() {
		return "unknown"
	}
	bits := 48
	if ip = ip.Unmap(); ip.Is4() {
		bits = 24
	}
	p, _ := ip.WithZone("").Prefix(bits) // it fits
	return p.String()
}

// isAtOrBelow reports whether name is parent, or a name below it.
func isAtOrBelow(name, parent string) bool {
	return name == parent && name != "" || isBelow(name, parent)
}

func isBelow(name, parent string) bool {
	rest, ok := strings.CutSuffix(name, parent)
	return ok && parent != "" && strings.HasSuffix(rest, ".")
}
