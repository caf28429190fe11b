package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"alignd/evidence"
	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
	"alignd/web/chart"
)

// way is what the message passed, station by station.
func way(e *journal.Entry) []step {
	r := e.Record
	ev, v := &r.Evidence, &r.Verdict
	list := []step{
		{Name: "Client", Word: terminal.Line(explain.Client(r)), Text: terminal.Line(brief(ev.Client.HELOName())), Class: "none"},
		{Name: "MAIL FROM", Word: terminal.Line(brief(cmp.Or(ev.MailFrom, "<>"))), Class: "none"},
	}
	if v.NotJudged {
		list = append(list, step{Name: "Not judged", Word: "let through unchecked", Text: terminal.Line(brief(v.Reason)), Class: "none", Sign: "·"})
	} else {
		list = append(list, checksOn(ev)...)
	}
	decided := station("Verdict", cmp.Or(string(v.Delivery), "none"), byWhom(v))
	if v.Delivery == "" {
		decided.Text = "nothing was decided"
		if r.Outcome.End == record.EndAborted {
			decided.Text = "the MTA gave the message up"
		}
	}
	list = append(list, decided)
	if heldBack(v) {
		list = append(list, station("Held back", string(v.Monitor.Delivery), cmp.Or(string(v.Stage), "by monitor mode")))
	}
	c := told(e)
	return append(list, step{Name: "The MTA was told", Word: c.Text, Text: terminal.Line(brief(r.Outcome.Problem)), Class: c.Class, Sign: c.Sign})
}

func station(name, result, text string) step {
	class, sign := meaning(result)
	return step{Name: name, Word: terminal.Line(cmp.Or(result, "-")), Text: terminal.Line(brief(text)), Class: class, Sign: sign}
}

// mostAuthors is how many Author Domains are stations; ours.
const mostAuthors = 3

// checksOn are the stations of what was checked.
func checksOn(ev *evidence.Message) (list []step) {
	if c := ev.ReportedSPF(); c != nil {
		list = append(list, station("SPF", string(c.Result), c.Domain))
	}
	switch {
	case len(ev.DKIM) > 0:
		shown := &ev.DKIM[0]
		for i := range ev.DKIM {
			if ev.DKIM[i].Result == evidence.Pass && shown.Result != evidence.Pass {
				shown = &ev.DKIM[i]
			}
		}
		text := shown.Domain
		if n := len(ev.DKIM); n > 1 {
			text += fmt.Sprintf(", of %d signatures", n)
		}
		list = append(list, station("DKIM", string(shown.Result), text))
	case ev.Has(evidence.SectionDKIM):
		list = append(list, station("DKIM", "none", "not signed"))
	default:
		list = append(list, station("DKIM", "", "not checked"))
	}
	if ev.ARC.Result != evidence.NotChecked && ev.ARC.Result != evidence.None {
		list = append(list, station("ARC", string(ev.ARC.Result), plural(len(ev.ARC.Sets), "set")))
	}
	if ev.From.Problem != evidence.FromOK {
		list = append(list, step{Name: "From", Word: terminal.Line(string(ev.From.Problem)), Text: terminal.Line(brief(ev.From.Detail)), Class: "bad", Sign: "✗"})
	}
	for i := range ev.DMARC[:min(len(ev.DMARC), mostAuthors)] {
		d := &ev.DMARC[i]
		text := d.AuthorDomain
		if d.Policy != evidence.PolicyAbsent {
			text += ", policy " + string(d.Policy)
		}
		list = append(list, station("DMARC", string(d.Result), text))
	}
	if n := len(ev.DMARC) - mostAuthors; n > 0 {
		list = append(list, step{Name: "DMARC", Word: plural(n, "further Author Domain"), Class: "none", Sign: "·"})
	}
	if len(ev.DMARC) == 0 {
		list = append(list, station("DMARC", "", "not checked"))
	}
	return list
}

// plural is a number of things.
func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// byWhom is the step and the rule that decided.
func byWhom(v *policy.Verdict) string {
	text := "by " + string(v.Step)
	switch {
	case v.Rule != "":
		text += " " + v.Rule
	case v.TrustedSealer != "" && v.Step == policy.StepSealer:
		text += " " + v.TrustedSealer
	}
	return text
}

