package migrate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"alignd/domain"
)

// sealerList are domains whose ARC seals a filter believed.
type sealerList struct {
	from  setting
	names []string
}

// domains are the whole names in a list, and what is said of those that are none.
func (in *importer) domains(s setting, list []string) (names []string, more string) {
	var bad []string
	for _, name := range list {
		if _, err := domain.Normalize(name); err != nil || strings.ContainsAny(name, "*:") || strings.HasPrefix(name, ".") {
			in.warn(s, "%s: %s is no whole domain name, and is left out", s.name, quoted(name))
			bad = append(bad, name)
			continue
		}
		names = append(names, name)
	}
	if len(bad) > 0 {
		more = "what is no whole domain name (" + some(bad) + ") never matched there, and is left out"
	}
	return names, more
}

// sealersFrom makes trusted Sealers of the domains in a file that the filter names.
func sealersFrom(filter string) func(*importer, setting) note {
	return func(in *importer, s setting) note {
		items, why := in.listFile(filter, s, s.value)
		if why != "" {
			return note{kind: None, key: "trusted_sealers", why: why, refuses: true}
		}
		var names []string
		for _, it := range items {
			names = append(names, it.text)
		}
		return in.sealers(s, names)
	}
}

// sealers makes trusted Sealers; several options make one list.
func (in *importer) sealers(s setting, all []string) note {
	names, more := in.domains(s, all)
	if len(names) == 0 {
		return note{kind: None, key: "trusted_sealers", why: cmp.Or(more, "it names no domain")}
	}
	why := "seals of these domains are believed where the chain passes, every Sealer down to the one that vouches is listed, and it says dmarc=pass for the Author Domain; without clients anybody can send again what they sealed, so name the addresses that they send from"
	if more != "" {
		why += "; " + more
	}
	if in.sealer == nil {
		in.sealer = &sealerList{from: s}
	} else if i := slices.IndexFunc(in.out.target.pairs, func(w written) bool { return w.path == "trusted_sealers" }); i >= 0 {
		in.out.target.pairs = slices.Delete(in.out.target.pairs, i, i+1)
	}
	before := in.sealer.names
	var kept []string
	n := in.takeList(in.sealer.from, note{kind: Changed, key: "trusted_sealers", why: why}, list{entries: unique(before, names), lets: true, pairs: func(names []string) []pair {
		kept = names
		return []pair{{"trusted_sealers", []entry{{{"id", "believed"}, {"domains", names}}}}}
	}})
	if in.sealer.names = kept; n.kind == None { // back to what was taken before
		if in.sealer.names = before; len(before) > 0 {
			in.take(in.sealer.from, note{}, pair{"trusted_sealers", []entry{{{"id", "believed"}, {"domains", before}}}})
		}
	}
	return n
}

// refusesByDMARC and refusesBySPF say whether an imported filter refuses mail.
func (in *importer) refusesByDMARC() bool { return in.is("opendmarc", "RejectFailures") }
func (in *importer) refusesBySPF() bool   { return in.target().has("spf_fail") }

func (in *importer) target() *target { return &in.out.target }

// networks decides which hosts' mail is not judged at all. It is the list of the
// filter that refuses, or else of the first: where another one lets more hosts be,
// their mail was judged all the same.
func (in *importer) networks() {
	decider := ""
	for _, name := range []string{"opendmarc", "policyd-spf", "opendkim", "openarc"} {
		if decider == "" && in.has(name) && (name != "policyd-spf" || in.refusesBySPF()) {
			decider = name
		}
	}
	var exempt []netip.Prefix
	for _, l := range in.lists {
		if l.filter == decider && decider != "policyd-spf" {
			exempt = append(exempt, l.networks...)
		}
	}
	for _, l := range in.lists {
		if l.filter == "policyd-spf" {
			continue
		}
		var loopback, other []netip.Prefix
		for _, p := range l.networks {
			if isLoopback(p) {
				loopback = append(loopback, p)
			} else {
				other = append(other, p)
			}
		}
		n := note{kind: Taken, key: "not_judged.networks"}
		switch {
		case len(other) == 0 && len(loopback) == 0:
			n.kind, n.why = None, "it has no address or network"
		case len(other) == 0:
			n.why = "loopback is not judged in any case (not_judged.loopback)"
		case l.filter == decider:
			n.why = "mail of these networks is not judged and keeps its results"
			n = in.takeMore(l.setting, n, "not_judged.networks", texts(other))
			n.refuses = n.refuses || n.kind == None
		default:
			n = in.notExempt(n, other, exempt, decider)
		}
		n = n.with(l.notes())
		in.amend(l.setting, n)
	}
}

// with adds what of a list is left out, so that mail which was let be is judged.
func (n note) with(more string) note {
	if more != "" {
		n.refuses, n.why, n.kind = true, n.why+"; "+more, max(n.kind, Changed)
	}
	return n
}

