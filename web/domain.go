package web

import (
	"fmt"
	"strings"
	"time"

	"alignd/domain"
	"alignd/internal/terminal"
	"alignd/lint"
)

// domainPage is what a domain publishes: alignd dmarc, spf and dkim as a page.
func (a *asked) domainPage() (*page, error) {
	ask := block{Form: &form{Action: "/domain", Submit: "Look it up", Fields: []field{
		{Name: "name", Label: "Domain, or SELECTOR._domainkey.DOMAIN", Value: a.get("name"), Hint: "example.com"}}}}
	text := a.get("name")
	if text == "" || a.crossSite { // no other site has a browser ask DNS
		return &page{Command: "alignd dmarc DOMAIN", Data: map[string]any{}, Rows: (&published{}).table(),
			Blocks: []block{{Note: "Asks DNS what a domain publishes, as alignd dmarc, spf and dkim do."}, ask}}, nil
	}
	name, err := domain.Normalize(text)
	if err != nil {
		return nil, wrong("%q is no domain: %s", text, err)
	}
	name = strings.TrimPrefix(name, "_dmarc.")
	x, err := a.published(name)
	if err != nil {
		return nil, err
	}
	p := &page{Title: terminal.Line(name), Rows: x.table(), Data: x}
	if x.DKIM != nil {
		p.Command = "alignd dkim " + shellWord(name)
		p.Blocks = []block{ask, keyBlock(x.DKIM), {Heading: "Findings", Table: findingTable(x.DKIM.Findings)}}
	} else {
		p.Command = "alignd dmarc " + shellWord(name) + "; alignd spf " + shellWord(name)
		d, s := x.DMARC, x.SPF
		p.Blocks = []block{ask, dmarcBlock(d), {Heading: "DNS Tree Walk", Table: walkTable(d)}, {Heading: "Findings about DMARC", Table: findingTable(d.Findings)}}
		if len(d.Reports) > 0 {
			p.Blocks = append(p.Blocks, block{Heading: "Where reports go", Table: addressTable(d)})
		}
		p.Blocks = append(p.Blocks, spfBlock(s), block{Heading: "Findings about SPF", Table: findingTable(s.Findings)},
			block{Heading: "DKIM keys", Note: "Those of signatures on mail of it that came here lately have links; of others look up SELECTOR._domainkey.DOMAIN.", Links: a.selectors(name)},
			block{Links: []link{{"Who sends as it", to("/senders", "domain", name)}, {"Its messages", to("/messages", "domain", name)}}})
	}
	if x.spent {
		p.Blocks = append(p.Blocks[:1:1], append([]block{{Alert: fmt.Sprintf("A page asks DNS %d questions at most, and what the records lead to needs more: the rest is told as not answered. The command line asks more.", maxPageQuestions)}}, p.Blocks[1:]...)...)
	}
	p.Blocks = append(p.Blocks, block{Heading: "All of it", Note: "As of " + x.At.Format(time.DateTime) + ".", Behind: p.Rows})
	return p, nil
}

func dmarcBlock(d *lint.DMARC) block {
	b := block{Heading: "DMARC", Lines: []explained{{Name: "record", Text: orNone(d.Record)}, {Name: "of", Text: orNone(d.PolicyDomain)}, {Name: "use", Text: orNone(d.Use)},
		{Name: "policy", Text: terminal.Line(fmt.Sprintf("%s (%s)", d.Policy, d.Tag))}, {Name: "subdomains", Text: orNone(d.Subdomains)},
		{Name: "nonexistent", Text: orNone(d.NonExistent)}, {Name: "organization", Text: orNone(d.OrgDomain)}}}
	if !d.Answered {
		b.Alert = "DNS does not answer, so which policy holds is not known."
	}
	return b
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return terminal.Line(s)
}

func walkTable(d *lint.DMARC) *table {
	t := &table{Columns: columns("Name", "Outcome", "#Records", "Record"), Empty: "Nothing was asked."}
	for i := range d.Walk {
		w := &d.Walk[i]
		outcome := plain(w.Outcome)
		if len(w.CNAMEs) > 0 {
			outcome.Note = terminal.Line("CNAME " + strings.Join(w.CNAMEs, ", CNAME "))
		}
		record := plain(w.Record)
		if w.PSD == "y" || w.PSD == "n" {
			record.Note = "the walk ends: psd=" + w.PSD
		}
		t.Rows = append(t.Rows, []cell{plain(w.Name), outcome, number(w.Records), record})
	}
	return t
}

