package main

import (
	"fmt"
	"strings"

	"alignd/evidence"
	"alignd/resolver"
)

func (e *explainer) spf() {
	e.spfCheck("SPF", e.ev.ReportedSPF())
	if e.ev.MailFrom != "" {
		e.spfCheck("SPF of HELO", e.ev.SPF.HELO)
	}
}

func (e *explainer) spfCheck(name string, c *evidence.SPFCheck) {
	if c == nil {
		e.line(name, "not checked")
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
	e.line(name, "%s", text)
	if c.Record != "" {
		e.line("", "record of %s: %s", c.Domain, c.Record)
	}
	if way := spfWay(c.Path); way != "" {
		e.line("", "by way of %s", way)
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

func (e *explainer) dkim() {
	switch {
	case e.ev.From.Problem == evidence.FromUnread:
		e.line("DKIM", "not checked: the header was not read")
	case len(e.ev.DKIM) == 0 && !e.ev.Has(evidence.SectionDKIM):
		e.line("DKIM", "not checked")
	case len(e.ev.DKIM) == 0:
		e.line("DKIM", "none: the message is not signed")
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
		e.line("DKIM", "%s", text)
		if len(s.KeyCNAMEs) > 0 {
			e.line("", "the key's name is an alias (CNAME) of %s", strings.Join(s.KeyCNAMEs, ", an alias of "))
		}
	}
	if n := e.ev.DKIMSkipped; n > 0 {
		e.line("DKIM", "%d further signatures were not tried", n)
	}
}

func (e *explainer) arc() {
	a := &e.ev.ARC
	text := orUnchecked(a.Result)
	if a.Instances > 0 {
		text += fmt.Sprintf(", instances: %d, oldest-pass: %d", a.Instances, a.OldestPass)
	}
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	e.line("ARC", "%s", text)
	for _, s := range a.Sets {
		e.line("", "i=%d sealed by %s (cv=%s, seal %s, message signature %s)",
			s.Instance, s.SealDomain, s.SealCV, orUnchecked(s.SealResult), orUnchecked(s.MessageResult))
		if s.AAR != nil {
			e.line("", "i=%d says: %s", s.Instance, sealedResults(s.AAR))
		}
	}
}

// mostSealed bounds what is shown of the results of one ARC Set. The number is ours.
const mostSealed = 10

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

func (e *explainer) dmarc() {
	switch {
	case e.ev.From.Problem == evidence.FromUnread:
		e.line("DMARC", "permerror: the header was not read")
	case len(e.ev.DMARC) == 0 && len(e.ev.From.Domains) > 0:
		e.line("DMARC", "not checked")
	case len(e.ev.DMARC) == 0:
		e.line("DMARC", "permerror: From gives no Author Domain")
	}
	for i := range e.ev.DMARC {
		e.evaluation(&e.ev.DMARC[i])
	}
}

func (e *explainer) evaluation(d *evidence.DMARC) {
	text := fmt.Sprintf("%s for %s", d.Result, d.AuthorDomain)
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	e.line("DMARC", "%s", text)
	e.lookalikes(d.Lookalikes)
	if d.Published.Text != "" {
		e.line("", "record of %s: %s", d.PolicyDomain, d.Published.Text)
		e.line("", "policy %s (tag %s), SPF aligned: %t, DKIM aligned: %t", d.Policy, d.PolicyTag, d.SPFAligned, d.DKIMAligned)
	}
	if d.OrgDomain != "" {
		e.line("", "Organizational Domain %s by %s", d.OrgDomain, d.Discovery)
	}
	for _, c := range d.Compared {
		if c.OrgDomain != "" {
			e.line("", "compared with %s, whose Organizational Domain is %s", c.Domain, c.OrgDomain)
		} else {
			e.line("", "compared with %s, which has another Organizational Domain", c.Domain)
		}
	}
	for _, p := range d.Published.Errors {
		e.line("", "fault in the record: %s", p)
	}
	if o := d.Divergence; o != nil {
		e.line("", "by %s it would be %s with the policy %s of %s", o.Discovery, o.Result, o.Policy, o.PolicyDomain)
	}
}

// lookalikes are TXT records that whoever published them took for records.
func (e *explainer) lookalikes(list []string) {
	for _, text := range list {
		e.line("", "looks like a record and is none: %s", text)
	}
}

func (e *explainer) iprev() {
	if r := e.ev.IPRev; r.Result != evidence.NotChecked {
		e.line("iprev", "%s %s %s", r.Result, strings.Join(r.Names, " "), r.Reason)
	}
}

func (e *explainer) dns(questions []resolver.Question) {
	if len(questions) == 0 {
		e.line("", "no questions were asked")
	}
	for _, q := range questions {
		answers := strings.Join(q.Answers, " | ")
		if len(answers) > 300 {
			answers = answers[:300] + "..."
		}
		e.line(q.Type, "%s", strings.TrimRight(fmt.Sprintf("%s%s %s %s", q.Name, aliases(q.CNAMEs), q.Outcome, answers), " "))
	}
}

// aliases shows the names that CNAME records lead to.
func aliases(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (CNAME " + strings.Join(names, ", CNAME ") + ")"
}
