package policy

import (
	"fmt"
	"slices"
	"strings"

	"alignd/evidence"
)

// Way is one thing that would have to be different for a message to pass DMARC, or to be
// let in although it does not.
type Way struct {
	// Author is the Author Domain that it is about; empty for the whole message.
	Author string
	// Passes: the Author Domain would pass. Else the message would be treated milder.
	Passes bool
	Change Change
	// Text says it in a sentence without end. It may quote outside text.
	Text string
}

// Change is what is different: one of its fields, as far as it can be said by one.
type Change struct {
	Signature int    // this one, counted from 1 in Message.DKIM, verifies
	Signer    string // there is a further signature that verifies, with this d=
	SPF       string // SPF passes for this domain of MAIL FROM, or HELO for the null reverse-path
	// Relaxed: the record asks for relaxed alignment.
	Relaxed bool
	// Trusted are domains of ARC Sealers for which there is an entry, with Require and
	// ServIDs.
	Trusted []string
	Require RequiredResult
	ServIDs []string
	// Entry is an exception of which the condition Unmet holds, or that has not expired.
	Entry, Unmet string
	// Without is the entry or option of Kind that is not there.
	Without string
	Kind    RuleKind
	// Answers: DNS tells the policy besides, which is not known.
	Answers bool
	// From: it names one author in one field.
	From bool
}

// Ways tells what would have to be different for the message to pass DMARC, for each
// Author Domain that does not, and to be treated milder, where it is not delivered.
// Each is true by itself, as far as Evidence tells. It is pure.
func Ways(ev *evidence.Message, rules *Rules) []Way {
	d := decision{ev: ev, rules: rules}
	var list []Way
	for i := range ev.DMARC {
		dm := &ev.DMARC[i]
		switch dm.Result {
		case evidence.Fail, evidence.TempError:
			ways := d.passing(dm)
			if dm.PolicyTemporary && dm.Policy == evidence.PolicyAbsent {
				for i := range ways {
					ways[i].Change.Answers = true
					ways[i].Text = "DNS tells its policy, and " + ways[i].Text
				}
			}
			list = append(list, ways...)
		}
	}
	return append(list, d.milder()...)
}

// passing are the ways to a pass for one Author Domain: an aligned signature, or an
// aligned pass of SPF (RFC 9989 section 4.4).
func (d decision) passing(dm *evidence.DMARC) (list []Way) {
	add := func(c Change, format string, args ...any) {
		list = append(list, Way{Author: dm.AuthorDomain, Passes: true, Change: c, Text: fmt.Sprintf(format, args...)})
	}
	exact := dm.PolicyTemporary // an own record could ask for strict alignment
	strict := dm.Published.StrictDKIM || exact
	var others []string
	signed := false
	for i := range d.ev.DKIM {
		s := &d.ev.DKIM[i]
		name := fmt.Sprintf("d=%s s=%s", clean(s.Domain, 100), clean(s.Selector, 60))
		yes, _ := aligned(s.Domain, dm, strict || s.PublicSuffix)
		loosely, _ := aligned(s.Domain, dm, s.PublicSuffix)
		switch {
		case s.Result == evidence.Pass && loosely && dm.Published.StrictDKIM && !exact:
			add(Change{Relaxed: true}, "the DMARC record asks for relaxed alignment: the signature %s verifies, but adkim=s wants d=%s exactly", name, dm.AuthorDomain)
		case s.Result == evidence.Pass:
			others = append(others, clean(s.Domain, 100))
		case yes:
			signed = true
			add(Change{Signature: i + 1}, "the signature %s verifies%s: %s", name, unlessOwn(s.Domain, dm), whyBroken(s))
		}
	}
	if !signed {
		add(Change{Signer: dm.AuthorDomain}, "a DKIM signature of %s verifies: %s", d.alike("d=", dm, strict), d.unsigned(others))
	}
	return append(list, d.passingSPF(dm, exact)...)
}