// spfTree is the record with each of its terms, and the way through includes and redirects
// to the directive that decided.
func spfTree(c *evidence.SPFCheck) *branch {
	class, sign := meaning(string(c.Result))
	root := &branch{Text: terminal.Line(fmt.Sprintf("%s for %s %s, %s", c.Result, c.Identity, cmp.Or(c.Domain, "(none)"), plural(c.Lookups, "lookup"))), Class: class, Sign: sign}
	terms := strings.Fields(c.Record)
	if len(terms) == 0 {
		root.Below = append(root.Below, &branch{Text: "no record"})
	}
	var first *evidence.SPFTerm
	if len(c.Path) > 0 {
		first = &c.Path[0]
	}
	for i, text := range terms {
		if i == 0 { // the version
			continue
		}
		b := &branch{Text: terminal.Line(text)}
		switch {
		case first == nil:
		case i == first.Number:
			b = spfWay(c.Path, class, sign)
		case i < first.Number && !strings.HasPrefix(strings.ToLower(text), "redirect=") && !strings.HasPrefix(strings.ToLower(text), "exp="):
			b.Sign, b.Text = "·", b.Text+" – does not match"
		case i > first.Number:
			b.Text += " – not asked"
		}
		root.Below = append(root.Below, b)
	}
	if first != nil && first.Number >= len(terms) { // the record is not there, or was cut
		root.Below = append(root.Below, spfWay(c.Path, class, sign))
	}
	if first == nil && c.Mechanism != "" {
		root.Below = append(root.Below, &branch{Text: terminal.Line(c.Mechanism + " in the record of " + c.MechanismDomain), Decided: true, Class: class, Sign: sign})
	}
	for _, text := range append([]string{c.Reason}, c.Lookalikes...) {
		if text != "" {
			root.Below = append(root.Below, &branch{Text: terminal.Line(text)})
		}
	}
	return root
}

// spfWay is the way to the term that decided, each term below the one before.
func spfWay(path []evidence.SPFTerm, class, sign string) *branch {
	top := &branch{}
	at := top
	for i, t := range path {
		at.Text = terminal.Line(t.Term)
		if i > 0 {
			at.Text = terminal.Line(fmt.Sprintf("%s – term %d in the record of %s", t.Term, t.Number, t.Domain))
		}
		if i == len(path)-1 {
			at.Decided, at.Class, at.Sign = true, class, sign
			break
		}
		at.Sign = "→"
		next := &branch{}
		at.Below = []*branch{next}
		at = next
	}
	return top
}

func signatures(ev *evidence.Message) block {
	if len(ev.DKIM) == 0 {
		return block{Heading: "Signatures"}
	}
	t := &table{Columns: columns("Result", "Domain (d=)", "Selector", "Algorithm", "#Bits", "Why")}
	for i := range ev.DKIM {
		s := &ev.DKIM[i]
		bits, why := cell{}, s.Reason
		if s.KeyBits > 0 {
			bits = number(s.KeyBits)
		}
		if s.Testing {
			why = strings.TrimPrefix(why+"; key in testing mode", "; ")
		}
		t.Rows = append(t.Rows, []cell{word(string(s.Result)), plain(s.Domain), plain(s.Selector), plain(s.Algorithm), bits, plain(why)})
	}
	b := block{Heading: "Signatures", Table: t}
	if n := ev.DKIMSkipped; n > 0 {
		b.Note = plural(n, "further signature") + " not tried."
	}
	return b
}

// chain is the ARC chain as it grew, one station for each Set, and what each Sealer says.
func chain(ev *evidence.Message, v *policy.Verdict) block {
	if len(ev.ARC.Sets) == 0 {
		return block{Heading: "Chain"}
	}
	b := block{Heading: "Chain (ARC)", Note: terminal.Line(ev.ARC.Reason)}
	t := &table{Columns: columns("#Instance", "Sealed by", "cv=", "Seal", "Message signature", "It says")}
	for i := range ev.ARC.Sets {
		s := &ev.ARC.Sets[i]
		text := "cv=" + cmp.Or(s.SealCV, "-")
		if v.TrustedSealer != "" && s.SealDomain == v.TrustedSealer {
			text += ", a trusted sealer"
		}
		x := station(fmt.Sprintf("i=%d, seal", s.Instance), string(s.SealResult), s.SealDomain+" ("+text+")")
		x.Word = terminal.Line(cmp.Or(string(s.SealResult), "not checked"))
		b.Way = append(b.Way, x)
		t.Rows = append(t.Rows, []cell{number(s.Instance), plain(s.SealDomain), word(cmp.Or(s.SealCV, "-")), word(cmp.Or(string(s.SealResult), "-")),
			word(cmp.Or(string(s.MessageResult), "-")), plain(explain.Sealed(s))})
	}
	b.Way = append(b.Way, station("Chain here", string(ev.ARC.Result), plural(len(ev.ARC.Sets), "set")))
	b.Table = t
	return b
}

