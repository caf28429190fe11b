package web

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"alignd/internal/terminal"
)

// page is what is shown: blocks, one below the other.
type page struct {
	Title string
	// Command is the command line that says the same.
	Command string
	Blocks  []block
	// Rows are what the CSV has; nil where there is none.
	Rows *table
	// Data is what the JSON has: what the command line prints.
	Data any
	// Refresh has a browser ask again after so many seconds; 0 not at all.
	Refresh int
}

// block is a part of a page; of its fields below Note those that are set are shown.
type block struct {
	ID      string // for links
	Heading string
	Note    string
	Alert   string // what needs a hand
	Stats   []stat
	Way     []step
	Table   *table
	Chart   template.HTML // of package chart, which escapes what it is given
	Behind  *table        // that a chart is a picture of
	Meter   *meter
	Form    *form
	Points  []string
	Tree    *branch
	Lines   []explained
	Pre     string // text with line breaks
	Entry   string // text to paste
	Links   []link
	Beside  [][]block // columns, side by side; one below the other where it is narrow
}

// stat is a number that is shown large.
type stat struct {
	Name, Value, Note string
	Class             string
	Href              string
}

// step is a station on the way of a message.
type step struct {
	Name, Word, Text string
	Class            string
	Sign             string
}

// branch is a part of a tree.
type branch struct {
	Text    string
	Decided bool
	// Class and Sign say how it went; empty says nothing.
	Class, Sign string
	Below       []*branch
}

// explained is a line of an explanation.
type explained struct {
	Name, Text string
	Folded     bool
}

type link struct{ Text, Href string }

// table has as many cells in each row as columns.
type table struct {
	Caption string
	Columns []column
	Rows    [][]cell
	Empty   string // what is said where there are no rows
	// Live: rows can be filtered by typing, with a script.
	Live bool
	// List: each row is one line, and what is long is cut where it is shown.
	List bool
}

type column struct {
	Name   string
	Number bool
	Minor  bool // where it is narrow it is shown on request
}

type cell struct {
	Text, Href string
	Class      string // of a result word
	Sign       string // that says the same as the colour
	Note       string
	Chart      template.HTML // of package chart, shown in place of Text
	Title      string        // what the text is short for
}

// meter is how far something is.
type meter struct{ Percent int }

// form asks for something by GET; with Post set, by POST. Buttons are further ways to send
// it: their Href is the value of "do".
type form struct {
	Action, Submit string
	Buttons        []link
	Fields         []field
	Post           bool
	Token          string
}

type field struct {
	Name, Label, Value, Hint string
	Choices                  []string
	Any                      string        // what the empty choice is called; empty is "any"
	Text                     bool          // several lines
	Numbers                  template.HTML // of these lines: digits and marks of ours only
	Hidden                   bool
	Minor                    bool // where it is narrow it is shown on request, or with a value
}

// HasMinor reports whether there are fields that are shown on request.
func (f *form) HasMinor() bool {
	return slices.ContainsFunc(f.Fields, func(x field) bool { return x.Minor })
}

// columns have these names, with ~ in front of minor ones and then # of numbers.
func columns(names ...string) []column {
	all := make([]column, len(names))
	for i, n := range names {
		n, all[i].Minor = strings.CutPrefix(n, "~")
		all[i].Name, all[i].Number = strings.CutPrefix(n, "#")
	}
	return all
}

// HasMinor reports whether there are columns that are shown on request.
func (t *table) HasMinor() bool {
	return slices.ContainsFunc(t.Columns, func(c column) bool { return c.Minor })
}

// Class is that of its cells.
func (c column) Class() string {
	switch {
	case c.Number && c.Minor:
		return "number minor"
	case c.Number:
		return "number"
	case c.Minor:
		return "minor"
	}
	return ""
}

// plain is a cell of text from anywhere.
func plain(text string) cell { return cell{Text: terminal.Line(text)} }

func number[T ~int | ~int64 | ~uint64](n T) cell { return cell{Text: fmt.Sprint(n)} }

