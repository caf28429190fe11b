package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"alignd/evidence"
)

// exceptions tells of those of one kind; unasked says why they are not asked.
func (c *considering) exceptions(list *exceptions, dm *evidence.DMARC, unasked string) {
	if len(list.list) == 0 {
		return
	}
	if unasked != "" {
		c.add(Considered{Kind: KindException, Author: authorOf(dm), Fate: Unasked, Why: unasked, Count: len(list.list)})
		return
	}
	var missed []miss
	first, held := "", 0
	for i := range list.list {
		x := &list.list[i]
		m := c.misses(x, dm)
		if m.distance > 0 {
			m.at = i
			missed = append(missed, m)
			continue
		}
		told := Considered{Kind: KindException, ID: x.ID, At: x.Source, Author: authorOf(dm), Fate: Held, Why: "all that it asks for holds, but " + first + " comes first"}
		if held++; held == 1 {
			first = x.ID
			told.Why = "all that it asks for holds"
			if told.Fate = c.fate(StepException, x.ID, dm); told.Fate == Held {
				told.Why += ", and it changes nothing"
			}
		}
		if held <= NearMisses {
			c.add(told)
		}
	}
	if more := held - NearMisses; more > 0 {
		c.add(Considered{Kind: KindException, Author: authorOf(dm), Fate: Held, Why: "all that they ask for holds, but " + first + " comes first", Count: more})
	}
	c.nearest(list, missed, dm)
}

// miss is how far an entry is from matching.
type miss struct {
	at       int
	distance int // 0: it matches
	first    int // of conditions, or expiredEntry
}

const expiredEntry = -1

// misses counts what x misses: scope more than proof, as a rule about other mail is no
// near miss, and what is not known least.
func (d decision) misses(x *exception, dm *evidence.DMARC) (m miss) {
	if x.expired(d.ev.Time) {
		m = miss{distance: 2, first: expiredEntry}
	}
	for k := range conditions {
		if !x.asks(k) {
			continue
		}
		far := 0
		switch ok, unknown := d.fits(x, k, dm); {
		case !ok && conditions[k].proof():
			far = 2
		case !ok:
			far = 2 * len(conditions)
		case unknown != noFacts:
			far = 1
		}
		if far > 0 && m.distance == 0 {
			m.first = k
		}
		m.distance += far
	}
	return m
}

// nearest names the entries that miss the least, and counts the others by what they
// miss first.
func (c *considering) nearest(list *exceptions, missed []miss, dm *evidence.DMARC) {
	slices.SortStableFunc(missed, func(a, b miss) int { return cmp.Compare(a.distance, b.distance) })
	n := min(len(missed), NearMisses)
	for _, m := range missed[:n] {
		c.add(c.entry(&list.list[m.at], dm))
	}
	counts := map[int]int{}
	for _, m := range missed[n:] {
		counts[m.first]++
	}
	for k := expiredEntry; k < len(conditions); k++ {
		if counts[k] == 0 {
			continue
		}
		why := "they have expired"
		if k >= 0 {
			why = conditions[k].key + " does not hold"
		}
		c.add(Considered{Kind: KindException, Author: authorOf(dm), Fate: Unmatched, Why: why, Count: counts[k]})
	}
}

// entry tells of an entry that does not match what it misses.
func (d decision) entry(x *exception, dm *evidence.DMARC) Considered {
	told := Considered{Kind: KindException, ID: x.ID, At: x.Source, Author: authorOf(dm), Fate: Unmatched}
	known := x.expired(d.ev.Time)
	if known {
		told.Why = "it expired on " + x.Expires.UTC().Format(time.DateOnly)
	}
	for k := range conditions {
		if !x.asks(k) {
			continue
		}
		ok, unknown := d.fits(x, k, dm)
		if ok && unknown == noFacts {
			continue
		}
		known = known || !ok
		u := d.unmet(x, k, dm)
		if ok {
			u.Facts = unknown.list()
		}
		told.Unmet = append(told.Unmet, u)
	}
	if !known {
		told.Fate = Unknown
	}
	return told
}

// unmet tells what an entry wants for a condition and what the message has.
func (d decision) unmet(x *exception, k int, dm *evidence.DMARC) Unmet {
	of := &conditions[k]
	u := Unmet{Key: of.key}
	if of.list == nil {
		for _, n := range x.clients {
			u.Wanted = append(u.Wanted, n.String())
		}
		if ip := d.ev.Client.IP(); ip.IsValid() {
			u.Had = []string{ip.String()}
		}
	} else {
		u.Wanted = slices.Clone(of.list(x.Exception))
		for i := 0; ; i++ {
			v, more := of.value(d, x.kind, dm, i)
			if !more {
				break
			}
			if text := clean(v.text, 100); v.is == anAddress || v.is == aBlockedRecipient {
				u.Had = append(u.Had, "<"+text+">")
			} else if text != "" {
				u.Had = append(u.Had, text)
			}
		}
	}
	u.Wanted, u.Had = few(u.Wanted), few(u.Had)
	if len(u.Had) == 0 {
		u.None = of.none
	}
	return u
}

// few are the first of a list, and how many there are besides.
func few(list []string) []string {
	if len(list) <= maxShown {
		return list
	}
	return append(list[:maxShown:maxShown], fmt.Sprintf("%d others", len(list)-maxShown))
}