// alignments draw for each Author Domain what is aligned with it and what is not.
func alignments(ev *evidence.Message) (list []block) {
	for i := range ev.DMARC[:min(len(ev.DMARC), mostAuthors)] {
		d := &ev.DMARC[i]
		below := string(d.Result)
		if d.Policy != evidence.PolicyAbsent {
			below += fmt.Sprintf(", policy %s (%s of %s)", d.Policy, cmp.Or(d.PolicyTag, "p"), d.PolicyDomain)
		}
		_, sign := meaning(string(d.Result))
		fan := &chart.Fan{Title: terminal.Line("Alignment with " + d.AuthorDomain), Description: "The table below says the same.",
			To: terminal.Line(d.AuthorDomain), Below: terminal.Line(sign + " " + below), Class: colourOf(string(d.Result))}
		t := &table{Columns: columns("Identifier", "Domain", "Result", "Aligned", "Organizational Domain")}
		for _, x := range policy.Identifiers(ev, d) {
			name := "SPF"
			if x.Signature > 0 {
				name = "DKIM s=" + ev.DKIM[x.Signature-1].Selector
			}
			how := aligns(&x)
			if x.Aligned && x.Domain != d.AuthorDomain {
				how += ", relaxed"
			}
			class, sign := meaning(string(x.Result))
			along := map[bool]string{true: "✓ ", false: "✗ "}[x.Counts()] + how
			fan.Spokes = append(fan.Spokes, chart.Spoke{Text: terminal.Line(cmp.Or(x.Domain, "(no domain)")), Below: terminal.Line(name + ": " + sign + " " + cmp.Or(string(x.Result), "not checked")),
				Along: terminal.Line(along), Class: map[bool]int{true: 0, false: 1}[x.Counts()], Joined: x.Counts()})
			t.Rows = append(t.Rows, []cell{plain(name), plain(x.Domain), {Text: string(x.Result), Class: class, Sign: sign}, plain(how), plain(x.OrgDomain)})
		}
		list = append(list, block{Heading: terminal.Line("Identifier Alignment with " + brief(d.AuthorDomain)), Note: terminal.Line(alignNote(d)), Chart: fan.SVG(), Behind: t})
	}
	return list
}

func alignNote(d *evidence.DMARC) string {
	var parts []string
	if d.OrgDomain != "" {
		parts = append(parts, fmt.Sprintf("Its Organizational Domain is %s, by %s", d.OrgDomain, d.Discovery))
	}
	if d.Published.Text != "" {
		parts = append(parts, fmt.Sprintf("%s publishes: %s", d.PolicyDomain, brief(d.Published.Text)))
	}
	if d.Reason != "" {
		parts = append(parts, "Found: "+d.Reason)
	}
	return strings.Join(parts, " – ")
}

// colourOf is the class of a chart that means a result.
func colourOf(result string) int {
	class, _ := meaning(result)
	return max(0, slices.Index([]string{"good", "bad", "mark", "later", "none"}, class))
}

// considered are the rules that were asked, each with why it matched or not.
func considered(e, shown *journal.Entry, rules *policy.Rules, note string) block {
	v := &e.Record.Verdict
	b := block{ID: "rules", Heading: "Rules considered", Note: terminal.Line(note)}
	if v.Step == policy.StepLimit || v.Step == policy.StepInternal || !v.Reached() {
		b.Note = "No rule was asked."
		return b
	}
	ev := &e.Record.Evidence
	t := &table{Columns: columns("Kind", "Rule", "At", "What became of it", "Why"), Empty: "There are none but the options that handle each policy."}
	for _, x := range policy.Consider(ev, rules) {
		kind, rule, fate, why := explain.RuleText(&x)
		if e != shown {
			why = withoutLocals(why)
		}
		if x.Author != "" && len(ev.DMARC) > 1 {
			fate += " for " + x.Author
		}
		name := plain(rule)
		if x.Count == 0 && x.Kind != policy.KindSignal {
			name = linked(rule, "/rule", "id", x.ID)
		}
		class, sign := fateMeaning(x.Fate)
		t.Rows = append(t.Rows, []cell{plain(kind), name, placeShown(x.At), {Text: terminal.Line(fate), Class: class, Sign: sign}, plain(why)})
	}
	b.Table = t
	return b
}

func fateMeaning(f policy.Fate) (class, sign string) {
	switch f {
	case policy.Decided:
		return "mark", "►"
	case policy.Held:
		return "good", "✓"
	case policy.Unknown:
		return "later", "?"
	}
	return "none", "·"
}
