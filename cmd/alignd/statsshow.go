package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// show writes the periods side by side, and what follows from them.
func (o *statsOverview) show(out io.Writer) error {
	var lines [][]string
	line := func(head string, cell func(*statsPeriod) string) {
		cells := []string{head}
		for i := range o.Periods {
			cells = append(cells, cell(&o.Periods[i]))
		}
		lines = append(lines, cells)
	}
	line("", func(p *statsPeriod) string { return p.title })
	line("messages", func(p *statsPeriod) string { return perDay(p.Messages, p.Days) })
	for _, row := range statsRows {
		if row.always || o.any(row.of) {
			line(row.head, func(p *statsPeriod) string { return withShare(row.of(&p.statsCounts), p) })
		}
	}
	if err := writeColumns(out, lines); err != nil {
		return err
	}
	o.showHeldBack(out)
	o.showEntries(out)
	if !o.elsewhere.empty() {
		fmt.Fprintln(out)
		o.elsewhere.summary(out)
	}
	return nil
}

// writeColumns writes lines of as many cells each: the first to the left, the others to
// the right of their columns.
func writeColumns(out io.Writer, lines [][]string) error {
	width := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, c := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, cells := range lines {
		var b strings.Builder
		fmt.Fprintf(&b, "%-*s", width[0], cells[0])
		for i, c := range cells[1:] {
			fmt.Fprintf(&b, "  %*s", width[i+1], c)
		}
		if _, err := fmt.Fprintln(out, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// statsRows are the lines of the overview.
var statsRows = []struct {
	head   string
	of     func(*statsCounts) uint64
	always bool
}{
	{"dmarc=pass", func(c *statsCounts) uint64 { return c.Pass }, true},
	{"dmarc=fail", func(c *statsCounts) uint64 { return c.Fail }, true},
	{"refused", func(c *statsCounts) uint64 { return c.Refused }, true},
	{"refused with dmarc=pass", func(c *statsCounts) uint64 { return c.PassRefused }, false},
	{"tagged", func(c *statsCounts) uint64 { return c.Tagged }, true},
	{"held", func(c *statsCounts) uint64 { return c.Held }, false},
	{"put off", func(c *statsCounts) uint64 { return c.Deferred }, true},
	{"rescued", func(c *statsCounts) uint64 { return c.Rescued }, false},
	{"would be refused", func(c *statsCounts) uint64 { return c.WouldRefuse }, false},
	{"would be tagged", func(c *statsCounts) uint64 { return c.WouldTag }, false},
	{"would be held", func(c *statsCounts) uint64 { return c.WouldHold }, false},
	{"would be put off", func(c *statsCounts) uint64 { return c.WouldDefer }, false},
}

func (o *statsOverview) any(of func(*statsCounts) uint64) bool {
	for i := range o.Periods {
		if of(&o.Periods[i].statsCounts) > 0 {
			return true
		}
	}
	return false
}

// perDay is a number, of several days that of one.
func perDay(n uint64, days int) string {
	if days > 1 {
		n = (n + uint64(days)/2) / uint64(days)
	}
	return strconv.FormatUint(n, 10)
}

// withShare is a number and its part of all messages.
func withShare(n uint64, p *statsPeriod) string {
	text := perDay(n, p.Days)
	if p.Messages == 0 {
		return text
	}
	return fmt.Sprintf("%s %5.1f %%", text, 100*float64(n)/float64(p.Messages))
}

func (o *statsOverview) showHeldBack(out io.Writer) {
	for _, of := range []struct {
		what, empty string
		rows        []statsRow
	}{
		{"Author Domain", "(none)", o.HeldBack.Domains},
		{"rule", "(policy of the sender)", o.HeldBack.Rules},
	} {
		if len(of.rows) == 0 {
			continue
		}
		fmt.Fprintf(out, "\nHeld back %s by monitor mode or a rollout, by %s:\n", o.Periods[0].title, of.what)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, r := range of.rows {
			fmt.Fprintf(w, "  %s\t%s\n", valueText(r.Value, of.empty), held(&r.statsCounts))
		}
		w.Flush()
	}
}

// held says what would have been done.
func held(c *statsCounts) string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		what string
	}{{c.WouldRefuse, "refused"}, {c.WouldHold, "held"}, {c.WouldTag, "tagged"}, {c.WouldDefer, "put off"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d would be %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

func (o *statsOverview) showEntries(out io.Writer) {
	if len(o.Unused.Entries) > 0 {
		fmt.Fprintf(out, "\nEntries that decided nothing in %d messages since %s:\n", o.Unused.Messages, o.Unused.Since)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, e := range o.Unused.Entries {
			note := ""
			if e.Expired {
				note = "\texpired"
			}
			fmt.Fprintf(w, "  %s\t%s%s\n", printable(e.name()), printable(e.place()), note)
		}
		w.Flush()
	}
	if len(o.Shadowed) > 0 {
		fmt.Fprint(out, "\nEntries that can decide nothing, as another one takes all mail that they are about:\n")
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, s := range o.Shadowed {
			fmt.Fprintf(w, "  %s\t%s\tbehind %s\t%s\n", printable(s.name()), printable(s.place()), printable(s.By.name()), printable(s.By.place()))
		}
		w.Flush()
	}
}

func (e *statsEntry) name() string { return e.List + ": " + e.ID }

func (e *statsEntry) place() string {
	if e.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", e.File, e.Line)
}

// emptyValues are what people are shown for the empty value.
var emptyValues = map[string]string{"domain": "(no Author Domain)", "client": "(unknown)", "rule": "(policy of the sender)"}

func valueText(value, empty string) string {
	if value == "" {
		return empty
	}
	return printable(value)
}

// show writes a line for each value.
func (t *statsTable) show(out io.Writer) error {
	fmt.Fprintf(out, "%s to %s\n", t.Since, t.Until)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "messages\tpass\tfail\trefused\ttagged\theld\tput off\twould refuse\t  "+t.By)
	line := func(c *statsCounts, missed uint64, value string) {
		most := ""
		if missed > 0 {
			most = fmt.Sprintf(" to %d", c.Messages+missed)
		}
		fmt.Fprintf(w, "%d%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t  %s\n",
			c.Messages, most, c.Pass, c.Fail, c.Refused, c.Tagged, c.Held, c.Deferred, c.WouldRefuse, value)
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		line(&r.statsCounts, r.Missed, valueText(r.Value, emptyValues[t.By]))
	}
	if t.Other.Messages > 0 {
		line(&t.Other, 0, otherRows)
	}
	return w.Flush()
}
