package explain

import (
	"fmt"
	"strings"

	"alignd/compare"
	"alignd/evidence"
	"alignd/resolver"
)

// Checks tells what each check found.
func (e *Teller) Checks() {
	e.Section("Checks")
	e.spf()
	e.dkim()
	e.arc()
	e.dmarc()
	e.iprev()
	e.beside()
}

func (e *Teller) spf() {
	e.spfCheck("SPF", e.ev.ReportedSPF())
	if e.ev.MailFrom != "" {
		e.spfCheck("SPF of HELO", e.ev.SPF.HELO)
	}
}

func (e *Teller) spfCheck(name string, c *evidence.SPFCheck) {
	if c == nil {
		e.Line(name, "not checked")
		return
	}
	text := fmt.Sprintf("%s for %s %q", c.Result, c.Identity, c.Domain)
	if c.Mechanism != "" {
		text += fmt.Sprintf(": %s in the record of %s", c.Mechanism, c.MechanismDomain)
	}
	if c.Wide {
		text += ", which matches about everybody (see spf.wide)"
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	if c.Explanation != "" {
		text += fmt.Sprintf(" (the domain explains: %q)", c.Explanation)
	}
	e.Line(name, "%s", text)
	if c.Record != "" {
		e.Line("", "record of %s: %s", c.Domain, c.Record)
	}
	if way := spfWay(c.Path); way != "" {
		e.Line("", "by way of %s", way)
	}
	e.lookalikes(c.Lookalikes)
}

// spfWay leads through includes and redirects; empty where there are none.
func spfWay(path []evidence.SPFTerm) string {
	if len(path) < 2 {
		return ""
	}
	terms := make([]string, len(path))
	for i, t := range path {
		terms[i] = fmt.Sprintf("%s in the record of %s", t.Term, t.Domain)
	}
	return strings.Join(terms, ", ")
}

func (e *Teller) dkim() {
	switch {
	case e.ev.From.Problem == evidence.FromUnread:
		e.Line("DKIM", "not checked: the header was not read")
	case len(e.ev.DKIM) == 0 && !e.ev.Has(evidence.SectionDKIM):
		e.Line("DKIM", "not checked")
	case len(e.ev.DKIM) == 0:
		e.Line("DKIM", "none: the message is not signed")
	}
	for i := range e.ev.DKIM {
		s := &e.ev.DKIM[i]
		text := fmt.Sprintf("%s for d=%s s=%s %s", s.Result, s.Domain, s.Selector, s.Algorithm)
		if s.KeyBits > 0 {
			text += fmt.Sprintf(" (%d bits)", s.KeyBits)
		}
		if s.Reason != "" {
			text += ": " + s.Reason
		}
		if s.Testing {
			text += " (key in testing mode)"
		}
		e.Line("DKIM", "%s", text)
		if len(s.KeyCNAMEs) > 0 {
			e.Line("", "the key's name is an alias (CNAME) of %s", strings.Join(s.KeyCNAMEs, ", an alias of "))
		}
	}
	if n := e.ev.DKIMSkipped; n > 0 {
		e.Line("DKIM", "%d further signatures were not tried", n)
	}
}

func (e *Teller) arc() {
	a := &e.ev.ARC
	text := orUnchecked(a.Result)
	if a.Instances > 0 {
		text += fmt.Sprintf(", instances: %d, oldest-pass: %d", a.Instances, a.OldestPass)
	}
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	e.Line("ARC", "%s", text)
	for _, s := range a.Sets {
		e.Line("", "i=%d sealed by %s (cv=%s, seal %s, message signature %s)",
			s.Instance, s.SealDomain, s.SealCV, orUnchecked(s.SealResult), orUnchecked(s.MessageResult))
		if s.AAR != nil {
			e.Line("", "i=%d says: %s", s.Instance, sealedResults(s.AAR))
		}
	}
}

// mostSealed bounds what is shown of the results of one ARC Set. The number is ours.
const mostSealed = 10

// Sealed is what the Sealer of a Set tells that it found; empty where it tells nothing.
func Sealed(s *evidence.ARCSet) string {
	if s.AAR == nil {
		return ""
	}
	return sealedResults(s.AAR)
}

// sealedResults is what a Sealer tells that it found.
func sealedResults(a *evidence.AuthResults) string {
	var b strings.Builder
	b.WriteString(a.ServID)
	for i, m := range a.Results {
		if i == mostSealed {
			fmt.Fprintf(&b, "; and %d others", len(a.Results)-i)
			break
		}
		fmt.Fprintf(&b, "; %s=%s", m.Method, m.Result)
		for _, p := range m.Properties[:min(len(m.Properties), mostSealed)] {
			fmt.Fprintf(&b, " %s.%s=%s", p.Type, p.Name, p.Value)
		}
	}
	return shortened(b.String(), 600)
}

func orUnchecked(r evidence.Result) string {
	if r == evidence.NotChecked {
		return "not checked"
	}
	return string(r)
}

func (e *Teller) dmarc() {
	switch {
	case e.ev.From.Problem == evidence.FromUnread:
		e.Line("DMARC", "permerror: the header was not read")
	case len(e.ev.DMARC) == 0 && len(e.ev.From.Domains) > 0:
		e.Line("DMARC", "not checked")
	case len(e.ev.DMARC) == 0:
		e.Line("DMARC", "permerror: From gives no Author Domain")
	}
	for i := range e.ev.DMARC {
		e.evaluation(&e.ev.DMARC[i])
	}
}

func (e *Teller) evaluation(d *evidence.DMARC) {
	text := fmt.Sprintf("%s for %s", d.Result, d.AuthorDomain)
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	e.Line("DMARC", "%s", text)
	e.lookalikes(d.Lookalikes)
	if d.Published.Text != "" {
		e.Line("", "record of %s: %s", d.PolicyDomain, d.Published.Text)
		e.Line("", "policy %s (tag %s), SPF aligned: %t, DKIM aligned: %t", d.Policy, d.PolicyTag, d.SPFAligned, d.DKIMAligned)
	}
	if d.OrgDomain != "" {
		e.Line("", "Organizational Domain %s by %s", d.OrgDomain, d.Discovery)
	}
	for _, c := range d.Compared {
		if c.OrgDomain != "" {
			e.Line("", "compared with %s, whose Organizational Domain is %s", c.Domain, c.OrgDomain)
		} else {
			e.Line("", "compared with %s, which has another Organizational Domain", c.Domain)
		}
	}
	for _, p := range d.Published.Errors {
		e.Line("", "fault in the record: %s", p)
	}
	if o := d.Divergence; o != nil {
		e.Line("", "by %s it would be %s with the policy %s of %s", o.Discovery, o.Result, o.Policy, o.PolicyDomain)
	}
}

// lookalikes are TXT records that whoever published them took for records.
func (e *Teller) lookalikes(list []string) {
	for _, text := range list {
		e.Line("", "looks like a record and is none: %s", text)
	}
}

func (e *Teller) iprev() {
	if r := e.ev.IPRev; r.Result != evidence.NotChecked {
		e.Line("iprev", "%s %s %s", r.Result, strings.Join(r.Names, " "), r.Reason)
	}
}

// beside tells what filters in front say otherwise.
func (e *Teller) beside() {
	list := compare.Differences(e.ev, e.v)
	for i := range e.ev.Incumbents {
		in := &e.ev.Incumbents[i]
		name := "beside " + in.ServID
		if in.Fields == 0 {
			e.Line(name, "it wrote no field that was seen")
			continue
		}
		same := true
		for j := range list {
			d := &list[j]
			if d.With != in.ServID {
				continue
			}
			about := d.Method
			if d.Of != "" {
				about += " of " + d.Of
			}
			e.Line(name, "%s: %s there, %s here: %s (right: %s)", about, d.Theirs, d.Ours, d.Cause, d.Who())
			name, same = "", false
		}
		if same {
			e.Line(name, "it says the same, as far as it tells")
		}
	}
}

// DNS tells of questions and their answers.
func (e *Teller) DNS(questions []resolver.Question) {
	if len(questions) == 0 {
		e.Line("", "no questions were asked")
	}
	for _, q := range questions {
		answers := strings.Join(q.Answers, " | ")
		if len(answers) > 300 {
			answers = answers[:300] + "..."
		}
		e.Line(q.Type, "%s", strings.TrimRight(fmt.Sprintf("%s%s %s %s", q.Name, aliases(q.CNAMEs), q.Outcome, answers), " "))
	}
}

// aliases shows the names that CNAME records lead to.
func aliases(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (CNAME " + strings.Join(names, ", CNAME ") + ")"
}

func shortened(s string, max int) string {
	if len(s) > max {
		return s[:max-3] + "..."
	}
	return s
}