// unlessOwn says where DNS may know better than Evidence whether a name is aligned.
func unlessOwn(id string, dm *evidence.DMARC) string {
	if id == dm.AuthorDomain {
		return ""
	}
	return " (unless DNS makes " + clean(id, 100) + " an Organizational Domain of its own)"
}

// alike are the identifiers that are aligned with an Author Domain, in words.
func (d decision) alike(prefix string, dm *evidence.DMARC, strict bool) string {
	author, org := dm.AuthorDomain, dm.OrgDomain
	if strict {
		return prefix + author + " exactly"
	}
	if site := dm.SiteDomain; site != "" {
		org = site
	}
	if ok, _ := aligned(org, dm, false); org == "" || org == author || !ok {
		return prefix + author + ", or a name below it,"
	}
	return prefix + author + ", or another name of the Organizational Domain " + org + ","
}

// unsigned says what signatures there are instead.
func (d decision) unsigned(others []string) string {
	switch {
	case len(others) > 0:
		slices.Sort(others)
		return "those that verify are of " + strings.Join(few(slices.Compact(others)), ", ") + ", which is not aligned"
	case !d.ev.Has(evidence.SectionDKIM):
		return "signatures were not looked for"
	case len(d.ev.DKIM) > 0:
		return "none of those that there are verifies, nor would it be aligned"
	}
	return "the message is not signed"
}

// whyBroken says in words why a signature does not verify, for the admin.
func whyBroken(s *evidence.Signature) string {
	why := brokenText(s)
	if s.Reason != "" {
		why += " (" + clean(s.Reason, 200) + ")"
	}
	return why
}

// passingSPF are the ways to a pass by SPF.
func (d decision) passingSPF(dm *evidence.DMARC, exact bool) (list []Way) {
	add := func(c Change, format string, args ...any) {
		list = append(list, Way{Author: dm.AuthorDomain, Passes: true, Change: c, Text: fmt.Sprintf(format, args...)})
	}
	identity := "MAIL FROM"
	if d.ev.MailFrom == "" {
		identity = "HELO"
	}
	strict := dm.Published.StrictSPF || exact
	other := d.alike(identity+" is of ", dm, strict)
	c := d.ev.ReportedSPF()
	if c == nil {
		add(Change{SPF: dm.AuthorDomain}, "%s and SPF passes: SPF was not checked", other)
		return list
	}
	name := clean(c.Domain, 100)
	yes, _ := aligned(c.Domain, dm, strict)
	loosely, _ := aligned(c.Domain, dm, false)
	passes := c.Result == evidence.Pass
	switch {
	case passes && d.ignored(c) && yes:
		add(Change{SPF: c.Domain}, "the SPF record of %s names less than everybody, so that it counts (spf.wide: ignore)", name)
	case yes:
		add(Change{SPF: c.Domain}, "SPF passes for %s %s%s: it is %s", identity, name, unlessOwn(c.Domain, dm), d.whyNoSPF(c))
	case passes && loosely && dm.Published.StrictSPF && !exact:
		add(Change{Relaxed: true}, "the DMARC record asks for relaxed alignment: SPF passes for %s %s, but aspf=s wants %s exactly", identity, name, dm.AuthorDomain)
	case passes:
		add(Change{SPF: dm.AuthorDomain}, "%s and SPF passes for it: it passes for %s, which is not aligned", other, name)
	case c.Domain == "":
		add(Change{SPF: dm.AuthorDomain}, "%s and SPF passes for it: there is no domain to check", other)
	default:
		add(Change{SPF: dm.AuthorDomain}, "%s and SPF passes for it: it is %s for %s, which is not aligned either", other, c.Result, name)
	}
	return list
}

// whyNoSPF says what SPF found, and where.
func (d decision) whyNoSPF(c *evidence.SPFCheck) string {
	why := string(c.Result)
	switch {
	case c.Mechanism != "":
		why += ", by " + clean(c.Mechanism, 100) + " in the record of " + clean(c.MechanismDomain, 100)
	case c.Reason != "":
		why += ", " + clean(c.Reason, 200)
	}
	if ip := d.ev.Client.IP(); ip.IsValid() {
		why += " (client " + ip.String() + ")"
	}
	return why
}
