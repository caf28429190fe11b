package web

import (
	"fmt"
	"strings"

	"alignd/domain"
	"alignd/internal/terminal"
	"alignd/lint"
)

// domainPage is what a domain publishes: alignd dmarc, spf and dkim as a page.
func (a *asked) domainPage() (*page, error) {
	ask := block{Form: &form{Action: "/domain", Submit: "Look it up", Fields: []field{
		{Name: "name", Label: "Domain, or SELECTOR._domainkey.DOMAIN", Value: a.get("name"), Hint: "example.com"}}}}
	text := a.get("name")
	if text == "" {
		return &page{Command: "alignd dmarc DOMAIN", Blocks: []block{{Note: "Asks DNS what a domain publishes, as alignd dmarc, spf and dkim do."}, ask}}, nil
	}
	name, err := domain.Normalize(text)
	if err != nil {
		return nil, wrong("%q is no domain: %s", text, err)
	}
	dns, err := a.opt.Backend.DNS()
	if err != nil {
		return nil, err
	}
	p := &page{Title: terminal.Line(name)}
	if before, after, key := strings.Cut(name, "._domainkey."); key && before != "" && after != "" {
		d := lint.CheckDKIM(a.ctx, dns, name)
		p.Command, p.Data = "alignd dkim "+shellWord(name), d
		p.Rows = findingTable(d.Findings)
		p.Blocks = []block{ask, keyBlock(d), {Heading: "Findings", Table: p.Rows}}
		return p, nil
	}
	name = strings.TrimPrefix(name, "_dmarc.")
	d, s := lint.CheckDMARC(a.ctx, dns, name, a.cfg.PSLGuard), lint.CheckSPF(a.ctx, dns, name)
	p.Command, p.Data = "alignd dmarc "+shellWord(name)+"; alignd spf "+shellWord(name), map[string]any{"dmarc": d, "spf": s}
	p.Rows = findingTable(append(append([]lint.Finding{}, d.Findings...), s.Findings...))
	p.Blocks = []block{ask, dmarcBlock(d), {Heading: "DNS Tree Walk", Table: walkTable(d)}, {Heading: "Findings about DMARC", Table: findingTable(d.Findings)}}
	if len(d.Reports) > 0 {
		p.Blocks = append(p.Blocks, block{Heading: "Where reports go", Table: addressTable(d)})
	}
	p.Blocks = append(p.Blocks, spfBlock(s), block{Heading: "Findings about SPF", Table: findingTable(s.Findings)},
		block{Links: []link{{"Who sends as it", to("/senders", "domain", name)}, {"Its messages", to("/messages", "domain", name)}}})
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
		t.Rows = append(t.Rows, []cell{plain(w.Name), plain(w.Outcome), number(w.Records), plain(w.Record)})
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
	if !s.Answered {
		b.Alert = "DNS does not answer, so not all of it is known."
	}
	return b
}

// maxBranches is how much of a tree is shown; ours. The command line has all of it.
const maxBranches = 500

func spfNode(n *lint.SPFNode, left *int) *branch {
	text := fmt.Sprintf("%s: %s (%d lookups)", n.Domain, orNone(n.Record), n.Lookups)
	if n.Problem != "" {
		text += " – " + n.Problem
	}
	b := &branch{Text: terminal.Line(brief(text))}
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
		below := &branch{Text: terminal.Line(brief(line))}
		if t.Branch != nil {
			below.Below = []*branch{spfNode(t.Branch, left)}
		}
		b.Below = append(b.Below, below)
	}
	return b
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
