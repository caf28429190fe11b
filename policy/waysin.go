package policy

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"alignd/evidence"
)

// milder are the ways to a milder treatment of a message that does not pass. Each is
// tried: the message is judged again with that difference.
func (d decision) milder() (list []Way) {
	now := Decide(d.ev, d.rules)
	if harshness(&now) == harshnessOf(Deliver) {
		return nil
	}
	try := func(rules *Rules, ev *evidence.Message) (to Delivery, better bool) {
		v := Decide(ev, rules)
		return wouldBe(&v), harshness(&v) < harshness(&now)
	}
	add := func(c Change, author string, rules *Rules, format string, args ...any) bool {
		to, better := try(rules, d.ev)
		if better {
			list = append(list, Way{Author: author, Change: c, Text: fmt.Sprintf(format, args...) + then(to)})
		}
		return better
	}
	if now.Step == StepFrom {
		ev := *d.ev
		ev.From.Problem, ev.From.Fields = evidence.FromOK, 1
		text := "the From field names one author: " + fromWhy(&d.ev.From)
		if to, better := try(d.rules, &ev); better {
			list = append(list, Way{Change: Change{From: true}, Text: text + then(to)})
		}
	}
	authors := make([]*evidence.DMARC, 0, len(d.ev.DMARC)+1)
	for i := range d.ev.DMARC {
		if dm := &d.ev.DMARC[i]; dm.Result != evidence.Pass {
			authors = append(authors, dm)
		}
	}
	if len(d.ev.DMARC) == 0 {
		authors = append(authors, nil)
	}
	for _, dm := range authors {
		if dm != nil {
			d.trusting(dm, add)
		}
		d.rescuing(dm, add)
	}
	d.abolishing(&now, add)
	return list
}

// adder adds a way where it is one under rules.
type adder func(c Change, author string, rules *Rules, format string, args ...any) bool

func harshnessOf(d Delivery) int {
	return slices.Index([]Delivery{Deliver, DeliverTag, DeliverHold, DeliverDefer, Refuse}, d)
}

// wouldBe is the delivery, without monitor mode and rollout.
func wouldBe(v *Verdict) Delivery { return cmp.Or(v.Monitor.Delivery, v.Delivery) }

func harshness(v *Verdict) int { return harshnessOf(wouldBe(v)) }

// then says what would become of the message.
func then(to Delivery) string {
	switch to {
	case DeliverTag:
		return " (it would be tagged)"
	case DeliverHold:
		return " (it would be held)"
	case DeliverDefer:
		return " (it would be put off)"
	}
	return ""
}

// trusting looks for the fewest Sealers whose trust would let the message in.
func (d decision) trusting(dm *evidence.DMARC, add adder) {
	arc := &d.ev.ARC
	if arc.Result != evidence.Pass || !complete(arc) {
		return
	}
	var domains []string
	for low := len(arc.Sets) - 1; low >= 0; low-- {
		set := &arc.Sets[low]
		if s, _ := d.trusted(low, dm); s == nil {
			if set.SealDomain != set.MessageDomain {
				return
			}
			if !slices.Contains(domains, set.SealDomain) {
				domains = append(domains, set.SealDomain)
			}
		}
		if len(domains) == 0 {
			continue
		}
		for _, c := range d.trusts(domains, low) {
			found := "dmarc=pass"
			if c.Require == RequireAligned {
				found = "an aligned pass (require: aligned)"
			}
			if len(c.ServIDs) > 0 {
				found += " as " + strings.Join(c.ServIDs, ", ") + " (authserv_ids)"
			}
			if add(c, dm.AuthorDomain, d.rules.trusting(c), "%s is a trusted sealer: the chain passes, and tells of %s for %s; anybody can write such a chain, so trust only whom you know",
				clean(strings.Join(domains, " and "), 200), found, dm.AuthorDomain) {
				return
			}
		}
	}
}

