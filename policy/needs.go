package policy

import (
	"slices"
	"strings"

	"alignd/evidence"
)

// Needs are the facts that some rule looks at and that cost DNS questions of
// their own: verify asks for nothing else, and nothing that no rule lists.
func (r *Rules) Needs() evidence.Needs { return r.needs }

// signalNeeds adds what the signals of corroborated_by need, for each way in
// which a profile, an entry of domains and the general setting can come together.
func (c *compiler) signalNeeds() {
	type level struct {
		mode    RejectMode
		signals string // those of costly that are listed; "-" keeps the wider setting
	}
	of := func(h *Handling) level {
		l := level{h.RejectMode, "-"}
		if h.Signals != nil {
			l.signals = costly(h.Signals)
		}
		return l
	}
	r := c.rules
	profiles, domains := map[level]bool{{"", "-"}: true}, map[level]bool{{"", "-"}: true}
	for i := range r.profiles {
		profiles[of(&r.profiles[i].Handling)] = true
	}
	for i := range r.domains {
		domains[of(&r.domains[i].Handling)] = true
	}
	for p := range profiles {
		for d := range domains {
			l := p
			for _, wider := range []level{d, of(&r.handling)} {
				fill(&l.mode, wider.mode)
				if l.signals == "-" {
					l.signals = wider.signals
				}
			}
			if l.mode == Corroborated {
				r.needs.IPRev = r.needs.IPRev || strings.Contains(l.signals, "r")
				r.needs.Existence = r.needs.Existence || strings.Contains(l.signals, "e")
				r.needs.OrgDomain = r.needs.OrgDomain || strings.Contains(l.signals, "o")
			}
		}
	}
}

// costly names the signals that need a question of their own: "e" for existence,
// "r" for the reverse name, "o" for the Organizational Domain, to which those about
// identifiers of the Author Domain's family compare.
func costly(list []Signal) string {
	var s string
	if slices.Contains(list, SignalNonExistent) {
		s = "e"
	}
	if slices.Contains(list, SignalNoReverse) {
		s += "r"
	}
	if slices.Contains(list, SignalNoSignature) || slices.Contains(list, SignalSPFFail) {
		s += "o"
	}
	return s
}
