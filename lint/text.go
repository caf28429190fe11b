package lint

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"alignd/internal/terminal"
)

// printer writes a report for people. Every line goes through terminal.Line.
type printer struct{ w *bufio.Writer }

func (p *printer) line(indent int, format string, args ...any) {
	p.w.WriteString(strings.Repeat(" ", indent))
	p.w.WriteString(terminal.Line(fmt.Sprintf(format, args...)))
	p.w.WriteByte('\n')
}

func (p *printer) item(name, format string, args ...any) {
	p.line(2, "%-14s %s", name, fmt.Sprintf(format, args...))
}

// question shows what was asked and answered.
func (p *printer) question(indent int, q *Question) {
	text := q.Type + " " + q.Name + ": " + q.Outcome
	if len(q.CNAMEs) > 0 {
		text += " (CNAME " + strings.Join(q.CNAMEs, ", CNAME ") + ")"
	}
	if len(q.Answers) > 0 {
		text += " " + strings.Join(q.Answers, ", ")
	}
	p.line(indent, "%s", clipped(text))
}

// maxLine is how much of a line people see, in octets; ours. JSON has all of it.
const maxLine = 600

func clipped(s string) string {
	if len(s) > maxLine {
		return strings.ToValidUTF8(s[:maxLine], "") + "..."
	}
	return s
}

// findings lists what was found, faults first.
func (p *printer) findings(f *findings) {
	if len(f.Findings) == 0 {
		p.line(0, "nothing to complain of")
		return
	}
	told := map[string]bool{} // words once are enough
	for _, level := range []Level{Fault, Warning, Note} {
		for i := range f.Findings {
			n := &f.Findings[i]
			if n.Level != level {
				continue
			}
			p.line(0, "%s: %s: %s", level, n.At, clipped(n.Text))
			if n.Section != "" {
				text := n.Section
				if n.Words != "" && !told[n.Words] {
					text += ": " + `"` + n.Words + `"`
				}
				told[n.Words] = true
				p.line(4, "%s", text)
			}
		}
	}
	if f.left > 0 {
		p.line(0, "and %d further findings", f.left)
	}
}

// Text writes the report for people.
func (d *DMARC) Text(out io.Writer) error {
	p := printer{bufio.NewWriter(out)}
	p.line(0, "DMARC of %s", d.Domain)
	for i := range d.Walk {
		s := &d.Walk[i]
		what := s.Outcome
		switch {
		case s.Records == 1:
			what = clipped(s.Record)
		case s.Records > 1:
			what = fmt.Sprintf("%d records, which count as none", s.Records)
		case s.Outcome == "NOERROR":
			what = "no DMARC record among the TXT records"
		}
		if len(s.CNAMEs) > 0 {
			what += " (CNAME " + strings.Join(s.CNAMEs, ", CNAME ") + ")"
		}
		if s.PSD != "u" {
			what += " [the walk ends: psd=" + s.PSD + "]"
		}
		p.item("asked", "%s: %s", s.Name, what)
	}
	p.item("Org Domain", "%s", orUnknown(d.OrgDomain))
	if d.PolicyDomain != "" {
		p.item("record of", "%s, %s", d.PolicyDomain, d.Use)
		p.item("policy", "%s (tag %s) for %s; %s for subdomains; %s for those that do not exist", orNone(d.Policy), orNone(d.Tag), d.Domain, orNone(d.Subdomains), orNone(d.NonExistent))
	}
	for _, r := range d.Reports {
		text := "takes reports"
		switch r.Allowed {
		case "no":
			text = "does not take reports"
		case "unknown":
			text = "it is not known whether it takes reports"
		}
		if r.External {
			text += ", asked at " + r.Asked
		}
		p.item(r.Tag, "%s: %s", r.URI, text)
	}
	p.findings(&d.findings)
	return p.w.Flush()
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Text writes the report for people.
func (s *SPF) Text(out io.Writer) error {
	p := printer{bufio.NewWriter(out)}
	p.line(0, "SPF of %s", s.Domain)
	if s.Tree == nil {
		p.item("record", "%s", map[bool]string{true: "none", false: "not known"}[s.Answered])
	} else {
		p.item("lookups", "%d of %d", s.Lookups, s.Limit)
		p.item("void lookups", "%d of %d for IPv4 clients, %d for IPv6 clients", s.Voids4, s.VoidLimit, s.Voids6)
		s.Tree.text(&p, 2)
	}
	p.findings(&s.findings)
	return p.w.Flush()
}

// maxIndent is where a deep tree stops being moved to the right.
const maxIndent = 2 * maxDepth * 4

// text writes a record and what it leads to, with the lookups of each branch in
// front.
func (n *SPFNode) text(p *printer, indent int) {
	indent = min(indent, maxIndent)
	if n.Record == "" || n.Problem != "" {
		p.line(indent, "%s: %s", n.Domain, clipped(n.Problem))
		return
	}
	p.line(indent, "%s", clipped(n.Domain+": "+n.Record))
	for i := range n.Terms {
		t := &n.Terms[i]
		if t.Lookups == 0 && t.Remark == "" {
			continue
		}
		text := t.Term
		if t.Remark != "" {
			text += "  (" + t.Remark + ")"
		}
		p.line(indent+2, "%2d  %s", t.Lookups, clipped(text))
		for j := range t.Questions {
			p.question(indent+8, &t.Questions[j])
		}
		if t.Branch != nil {
			t.Branch.text(p, indent+6)
		}
	}
}

// Text writes the report for people.
func (d *DKIM) Text(out io.Writer) error {
	p := printer{bufio.NewWriter(out)}
	p.line(0, "DKIM key %s", d.Name)
	for _, name := range d.CNAMEs {
		p.item("CNAME", "%s", name)
	}
	for i := range d.Keys {
		k := &d.Keys[i]
		p.item("record", "%s", clipped(k.Record))
		switch {
		case k.Usable:
			p.item("key", "%s, %d bits", k.Type, k.Bits)
		case k.Problem != "":
			p.item("key", "of no use: %s", k.Problem)
		default:
			p.item("key", "%s, %d bits, of no use for mail", k.Type, k.Bits)
		}
	}
	p.findings(&d.findings)
	return p.w.Flush()
}