// trusts are entries for domains that are tried for the ARC Sets from position low on,
// the narrowest first.
func (d decision) trusts(domains []string, low int) (list []Change) {
	var ids []string
	for i := range d.ev.ARC.Sets[low:] {
		if a := d.ev.ARC.Sets[low+i].AAR; a != nil {
			id, _, _ := strings.Cut(a.ServID, "/")
			if id = plainDomain(id); isDomain(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, servIDs := range [][]string{nil, ids} {
		for _, require := range []RequiredResult{RequireDMARC, RequireAligned} {
			list = append(list, Change{Trusted: slices.Clone(domains), Require: require, ServIDs: servIDs})
		}
	}
	return list
}

// trusting is r with a further Sealer.
func (r *Rules) trusting(c Change) *Rules {
	s := sealer{Sealer: Sealer{ID: c.Trusted[0], Domains: c.Trusted, Require: c.Require}, domains: set{}}
	for _, id := range c.ServIDs {
		if s.servIDs == nil {
			s.servIDs = set{}
		}
		s.servIDs[pattern{exactDomain, id}] = struct{}{}
	}
	to := *r
	to.sealers = append(slices.Clone(r.sealers), s)
	to.sealerIndex = maps.Clone(r.sealerIndex)
	for _, name := range c.Trusted {
		p := pattern{exactDomain, name}
		s.domains[p] = struct{}{}
		to.sealerIndex[p] = append(slices.Clone(to.sealerIndex[p]), int32(len(r.sealers)))
	}
	return &to
}

// rescuing looks for allow entries of which one condition does not hold, or that
// expired.
func (d decision) rescuing(dm *evidence.DMARC, add adder) {
	tried := 0
	for i := range d.rules.allow.list {
		x := &d.rules.allow.list[i]
		m := d.misses(x, dm)
		if m.distance == 0 {
			return // it comes first
		}
		missing := expiredEntry
		if m.first != expiredEntry {
			missing = m.first
		}
		without := x.without(missing)
		if ok, unknown := d.matches(&without, dm); !ok || unknown != noFacts {
			continue
		}
		if missing != expiredEntry && d.blockedToo(x, missing, dm) {
			continue
		}
		if tried++; tried > NearMisses {
			return
		}
		rules := *d.rules
		rules.allow = exceptions{kind: Allow, list: []exception{without}}
		c := Change{Entry: x.ID}
		if missing == expiredEntry {
			add(c, authorOf(dm), &rules, "the exception %s has not expired", clean(x.ID, 100))
			continue
		}
		u := d.unmet(x, missing, dm)
		c.Unmet = u.Key
		add(c, authorOf(dm), &rules, "the exception %s finds what it wants for %s: %s", clean(x.ID, 100), u.Key, clean(strings.Join(u.Wanted, ", "), 200))
	}
}

// blockedToo reports whether a block entry would hold by what x misses.
func (d decision) blockedToo(x *exception, k int, dm *evidence.DMARC) bool {
	return slices.ContainsFunc(d.rules.block.list, func(y exception) bool {
		if !y.asks(k) || !overlap(x, &y, k) {
			return false
		}
		y = y.without(k)
		ok, _ := d.matches(&y, dm)
		return ok
	})
}

// overlap reports whether two entries have a value of condition k in common.
func overlap(x, y *exception, k int) bool {
	for p := range x.sets[k] {
		if _, ok := y.sets[k][p]; ok {
			return true
		}
	}
	return conditions[k].list == nil && slices.ContainsFunc(x.clients, func(n netip.Prefix) bool {
		return slices.ContainsFunc(y.clients, n.Overlaps)
	})
}

// without is x without number k of conditions, or without its expiry.
func (x *exception) without(k int) exception {
	y := *x
	if k == expiredEntry {
		e := *x.Exception
		e.NeverExpires = true
		y.Exception = &e
		return y
	}
	y.sets = slices.Clone(x.sets)
	if y.sets[k] = nil; conditions[k].list == nil {
		y.clients = nil
	}
	return y
}

// abolishing looks for the local rule without which the outcome were milder.
func (d decision) abolishing(v *Verdict, add adder) {
	id := clean(v.Rule, 100)
	rules := *d.rules
	switch {
	case v.Step == StepException:
		i := slices.IndexFunc(rules.block.list, func(x exception) bool { return x.ID == v.Rule })
		if i < 0 {
			return
		}
		rules.block = exceptions{kind: Block, list: slices.Delete(slices.Clone(rules.block.list), i, i+1)}
		rules.block.file()
		add(Change{Without: v.Rule, Kind: KindException}, "", &rules, "the exception %s is not there", id)
	case v.Rule == "permerror":
		rules.permError = Accept
		add(Change{Without: v.Rule}, "", &rules, "the option permerror is accept")
	case v.Rule == "unauthenticated" || v.Rule == "spf_fail":
		rules.noRecord = NoRecord{Unauthenticated: Accept, SPFFail: Accept}
		add(Change{Without: v.Rule}, "", &rules, "the options unauthenticated and spf_fail are accept")
	case slices.ContainsFunc(rules.own, func(o OwnDomains) bool { return o.ID == v.Rule }):
		rules.own, rules.ownIndex = nil, nil
		add(Change{Without: v.Rule, Kind: KindOwn}, "", &rules, "%s is not among own_domains", authorOf(Decisive(d.ev, v)))
	}
}
