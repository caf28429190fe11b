package policy

import (
	"fmt"
	"slices"
	"strings"

	"alignd/evidence"
)

// finding is what the results of a Sealer say of the Author Domain: Pass, Fail,
// or None and why they do not count.
type finding struct {
	result evidence.Result
	why    string
	// missing is what was not looked up, without which None is not certain.
	missing facts
}

func unusable(format string, args ...any) finding {
	return finding{result: evidence.None, why: fmt.Sprintf(format, args...)}
}

// quoted is outside text within a reason.
func quoted(s string) string { return `"` + clean(s, 80) + `"` }

// sealed is what the Sealer found for the Author Domain.
func (s *sealer) sealed(set *evidence.ARCSet, dm *evidence.DMARC) finding {
	aar := set.AAR
	switch {
	case aar == nil:
		return unusable("its ARC-Authentication-Results cannot be read")
	case aar.ServID == "":
		return unusable("its results have no authserv-id")
	case !s.writes(aar.ServID, set.SealDomain):
		return unusable("the authserv-id of its results is %s, which is not one of its authserv_ids, or by default of its domain", quoted(aar.ServID))
	}
	f := foundDMARC(aar, dm)
	if f.result != evidence.None || s.Require != RequireAligned {
		return f
	}
	return foundAligned(aar, dm, f.why)
}

// foundDMARC looks for dmarc=pass with header.from equal to the Author Domain. A
// fail for it counts more.
func foundDMARC(aar *evidence.AuthResults, dm *evidence.DMARC) finding {
	out := unusable("its results have no dmarc that can be read")
	for i := range aar.Results {
		m := &aar.Results[i]
		if m.Method != "dmarc" {
			continue
		}
		from, why := propDomain(m, "header", "from")
		switch {
		case from == dm.AuthorDomain && m.Result == "fail":
			return finding{result: evidence.Fail, why: "it found dmarc=fail"}
		case from == dm.AuthorDomain && m.Result == "pass":
			out = finding{result: evidence.Pass}
		case out.result == evidence.Pass:
		case why != "":
			out = unusable("%s in its dmarc result", why)
		case from != dm.AuthorDomain:
			out = unusable("its dmarc result is for the From domain %s", clean(from, 80))
		default:
			out = unusable("it found dmarc=%s", clean(m.Result, 20))
		}
	}
	return out
}

// foundAligned looks for a dkim=pass that aligns, or an spf=pass that does beside
// the same From domain.
func foundAligned(aar *evidence.AuthResults, dm *evidence.DMARC, why string) finding {
	sameFrom := slices.ContainsFunc(aar.Results, func(m evidence.MethodResult) bool {
		from, _ := propDomain(&m, "header", "from")
		return from == dm.AuthorDomain
	})
	why += ", and no dkim or spf pass that aligns"
	var missing facts
	for i := range aar.Results {
		m := &aar.Results[i]
		if m.Result != "pass" {
			continue
		}
		var ok bool
		var but string
		var unknown facts
		switch m.Method {
		case "dkim":
			ok, but, unknown = signed(m, dm)
		case "spf":
			var from string
			from, but = propDomain(m, "smtp", "mailfrom")
			if !sameFrom {
				but = "its spf counts only beside a header.from of " + dm.AuthorDomain
				break
			}
			ok, unknown = aligned(from, dm, dm.Published.StrictSPF)
		}
		if ok {
			return finding{result: evidence.Pass}
		}
		if missing |= unknown; but != "" {
			why += "; " + but
		}
	}
	f := unusable("%s", clip(why))
	f.missing = missing
	return f
}

// maxWhy bounds what is told of one Sealer, in octets; ours.
const maxWhy = 400

func clip(s string) string {
	if len(s) > maxWhy {
		return s[:maxWhy] + "..."
	}
	return s
}

// signed reports whether a dkim=pass aligns. Some write header.i only: its domain
// is d= or below it (RFC 6376 section 3.5), so one at or below the Organizational
// Domain shows relaxed alignment of d=, but strict alignment it does not show.
func signed(m *evidence.MethodResult, dm *evidence.DMARC) (ok bool, why string, missing facts) {
	if m.Value("header", "d") != "" {
		d, why := propDomain(m, "header", "d")
		ok, missing = aligned(d, dm, dm.Published.StrictDKIM)
		return ok, why, missing
	}
	id, why := propDomain(m, "header", "i")
	switch {
	case why != "":
		return false, why, noFacts
	case dm.Published.StrictDKIM:
		return false, "its header.i does not show d=, which is to be equal (adkim=s)", noFacts
	}
	ok, missing = aligned(id, dm, false)
	return ok, "", missing
}