func addressTable(d *lint.DMARC) *table {
	t := &table{Columns: columns("Tag", "Address", "Another organization", "It agrees")}
	for i := range d.Reports {
		r := &d.Reports[i]
		t.Rows = append(t.Rows, []cell{plain(r.Tag), plain(r.URI), plain(yesNo(r.External)), plain(r.Allowed)})
	}
	return t
}

// findingTable are findings with the words of the RFC.
func findingTable(list []lint.Finding) *table {
	t := &table{Columns: columns("Level", "At", "What", "Rule", "Its words"), Empty: "Nothing to complain of."}
	for i := range list {
		f := &list[i]
		t.Rows = append(t.Rows, []cell{word(string(f.Level)), plain(f.At), plain(f.Text), plain(f.Section), plain(f.Words)})
	}
	return t
}

func spfBlock(s *lint.SPF) block {
	b := block{Heading: "SPF", Note: terminal.Line(fmt.Sprintf("%d of %d lookups; void lookups of an IPv4 client %d, of an IPv6 client %d, of %d.", s.Lookups, s.Limit, s.Voids4, s.Voids6, s.VoidLimit))}
	if s.Tree != nil {
		left := maxBranches
		b.Tree = spfNode(s.Tree, &left)
	} else {
		b.Note = "There is no SPF record."
	}
	switch {
	case !s.Answered:
		b.Alert = "DNS does not answer, so not all of it is known."
	case s.Bounded:
		b.Alert = "The records lead to more than was looked at."
	}
	return b
}

// Bounds of a tree on a page; ours. The command line has all of it.
const (
	maxBranches   = 500
	maxBranchText = 600
)

func branchText(s string) string {
	if len(s) > maxBranchText {
		s = strings.ToValidUTF8(s[:maxBranchText], "") + "…"
	}
	return terminal.Line(s)
}

func spfNode(n *lint.SPFNode, left *int) *branch {
	text := fmt.Sprintf("%s: %s (%d lookups)", n.Domain, orNone(n.Record), n.Lookups)
	if n.Problem != "" {
		text += " – " + n.Problem
	}
	b := &branch{Text: branchText(text)}
	for i := range n.Terms {
		if *left--; *left <= 0 {
			return b
		}
		t := &n.Terms[i]
		line := t.Term
		if t.Lookups > 0 {
			line += fmt.Sprintf(" – %d lookups", t.Lookups)
		}
		if t.Remark != "" {
			line += " – " + t.Remark
		}
		below := &branch{Text: branchText(line)}
		for k := range t.Questions {
			if *left--; *left > 0 {
				below.Below = append(below.Below, &branch{Text: branchText(questionText(&t.Questions[k]))})
			}
		}
		if t.Branch != nil {
			below.Below = append(below.Below, spfNode(t.Branch, left))
		}
		b.Below = append(b.Below, below)
	}
	return b
}

// questionText is what was asked and answered.
func questionText(q *lint.Question) string {
	text := q.Type + " " + q.Name + ": " + q.Outcome
	if len(q.CNAMEs) > 0 {
		text += " (CNAME " + strings.Join(q.CNAMEs, ", CNAME ") + ")"
	}
	if len(q.Answers) > 0 {
		text += " " + strings.Join(q.Answers, ", ")
	}
	return text
}

func keyBlock(d *lint.DKIM) block {
	t := &table{Columns: columns("Usable", "Type", "#Bits", "Testing", "Problem", "Record"), Empty: "There is no key."}
	for i := range d.Keys {
		k := &d.Keys[i]
		t.Rows = append(t.Rows, []cell{plain(yesNo(k.Usable)), plain(k.Type), number(k.Bits), plain(yesNo(k.Testing)), plain(k.Problem), plain(k.Record)})
	}
	b := block{Heading: "DKIM key", Table: t}
	if len(d.CNAMEs) > 0 {
		b.Note = terminal.Line("By alias: " + strings.Join(d.CNAMEs, ", "))
	}
	if !d.Answered {
		b.Alert = "DNS does not answer."
	}
	return b
}