func linked(text, path string, query ...string) cell {
	return cell{Text: terminal.Line(text), Href: to(path, query...)}
}

// to is the address of a page with a query of names and values; empty values are left out.
func to(path string, query ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		if query[i+1] != "" {
			q.Set(query[i], query[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// word is a result word with the colour and the sign of what it means.
func word(w string) cell {
	class, sign := meaning(w)
	return cell{Text: terminal.Line(w), Class: class, Sign: sign}
}

// meaning is the class and the sign of a result word; no colour is the only thing that
// tells one from another.
func meaning(w string) (class, sign string) {
	first, _, _ := strings.Cut(w, " ")
	switch {
	case slices.Contains([]string{"pass", "deliver", "accept", "sent"}, first):
		return "good", "✓"
	case slices.Contains([]string{"fail", "refuse", "reject", "permerror", "given", "fault", "bounced"}, first):
		return "bad", "✗"
	case slices.Contains([]string{"tag", "hold", "quarantine", "softfail", "policy", "suppressed", "warning", "expired", "unknown,"}, first):
		return "mark", "!"
	case slices.Contains([]string{"defer", "tempfail", "temperror", "waiting", "sending", "put"}, first):
		return "later", "↻"
	}
	return "none", "·"
}

// hide takes out of all texts of a page what a role may not see.
func (p *page) hide(f func(string) string) {
	texts := func(list ...*string) {
		for _, s := range list {
			*s = f(*s)
		}
	}
	texts(&p.Title, &p.Command)
	hideTable(p.Rows, texts)
	p.hideBlocks(p.Blocks, f, texts)
}

func (p *page) hideBlocks(list []block, f func(string) string, texts func(...*string)) {
	for i := range list {
		b := &list[i]
		for _, column := range b.Beside {
			p.hideBlocks(column, f, texts)
		}
		texts(&b.Heading, &b.Note, &b.Alert, &b.Pre, &b.Entry)
		for i := range b.Stats {
			texts(&b.Stats[i].Name, &b.Stats[i].Value, &b.Stats[i].Note, &b.Stats[i].Href)
		}
		for i := range b.Way {
			texts(&b.Way[i].Word, &b.Way[i].Text)
		}
		for i := range b.Points {
			texts(&b.Points[i])
		}
		for i := range b.Lines {
			texts(&b.Lines[i].Text)
		}
		for i := range b.Links {
			texts(&b.Links[i].Text, &b.Links[i].Href)
		}
		if b.Tree != nil {
			b.Tree.hide(f)
		}
		if b.Form != nil {
			for i := range b.Form.Fields {
				texts(&b.Form.Fields[i].Value)
			}
		}
		for _, t := range []*table{b.Table, b.Behind} {
			if t != p.Rows {
				hideTable(t, texts)
			}
		}
	}
}

func hideTable(t *table, texts func(...*string)) {
	if t == nil {
		return
	}
	texts(&t.Caption)
	for _, row := range t.Rows {
		for i := range row {
			texts(&row[i].Text, &row[i].Href, &row[i].Note, &row[i].Title)
		}
	}
}

func (b *branch) hide(f func(string) string) {
	b.Text = f(b.Text)
	for _, below := range b.Below {
		below.hide(f)
	}
}

// printableLines is a text of several lines, each safe to be shown.
func printableLines(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = terminal.Line(l)
	}
	return strings.Join(lines, "\n")
}

// cells are the texts of a table, by the names of its columns.
func (t *table) cells() []map[string]string {
	all := []map[string]string{}
	for _, row := range t.Rows {
		texts := map[string]string{}
		for i := range row {
			texts[strings.ToLower(t.Columns[i].Name)] = row[i].Text
		}
		all = append(all, texts)
	}
	return all
}

// First names a table without caption.
func (t *table) First() string {
	names := make([]string, 0, 3)
	for _, c := range t.Columns[:min(3, len(t.Columns))] {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}