// propDomain is the domain that a property names; why says what is wrong where it
// names none, or several that differ.
func propDomain(m *evidence.MethodResult, ptype, name string) (domain, why string) {
	for _, p := range m.Properties {
		if p.Type != ptype || p.Name != name {
			continue
		}
		d := writtenDomain(p.Value)
		switch {
		case d == "":
			return "", ptype + "." + name + " is written as " + quoted(p.Value)
		case domain != "" && d != domain:
			return "", ptype + "." + name + " stands there with different domains"
		}
		domain = d
	}
	if domain == "" {
		return "", ptype + "." + name + " is missing"
	}
	return domain, ""
}

// writtenDomain is the domain of a value as others write it: a domain, an address,
// or "@" and a domain, alone or in one pair of angle brackets. U-labels are A-labels
// already (RFC 8616 section 6). It is empty for anything else, as what only some
// readers take for this domain must not vouch for it: several "@", blanks, a
// display name, quotes within quotes.
func writtenDomain(v string) string {
	if inner, ok := strings.CutPrefix(v, "<"); ok {
		if v, ok = strings.CutSuffix(inner, ">"); !ok {
			return ""
		}
	}
	name := v
	if local, domain, ok := cutAddress(v); ok {
		if !isLocal(local) {
			return ""
		}
		name = domain
	}
	if name = plainDomain(name); !isDomain(name) {
		return ""
	}
	return name
}

// isLocal reports whether a local part is empty, or one that every reader ends at
// the same "@": a dot-atom, UTF-8 included (RFC 6532), or words in quotes.
func isLocal(local string) bool {
	blanks := false
	if len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"' {
		local, blanks = local[1:len(local)-1], true
	}
	for i := 0; i < len(local); i++ {
		c := local[i]
		if c < '!' && (c != ' ' || !blanks) || c == 0x7f || strings.IndexByte(`"(),:;<>@[\]`, c) >= 0 {
			return false
		}
	}
	return true
}

// writes reports whether the Sealer of domain plausibly writes results under
// this authserv-id. Behind a "/" stands the id of a job (RFC 8601 section 2.5).
func (s *sealer) writes(servID, domain string) bool {
	servID, _, _ = strings.Cut(servID, "/")
	servID = plainDomain(servID)
	if s.servIDs != nil {
		return s.servIDs.hasAny(domainKeys(servID))
	}
	return servID != "" && (servID == domain || isBelow(servID, domain) ||
		strings.Contains(servID, ".") && isBelow(domain, servID))
}

// disbelief says why no Sealer vouches although one that is listed sealed the
// message; empty when none did, or the results speak for themselves.
func (d decision) disbelief(dm *evidence.DMARC) string {
	arc := &d.ev.ARC
	at := -1
	for i := range arc.Sets {
		if d.listed(&arc.Sets[i]) != nil {
			at = i
		}
	}
	if at < 0 {
		return ""
	}
	name := clean(arc.Sets[at].SealDomain, 80)
	switch {
	case arc.Result != evidence.Pass:
		return " The chain names the trusted ARC sealer " + name + ", but it fails: " + clean(arc.Reason, 200) + "."
	case !complete(arc):
		return " The chain names the trusted ARC sealer " + name + ", but it is not complete."
	}
	var why string
	low, _ := d.trustedFrom(dm)
	if low > 0 && (low == len(arc.Sets) || d.listed(&arc.Sets[low-1]) != nil) {
		why = d.untrusted(low-1, dm)
	}
	for i := low; i < min(len(arc.Sets), low+3); i++ {
		set := &arc.Sets[i]
		s, _ := d.trusted(i, dm)
		f := unusable("the message was changed since (oldest-pass)")
		if !s.Unmodified || arc.OldestPass <= i+1 {
			f = s.sealed(set, dm)
		}
		told := fmt.Sprintf(" The trusted ARC sealer %s (i=%d) does not vouch: %s.", clean(set.SealDomain, 80), i+1, f.why)
		if f.result == evidence.Fail {
			return told // what newer ones say does not count
		}
		why += told
	}
	return why
}

// listed returns the first Sealer that lists the domain of a seal, or nil.
func (d decision) listed(set *evidence.ARCSet) *sealer {
	best := int32(-1)
	for p := range domainKeys(set.SealDomain) {
		if l := d.rules.sealerIndex[p]; len(l) > 0 && (best < 0 || l[0] < best) {
			best = l[0]
		}
	}
	if best < 0 {
		return nil
	}
	return &d.rules.sealers[best]
}

// untrusted says why trust ends at the ARC Set at position at.
func (d decision) untrusted(at int, dm *evidence.DMARC) string {
	set := &d.ev.ARC.Sets[at]
	who := fmt.Sprintf(" The seal i=%d of %s", at+1, clean(set.SealDomain, 80))
	s := d.listed(set)
	if s == nil {
		return who + " is of no trusted sealer, and what lies below it does not count."
	}
	why, missing := d.uncovered(s, set, at == len(d.ev.ARC.Sets)-1, dm)
	if missing != noFacts {
		why = "not known: " + string(missing.list()[0])
	}
	return who + " is not trusted: " + why + "."
}
