package sources

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Report is what a survey found.
type Report struct {
	Messages    int // records that were counted
	First, Last time.Time
	// Sources are own domains first, then those with the most failing mail. Those that sent
	// a few messages, none of which passed, are behind all others.
	Sources []*Source
	// Suggestions are all entries, those for own domains and the most mail first.
	Suggestions []*Suggestion
	Rest        Rest
}

// Report tells what was found, at the end.
func (s *Survey) Report() *Report {
	r := &Report{Messages: s.count, First: s.first, Last: s.last, Rest: s.rest}
	r.Sources = append(s.own.all(), s.others.all()...)
	byPair := s.settle(r)
	since := s.opt.Now.Add(-newFor)
	for _, p := range r.Sources {
		p.New = s.first.Before(since) && p.First.After(since) && (s.opt.Before == nil || !s.opt.Before(p.Author, p.Infrastructure))
		p.Signers, p.Senders, p.Sealers, p.Lists = p.signers.sorted(), p.senders.sorted(), p.sealers.sorted(), p.lists.sorted()
		s.explain(p, byPair[pairKey{p.Author, p.Infrastructure}])
	}
	slices.SortStableFunc(r.Sources, func(a, b *Source) int {
		return cmp.Or(btoi(a.once())-btoi(b.once()), btoi(b.Own)-btoi(a.Own), b.Fail-a.Fail, b.Messages-a.Messages,
			cmp.Compare(a.Author, b.Author), cmp.Compare(a.Infrastructure, b.Infrastructure))
	})
	return r
}

// settle decides on all candidates, and files them by the pairs whose mail they are about,
// those for the most mail first.
func (s *Survey) settle(r *Report) map[pairKey][]*candidate {
	byPair := map[pairKey][]*candidate{}
	for _, c := range s.candidates {
		if c.settle(); c.why == "" {
			r.Suggestions = append(r.Suggestions, &c.Suggestion)
		}
		for author := range c.class.authors.rows {
			for _, from := range c.class.from.list {
				k := pairKey{author, from.Name}
				byPair[k] = append(byPair[k], c)
			}
		}
	}
	return byPair
}

// explain says what is suggested for a source, or why nothing is.
func (s *Survey) explain(p *Source, about []*candidate) {
	for _, c := range about {
		if c.why == "" {
			p.Suggestions = append(p.Suggestions, &c.Suggestion)
		} else if p.NotSuggested == "" {
			p.NotSuggested = c.why
		}
	}
	switch {
	case s.opt.With == nil || p.Fail == 0 || len(p.Suggestions) > 0:
		p.NotSuggested = ""
	case p.acted == 0:
		p.NotSuggested = "the configuration in force delivers its failing mail as it is; --rules goes by another one"
	case p.NotSuggested == "" && len(p.Sealers) > 0 && !s.trusted(p.Sealers[0].Name):
		p.NotSuggested = fmt.Sprintf("nothing but itself speaks for the sealer %s, and whoever owns a domain can seal with it. Where you know that it tells the truth: --trust %s",
			p.Sealers[0].Name, p.Sealers[0].Name)
	case p.NotSuggested == "" && slices.ContainsFunc(p.Signers, func(c Count) bool { return !s.sameOrg(c.Name, p.Author) }):
		p.NotSuggested = "too many signers and senders are seen to follow those of this one; name one domain"
	case p.NotSuggested == "":
		p.NotSuggested = "its failing mail has no signature of another domain that passes, so nothing proves who sends it"
	}
}

// once: who forges from many places has thousands of these.
func (p *Source) once() bool { return p.Pass == 0 && p.Messages < leastMessages }

// Days is on how many days in UTC it was seen.
func (p *Source) Days() int { return p.days.count() }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
