package replay

import (
	"strings"
	"time"

	"alignd/evidence"
	"alignd/record"
)

const (
	identifiers = evidence.SectionSPF | evidence.SectionDKIM
	checks      = identifiers | evidence.SectionARC | evidence.SectionIPRev | evidence.SectionDMARC
)

// otherOptions are the options that are other ones and that may have made another
// observation of this message. What a record does not tell is taken to matter.
func otherOptions(ev *evidence.Message, had, want *record.Options) (list []doubt) {
	if had.Discovery == "" {
		return []doubt{{Cause{OtherOption, "all, as the record has none"}, evidence.SectionFrom | checks}}
	}
	add := func(matters bool, option string, of evidence.Sections) {
		if matters {
			list = append(list, doubt{Cause{OtherOption, option}, of})
		}
	}
	add(had.Discovery != want.Discovery && otherDiscovery(ev, had, want), "discovery", evidence.SectionDMARC)
	add(had.Discovery == want.Discovery && want.Discovery == evidence.TreeWalk && had.PSLGuard != want.PSLGuard && !allExact(ev),
		"psl_guard", evidence.SectionDMARC)
	add(otherAuthors(ev, had.MaxFromDomains, want.MaxFromDomains), "from.max_domains", evidence.SectionFrom|evidence.SectionDMARC)
	all := len(ev.DKIM) + ev.DKIMSkipped
	add(min(all, had.MaxSignatures) != min(all, want.MaxSignatures), "dkim.max_signatures", evidence.SectionDKIM)
	add(otherLength(ev, had, want), lengthOption(had, want), evidence.SectionDKIM)
	add(had.AcceptPartlySigned != want.AcceptPartlySigned && anyCovered(ev.DKIM), "dkim.accept_partly_signed", evidence.SectionDKIM)
	add(had.AcceptPartlySigned != want.AcceptPartlySigned && ev.ARC.Instances > 0, "dkim.accept_partly_signed", evidence.SectionARC)
	add(otherTimes(ev, had.ClockSkew, want.ClockSkew), "dkim.clock_skew", evidence.SectionDKIM)
	add(had.ClockSkew != want.ClockSkew && ev.ARC.Instances > 0, "dkim.clock_skew", evidence.SectionARC)
	add(had.IgnoreWideSPF != want.IgnoreWideSPF && widePass(ev), "spf.wide", evidence.SectionSPF)
	add(had.SPFVoids != want.SPFVoids && voids(ev) > min(had.SPFVoids, want.SPFVoids), "spf.max_void_lookups", evidence.SectionSPF)
	add(had.SPFTimeout != want.SPFTimeout && otherTime(ev, want.SPFTimeout > had.SPFTimeout, want.SPFTimeout), "spf.timeout", evidence.SectionSPF)
	add(had.Timeout != want.Timeout && otherTime(ev, want.Timeout > had.Timeout, want.Timeout), "limits.message_timeout", checks)
	add(want.MaxQueries > had.MaxQueries && budgetSpent(ev), "dns.max_queries", checks)
	return list
}

// otherDiscovery reports whether the other method could find another policy. Where both
// were asked (compare_discovery), the record says so.
func otherDiscovery(ev *evidence.Message, had, want *record.Options) bool {
	if had.CompareDiscovery && had.PSLGuard == want.PSLGuard {
		for i := range ev.DMARC {
			if ev.DMARC[i].Divergence != nil {
				return true
			}
		}
		return false
	}
	return !allExact(ev)
}

// allExact reports whether each Author Domain passes by its own record and an
// identifier that is this very domain: both methods ask there first (RFC 9989 section
// 4.10.1, RFC 7489 section 6.6.3), and it aligns under both.
func allExact(ev *evidence.Message) bool {
	for i := range ev.DMARC {
		if !exact(ev, &ev.DMARC[i]) {
			return false
		}
	}
	return true
}

func exact(ev *evidence.Message, dm *evidence.DMARC) bool {
	if dm.Result != evidence.Pass || dm.PolicyDomain != dm.AuthorDomain || len(ev.From.Fronts) > 0 {
		return false
	}
	if s := ev.ReportedSPF(); dm.SPFAligned && s != nil && s.Domain == dm.AuthorDomain {
		return true
	}
	for _, i := range dm.AlignedDKIM {
		if i < len(ev.DKIM) && ev.DKIM[i].Domain == dm.AuthorDomain {
			return true
		}
	}
	return false
}

func otherAuthors(ev *evidence.Message, had, want int) bool {
	if ev.From.Problem == evidence.FromTooMany {
		return want > had
	}
	return len(ev.From.Domains) > want
}

// otherLength reports whether a signature with l= would have counted, or not.
func otherLength(ev *evidence.Message, had, want *record.Options) bool {
	if lengthOption(had, want) == "" {
		return false
	}
	for i := range ev.DKIM {
		if s := &ev.DKIM[i]; s.Unsigned > 0 && covered(s) {
			return true
		}
	}
	return false
}

func lengthOption(had, want *record.Options) string {
	switch {
	case had.AcceptLength != want.AcceptLength:
		return "dkim.accept_length"
	case want.AcceptLength && had.MinLengthPercent != want.MinLengthPercent:
		return "dkim.min_length_percent"
	}
	return ""
}

// covered reports whether a signature holds but for what it covers.
func covered(s *evidence.Signature) bool {
	return s.Result == evidence.Pass || s.Result == evidence.Policy && s.FailedOn == evidence.FailedCoverage
}

func anyCovered(list []evidence.Signature) bool {
	for i := range list {
		if covered(&list[i]) {
			return true
		}
	}
	return false
}

// otherTimes reports whether t= or x= of a signature (RFC 6376 section 3.5) is in time
// with one skew and not with the other.
func otherTimes(ev *evidence.Message, had, want time.Duration) bool {
	for i := range ev.DKIM {
		if s := &ev.DKIM[i]; inTime(s, ev.Time, had) != inTime(s, ev.Time, want) {
			return true
		}
	}
	return false
}

func inTime(s *evidence.Signature, at time.Time, skew time.Duration) bool {
	return (s.Expires.IsZero() || !at.After(s.Expires.Add(skew))) && (s.Signed.IsZero() || !s.Signed.After(at.Add(skew)))
}

func widePass(ev *evidence.Message) bool {
	s := ev.ReportedSPF()
	return s != nil && s.Wide && s.Result == evidence.Pass
}

func voids(ev *evidence.Message) (most int) {
	for _, s := range []*evidence.SPFCheck{ev.SPF.MailFrom, ev.SPF.HELO} {
		if s != nil {
			most = max(most, s.Voids)
		}
	}
	return most
}

// otherTime reports whether more time could have brought an answer, or less could have
// lost one.
func otherTime(ev *evidence.Message, more bool, limit time.Duration) bool {
	if more {
		return len(ev.Failed) > 0
	}
	return ev.Elapsed > limit
}

// budgetSpent reports whether questions were refused.
func budgetSpent(ev *evidence.Message) bool {
	for _, p := range ev.Problems {
		if strings.HasPrefix(p, evidence.BudgetSpent) {
			return true
		}
	}
	return false
}
