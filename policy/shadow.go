package policy

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Entry is an entry of a list that Verdict.Rule can name.
type Entry struct {
	List string // as it is written: "exceptions"
	ID   string
	// Source is where it stands.
	Source Source
	// Expires is when it ceases to match; zero: never.
	Expires time.Time
}

// Entries are all of them, list by list, each in its order.
func (r *Rules) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		_ = each(yield, r.notJudged.Networks, func(n Network) Entry { return Entry{"not_judged.networks", n.ID, n.Source, time.Time{}} }) &&
			each(yield, r.own, func(o OwnDomains) Entry { return Entry{"own_domains", o.ID, o.Source, time.Time{}} }) &&
			each(yield, r.domains, func(d DomainRule) Entry { return Entry{"domains", d.ID, d.Source, time.Time{}} }) &&
			each(yield, r.profiles, func(p Profile) Entry { return Entry{"profiles", p.ID, p.Source, time.Time{}} }) &&
			each(yield, r.sealers, func(s sealer) Entry { return Entry{"trusted_sealers", s.ID, s.Source, time.Time{}} }) &&
			each(yield, r.entries, func(x Exception) Entry { return Entry{"exceptions", x.ID, x.Source, x.Expires} })
	}
}

// each yields the entry of each element, and is false when yield wants no more.
func each[T any](yield func(Entry) bool, list []T, of func(T) Entry) bool {
	for i := range list {
		if !yield(of(list[i])) {
			return false
		}
	}
	return true
}

// Shadow is an entry that can decide nothing, as another one takes all mail that it is
// about.
type Shadow struct{ Entry, By Entry }

// Shadowed finds entries behind one that takes all of their mail: an earlier one of the
// list, or a block entry for an allow entry. It finds those that one other entry shadows
// by itself, as far as their patterns show, and names none that can decide something;
// of profiles, but for recipients at address literals.
func (r *Rules) Shadowed() (list []Shadow) {
	networks := slices.Collect(r.in("not_judged.networks"))
	list = shadows(list, networks, func(i, j int) bool {
		return within(r.notJudged.Networks[j].Prefix, r.notJudged.Networks[i].Prefix)
	})
	own := slices.Collect(r.in("own_domains"))
	list = shadows(list, own, func(i, j int) bool { return subset(r.own[j].Domains, r.own[i].Domains, parseDomain) })
	profiles := slices.Collect(r.in("profiles"))
	list = shadows(list, profiles, func(i, j int) bool {
		return patternsOf(r.profiles[i].Recipients, parseAddress).covers(patternsOf(r.profiles[j].Recipients, parseAddress), Allow)
	})
	sealers := slices.Collect(r.in("trusted_sealers"))
	list = shadows(list, sealers, func(i, j int) bool { return r.sealers[i].covers(&r.sealers[j]) })
	return r.shadowedExceptions(list)
}

// in are the entries of a list.
func (r *Rules) in(list string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for e := range r.Entries() {
			if e.List == list && !yield(e) {
				return
			}
		}
	}
}

// shadows adds those entries of a list that an earlier one covers.
func shadows(to []Shadow, list []Entry, covers func(i, j int) bool) []Shadow {
	for j := range list {
		for i := range j {
			if covers(i, j) {
				to = append(to, Shadow{list[j], list[i]})
				break
			}
		}
	}
	return to
}

// shadowedExceptions: the first block entry that matches decides, else the first allow
// entry.
func (r *Rules) shadowedExceptions(list []Shadow) []Shadow {
	entry := func(x *exception) Entry { return Entry{"exceptions", x.ID, x.Source, x.Expires} }
	ahead := make([]*exception, 0, len(r.entries))
	for _, kind := range []*exceptions{&r.block, &r.allow} {
		for j := range kind.list {
			x := &kind.list[j]
			if i := slices.IndexFunc(ahead, func(by *exception) bool { return by.covers(x) }); i >= 0 {
				list = append(list, Shadow{entry(x), entry(ahead[i])})
			}
			ahead = append(ahead, x)
		}
	}
	return list
}