// notExempt is about networks that only a filter that does not decide lets be.
func (in *importer) notExempt(n note, nets, exempt []netip.Prefix, decider string) note {
	var more []netip.Prefix
	for _, p := range nets {
		if !slices.ContainsFunc(exempt, func(e netip.Prefix) bool { return e.Bits() <= p.Bits() && e.Contains(p.Addr()) }) {
			more = append(more, p)
		}
	}
	if len(more) == 0 {
		n.why = decider + " lets them be too"
		return n
	}
	n.kind = Changed
	n.why = fmt.Sprintf("%s judged mail of these networks, and so does alignd: it is not written. Where they are yours and send outbound mail through here, write not_judged: {networks: [%s]}", decider, strings.Join(shortList(texts(more)), ", "))
	return n
}

func shortList(list []string) []string {
	const most = 20
	if len(list) > most {
		return append(slices.Clone(list[:most]), "...")
	}
	return list
}

// takeMore adds to a list that several options write.
func (in *importer) takeMore(s setting, n note, path string, values []string) note {
	t := in.target()
	i := slices.IndexFunc(t.pairs, func(w written) bool { return w.path == path })
	if i < 0 {
		return in.takeList(s, n, networkList(path, values))
	}
	before := t.pairs[i]
	t.pairs = slices.Delete(t.pairs, i, i+1)
	if n = in.takeList(s, n, networkList(path, unique(before.value.([]string), values))); n.kind == None {
		t.pairs = append(t.pairs, before)
	}
	return n
}

func networkList(path string, networks []string) list {
	return list{entries: networks, lets: true, pairs: func(all []string) []pair { return []pair{{path, all}} }}
}

// unique is a list with what another one has more.
func unique(old, more []string) []string {
	seen := map[string]bool{}
	var all []string
	for _, s := range slices.Concat(old, more) {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	return all
}

// vouchers are hosts whose SPF policyd-spf does not check. Where nothing is refused by
// DMARC, an exception lets their mail in; where DMARC refuses, that exception would let
// in more than before.
func (in *importer) vouchers() {
	var clients, ptr []string
	var from []hostList
	left := map[setting]string{}
	for _, l := range in.lists {
		if l.filter != "policyd-spf" {
			continue
		}
		var nets []netip.Prefix
		for _, p := range l.networks {
			if !isLoopback(p) {
				nets = append(nets, p)
			}
		}
		names, more := l.names, ""
		if l.setting.name != "Domain_Whitelist_PTR" {
			names, more = nil, l.notes()
		}
		switch {
		case len(nets)+len(names) == 0:
			in.amend(l.setting, note{kind: Taken, key: "not_judged.loopback", why: "loopback is not judged in any case (not_judged.loopback)"}.with(more))
		case !in.refusesBySPF():
			in.amend(l.setting, note{kind: Taken, why: "SPF alone refuses nothing, so nobody needs an exception"})
		case in.refusesByDMARC():
			in.amend(l.setting, note{kind: None, key: "spf_fail", refuses: true, why: "an exception for these hosts would also let in what opendmarc refuses; where they are relays of yours, list them in trusted_relays, and the client behind them is checked"})
		default:
			goodClients, bad := in.sift(l.setting, list{entries: texts(nets), pairs: func(e []string) []pair { return []pair{{"exceptions", vouched(e, nil)}} }})
			goodNames, badNames := in.sift(l.setting, list{entries: names, pairs: func(e []string) []pair { return []pair{{"exceptions", vouched(nil, e)}} }})
			if bad = append(bad, badNames...); len(goodClients)+len(goodNames) == 0 {
				in.amend(l.setting, note{kind: None, key: "exceptions", refuses: true, why: leftOut(bad)})
				continue
			}
			clients = append(clients, goodClients...)
			for _, name := range goodNames {
				ptr = append(ptr, name, "."+name)
			}
			if len(bad) > 0 {
				left[l.setting] = leftOut(bad)
			}
			from = append(from, l)
		}
	}
	if len(from) == 0 {
		return
	}
	n := in.take(from[0].setting, note{kind: Changed, key: "exceptions", why: "an exception lets mail of these hosts in; unlike before SPF is checked and its result written. Where they are relays of yours, trusted_relays is better: the client behind them is checked"},
		pair{"exceptions", vouched(clients, ptr)})
	for _, l := range from {
		if l.setting.name == "Domain_Whitelist_PTR" {
			in.amend(l.setting, n.with(left[l.setting]))
		} else {
			in.amend(l.setting, n.with(l.notes()).with(left[l.setting]))
		}
	}
}

func vouched(clients, ptr []string) []entry {
	var all []entry
	add := func(id, kind string, list []string) {
		if len(list) > 0 {
			all = append(all, entry{{"id", id}, {"action", "accept"}, {"proof", entryMap{{kind, list}}},
				{"reason", "SPF was not checked for it"}, {"never_expires", true}})
		}
	}
	add("policyd-spf-hosts", "clients", clients)
	add("policyd-spf-names", "ptr", ptr)
	return all
}
