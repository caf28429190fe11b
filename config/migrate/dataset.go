package migrate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// item is one entry of a list, with its place.
type item struct {
	setting
	text string
}

// notRead are the kinds of data sets that are no text that could be read here.
var notRead = []string{"db:", "dsn:", "ldap:", "ldaps:", "ldapi:", "lua:", "memcache:", "erlang:", "mdb:"}

// dataset reads the keys of a data set as opendkim(8) describes it: a list, or a file
// of one key a line. What cannot be read is warned of, and why says it.
func (in *importer) dataset(filter string, s setting) (items []item, why string) {
	value := s.value
	for _, scheme := range notRead {
		if hasPrefixFold(value, scheme) {
			why = "a data set of type " + strings.TrimSuffix(scheme, ":") + " cannot be read here; put its entries in by hand"
			in.warn(s, "%s: %s", s.name, why)
			return nil, why
		}
	}
	switch {
	case hasPrefixFold(value, "refile:"):
		return in.listFile(filter, s, value[len("refile:"):])
	case hasPrefixFold(value, "file:"):
		return in.listFile(filter, s, value[len("file:"):])
	case hasPrefixFold(value, "csl:"):
		value = value[len("csl:"):]
	case strings.HasSuffix(value, ".db"):
		why = "a Berkeley DB cannot be read here; put its entries in by hand"
		in.warn(s, "%s: %s", s.name, why)
		return nil, why
	case strings.HasPrefix(value, "/"), strings.HasPrefix(value, "./"), strings.HasPrefix(value, "../"):
		return in.listFile(filter, s, value)
	}
	if filter == "openarc" && !strings.Contains(value, ",") { // a file, whatever its name looks like
		if _, err := in.read(under(in.baseOf(filter, s.file), value)); err == nil {
			return in.listFile(filter, s, value)
		}
	}
	for _, text := range listOf(value) {
		key, _, _ := strings.Cut(text, "=")
		items = append(items, item{setting: s, text: key})
	}
	return items, ""
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// listFile reads the first word of each line of a file.
func (in *importer) listFile(filter string, s setting, name string) (items []item, why string) {
	name = under(in.baseOf(filter, s.file), name)
	text, err := in.read(name)
	if err != nil {
		in.warn(s, "%s: %v", s.name, err)
		return nil, "its file could not be read: " + err.Error()
	}
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			if len(items) == maxEntries {
				why = fmt.Sprintf("%s has more than %d entries", name, maxEntries)
				in.warn(s, "%s: %s", s.name, why)
				return nil, why
			}
			items = append(items, item{setting: setting{file: name, line: i + 1, name: s.name, value: s.value}, text: fields[0]})
		}
	}
	return items, ""
}

// baseOf is the folder of relative names in a file.
func (in *importer) baseOf(filter, file string) string {
	base := "."
	for _, src := range in.out.sources {
		if src.filter.name == filter && (src.name == file || base == ".") {
			base = src.base
		}
	}
	return base
}

// hosts are the networks of a list of hosts, and what is none.
type hosts struct {
	networks []netip.Prefix
	names    []string
	unread   int // entries that are neither
}

// hostsOf reads hosts as opendkim's PeerList writes them: addresses, networks and
// names, each with "!" in front for an exclusion. The most precise entry holds, and of
// two for the same network the exclusion.
func (in *importer) hostsOf(items []item) hosts {
	var h hosts
	var yes, no []netip.Prefix
	for _, it := range items {
		text, not := strings.CutPrefix(it.text, "!")
		text = strings.NewReplacer("[", "", "]", "").Replace(text)
		p, err := prefix(text)
		switch {
		case err == nil && not:
			no = append(no, p)
		case err == nil:
			yes = append(yes, p)
		case text == "" || strings.ContainsAny(text, "/:") || looksLikeAddress(text):
			h.unread++
			if !strings.Contains(err.Error(), "bits beyond") {
				err = fmt.Errorf("%s is neither address, network nor host name", quoted(it.text))
			}
			in.warn(it.setting, "%s: %v", it.name, err)
		default:
			h.names = append(h.names, it.text)
		}
	}
	for _, p := range yes {
		h.networks = append(h.networks, without(p, no)...)
	}
	slices.SortFunc(h.networks, netip.Prefix.Compare)
	h.networks = slices.Compact(h.networks)
	return h
}

func looksLikeAddress(s string) bool { return strings.Trim(s, "0123456789.") == "" }

// prefix reads an address or a network. Bits beyond the length are a fault: opendkim
// and its kin look a network up by its text, and so never find such a one.
func prefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, err
	case p.Masked() != p:
		return p, fmt.Errorf("%s has bits beyond its length, so no client is ever found in it; the network is %s", plain(s), p.Masked())
	case p.Addr().Is4In6() && p.Bits() >= 96:
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, nil
}

// without is a network less those that are cut out of it.
func without(p netip.Prefix, cut []netip.Prefix) []netip.Prefix {
	var inside []netip.Prefix
	for _, c := range cut {
		switch {
		case c == p:
			return nil
		case p.Contains(c.Addr()) && c.Bits() > p.Bits():
			inside = append(inside, c)
		}
	}
	if len(inside) == 0 {
		return []netip.Prefix{p}
	}
	low, high := halves(p)
	return append(without(low, inside), without(high, inside)...)
}

// halves are the two networks that make up a larger one.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits() + 1
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	addr, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(p.Addr(), bits), netip.PrefixFrom(addr, bits)
}

// isLoopback is for networks that not_judged.loopback covers.
func isLoopback(p netip.Prefix) bool {
	return p.Addr().IsLoopback() && (p.Addr().Is6() || p.Bits() >= 8)
}

func texts(ps []netip.Prefix) []string {
	var list []string
	for _, p := range ps {
		if p.IsSingleIP() {
			list = append(list, p.Addr().String())
		} else {
			list = append(list, p.String())
		}
	}
	return list
}

// hostList is a list of hosts whose mail a filter lets be.
type hostList struct {
	filter string
	setting
	hosts
}

// exempt notes a list of hosts; networks decides what becomes of it.
func (in *importer) exempt(filter string, s setting) note {
	items, why := in.dataset(filter, s)
	if why != "" {
		return note{kind: None, key: "not_judged.networks", why: why, refuses: true}
	}
	list := hostList{filter: filter, setting: s, hosts: in.hostsOf(items)}
	in.lists = append(in.lists, list)
	return later
}

func (list hostList) notes() string {
	var why []string
	if n := len(list.names); n > 0 {
		why = append(why, fmt.Sprintf("host names (%s) are not taken over, as alignd exempts by address: write the addresses of these hosts", some(list.names)))
	}
	if slices.ContainsFunc(list.names, func(s string) bool { return s[0] == '!' }) {
		why = append(why, "a host that is excluded by name (!) is in its network all the same: leave that network out, or write it in parts")
	}
	if list.unread > 0 {
		why = append(why, fmt.Sprintf("entries that are no address, network or name (%d) are left out", list.unread))
	}
	return strings.Join(why, "; ")
}

// some is a list, shortened.
func some(list []string) string {
	const most = 8
	var quotedList []string
	for _, s := range list[:min(most, len(list))] {
		quotedList = append(quotedList, plain(s))
	}
	text := strings.Join(quotedList, ", ")
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}