// covers reports whether x matches whatever y matches, for as long as y does: all that x
// asks for, y asks for at least as narrowly.
func (x *exception) covers(y *exception) bool {
	lasts := x.Expires.IsZero() || !y.Expires.IsZero() && !y.Expires.After(x.Expires)
	if !lasts || len(x.clients) > 0 && !allWithin(y.clients, x.clients) {
		return false
	}
	for k, s := range x.sets {
		if s == nil {
			continue
		}
		// Of a name that was not answered only an entry with scope thinks the best.
		if of := &conditions[k]; of.any != nil && y.scoped && !x.scoped {
			return false
		}
		if !s.covers(y.sets[k], x.kind) {
			return false
		}
	}
	return true
}

// covers reports whether s takes each ARC Set that o takes.
func (s *sealer) covers(o *sealer) bool {
	within := func(of, in []string) bool {
		for _, x := range of {
			if !slices.ContainsFunc(in, func(y string) bool { return strings.EqualFold(x, y) }) {
				return false
			}
		}
		return len(of) > 0
	}
	return s.domains.covers(o.domains, Allow) &&
		(len(s.Selectors) == 0 || within(o.Selectors, s.Selectors)) &&
		(len(s.Clients) == 0 || allWithin(o.Clients, s.Clients)) &&
		(s.authors == nil || s.authors.covers(o.authors, Allow)) &&
		(s.recipients == nil || s.recipients.covers(o.recipients, Allow))
}

// subset reports whether each pattern of list stands in all.
func subset(list, all []string, parse func(string) (pattern, error)) bool {
	s := patternsOf(all, parse)
	for p := range patternsOf(list, parse) {
		if _, there := s[p]; !there {
			return false
		}
	}
	return len(list) > 0
}

// patternsOf are the patterns of a list that was checked.
func patternsOf(list []string, parse func(string) (pattern, error)) set {
	s := set{}
	for _, text := range list {
		if p, err := parse(text); err == nil {
			s[p] = struct{}{}
		}
	}
	return s
}

// covers reports whether each pattern of o is covered by one of s; a set that is nil
// asks for nothing, so it is not.
func (s set) covers(o set, kind Kind) bool {
	for q := range o {
		if _, same := s[q]; same {
			continue
		}
		if !slices.ContainsFunc(slices.Collect(keys(s)), func(p pattern) bool { return p.covers(q, kind) }) {
			return false
		}
	}
	return len(o) > 0
}

func keys(s set) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		for p := range s {
			if !yield(p) {
				return
			}
		}
	}
}

// covers reports whether p surely matches what q matches.
func (p pattern) covers(q pattern, kind Kind) bool {
	if p == q {
		return true
	}
	name := q.name
	if q.kind == fullAddress {
		if _, name, _ = cutAddress(q.name); p.kind == exactDomain {
			return name == p.name
		}
	}
	named := q.kind == exactDomain || q.kind == belowDomain || q.kind == fullAddress || q.kind == listSuffix
	switch p.kind {
	case anyDomain:
		return true
	case belowDomain, listSuffix:
		return named && isBelow(name, p.name)
	case orgDomain: // of a block entry it takes the domain and all below it
		return kind == Block && named && (name == p.name || isBelow(name, p.name))
	case hostAny:
		return q.kind == hostUser
	}
	return false
}

func allWithin(list, in []netip.Prefix) bool {
	for _, p := range list {
		if !slices.ContainsFunc(in, func(q netip.Prefix) bool { return within(p, q) }) {
			return false
		}
	}
	return len(list) > 0
}

// within reports whether q holds all of p.
func within(p, q netip.Prefix) bool {
	p, q = unmapPrefix(p), unmapPrefix(q)
	return p.IsValid() && q.IsValid() && q.Bits() <= p.Bits() && q.Contains(p.Addr())
}
