package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"alignd/domain"
	"alignd/internal/terminal"
	"alignd/journal/state"
	"alignd/web/chart"
)

// days reads the parameter days: 1 to 90, 30 where it is none of these.
func (a *asked) days() int {
	n := 0
	if _, err := fmt.Sscanf(a.get("days"), "%d", &n); err != nil || n < 1 || n > 90 {
		return 30
	}
	return n
}

// senderRows is how many pairs a page shows; ours.
const senderRows = 100

// senderKinds are the choices of what to show, with the word that a row has.
var senderKinds = []string{"", string(state.SenderSteady), string(state.SenderNew), string(state.SenderOnce)}

// senders are pairs of Author Domain and infrastructure, what matters first.
func (a *asked) senders() (*page, error) {
	name, err := a.domainAsked()
	if err != nil {
		return nil, err
	}
	q := state.SenderQuery{Days: a.days(), Author: name, Own: a.opt.Backend.Own(a.cfg), Limit: senderRows, Trend: true}
	if a.format != asHTML {
		q.Limit = rowsOfFile
	}
	kind := a.get("kind")
	if kind != "" && slices.Contains(senderKinds, kind) {
		q.Kinds = []state.SenderKind{state.SenderKind(kind)}
	}
	book, err := a.book(a.ctx)
	if err != nil {
		return nil, err
	}
	found := book.Senders(q)
	t := a.senderTable(found, q.Days)
	p := &page{Command: sendersCommand(name, kind, q.Days), Rows: t, Data: found}
	if name != "" {
		p.Title = "Senders of " + terminal.Line(name)
	}
	p.Blocks = []block{{Note: "Own domains first, and those on top of which failing mail looks honest: it is signed by somebody or SPF passes, though neither is the author, on " +
		"several days (steady), or from a source of the last week (new). It is no proof: a pair's page finds out who speaks for it.",
		Form: &form{Action: "/senders", Submit: "Show", Fields: []field{{Name: "domain", Label: "Author Domain", Value: a.get("domain")},
			{Name: "days", Label: "Days", Value: fmt.Sprint(q.Days), Choices: []string{"1", "7", "30", "90"}},
			{Name: "kind", Label: "Kind", Value: kind, Any: "all", Choices: senderKinds}}}}, {Table: t}}
	if n := &found.Single; n.Pairs > 0 && kind == "" {
		p.Blocks = append(p.Blocks, block{Note: fmt.Sprintf("At the end stand %d pairs that sent less than five messages each, none of which passed: %d messages, of which %d were refused. Who forges from many places looks so.",
			n.Pairs, n.Messages, n.Refused), Links: []link{{"Only these", to("/senders", "domain", name, "days", fmt.Sprint(q.Days), "kind", string(state.SenderOnce))}}})
	}
	if found.Absent > 0 {
		p.Blocks = append(p.Blocks, block{Note: fmt.Sprintf("A day has the %d most frequent pairs. Others had %d messages at most in all of these days.", state.Most, found.Absent)})
	}
	if name != "" {
		p.Blocks = append(p.Blocks, block{Links: []link{{"What it publishes", to("/domain", "name", name)}, {"Its messages", to("/messages", "domain", name)}}})
	}
	return p, nil
}

// sendersCommand is the command line that tells the same.
func sendersCommand(name, kind string, days int) string {
	command := "alignd sources --counts"
	if kind != "" {
		command += " --kind " + kind
	}
	command += fmt.Sprintf(" --since %dd", days)
	if name != "" {
		command += " " + shellWord(name)
	}
	return command
}

func (a *asked) senderTable(found *state.Senders, days int) *table {
	t := &table{Caption: fmt.Sprintf("Who sends as whom, in %d days; %d of %d pairs", days, len(found.List), found.All), Live: true, Empty: "Nobody, as far as is counted.",
		Columns: columns("Author Domain", "Sent from", "#Messages", "By day", "#Pass", "#Fail", "#Fails, looks honest", "~#Refused", "~First", "~Last")}
	for _, p := range found.List {
		author := linked(p.Author, "/senders", "domain", p.Author)
		if p.Own {
			author.Note = "own"
		}
		source := linked(p.Infrastructure, "/sender", "domain", p.Author, "source", p.Infrastructure)
		honest := number(p.Honest)
		switch {
		case p.New:
			source.Note = "new"
		case p.Kind == state.SenderSteady:
			source.Note = "steady"
		}
		if p.HonestDays > 0 {
			honest.Note = fmt.Sprintf("on %d days", p.HonestDays)
		}
		t.Rows = append(t.Rows, []cell{author, source, number(p.Messages), trendCell(p), shareOf(p.Pass, p.Messages), shareOf(p.Fail, p.Messages), honest,
			number(p.Refused), plain(p.First.Format(time.DateOnly)), plain(p.Last.Format(time.DateOnly))})
	}
	return t
}

// trendCell is a line, and the numbers that it is drawn from, which CSV has.
func trendCell(p *state.Sender) cell {
	text := strings.Trim(fmt.Sprint(p.Trend), "[]")
	l := chart.Line{Text: fmt.Sprintf("by day: %s; failing: %s", text, strings.Trim(fmt.Sprint(p.TrendFail), "[]")), All: p.Trend, Bad: p.TrendFail}
	return cell{Text: text, Chart: l.SVG()}
}

func shareOf(n, of uint64) cell {
	c := number(n)
	if of > 0 && n > 0 {
		c.Note = percent(n, of)
	}
	return c
}

func percent(n, of uint64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", (100*n+of/2)/of)
}

// domainAsked is the parameter domain in its A-label form.
func (a *asked) domainAsked() (string, error) {
	text := a.get("domain")
	if text == "" {
		return "", nil
	}
	name, err := domain.Normalize(text)
	if err != nil {
		return "", wrong("domain %q: %s", text, err)
	}
	return name, nil
}

// sender is one pair: how it goes, samples, and the entry that would let it in.
func (a *asked) sender() (*page, error) {
	name, err := a.domainAsked()
	if err != nil {
		return nil, err
	}
	source := a.get("source")
	if name == "" || source == "" {
		return nil, wrong("Name a pair: domain and source.")
	}
	days := a.days()
	book, err := a.book(a.ctx)
	if err != nil {
		return nil, err
	}
	own := a.opt.Backend.Own(a.cfg)
	total := &state.Sender{Author: name, Infrastructure: source, Own: own(name)}
	if found := book.Senders(state.SenderQuery{Days: days, Author: name, Infrastructure: source, Own: own}); len(found.List) == 1 {
		total = found.List[0]
	}
	counted := book.Days(name, source, days)
	bars := make([]bar, len(counted))
	for i := range counted {
		bars[i] = barOf(counted[i].Begin, &counted[i].Counts)
	}
	list, part, err := a.samples(name, source, counted)
	if err != nil {
		return nil, err
	}
	drawn := &chart.Bars{Title: "Messages by day", Description: "The table below has the same numbers.", Labels: labels(bars, "30d"), Series: []chart.Series{
		series("pass", 0, bars, func(b *bar) uint64 { return b.Pass }), series("fail", 1, bars, func(b *bar) uint64 { return b.Fail }),
		series("none or error", 4, bars, func(b *bar) uint64 { return b.Messages - min(b.Messages, b.Pass+b.Fail) })}}
	t := messageTable(list)
	t.Caption, t.Empty = "Samples, newest first, failing ones before others", "No message of it is in the journal any more."
	p := &page{Title: terminal.Line(name + " from " + source), Command: sendersCommand(name, "", days), Rows: t,
		Data: map[string]any{"pair": total, "days": bars, "samples": tokens(list)}}
	p.Blocks = []block{
		{Note: inShort(total), Stats: []stat{{Name: fmt.Sprintf("messages in %d days", days), Value: fmt.Sprint(total.Messages)},
			{Name: "pass DMARC", Value: fmt.Sprint(total.Pass), Note: percent(total.Pass, total.Messages), Class: "good"},
			{Name: "fail", Value: fmt.Sprint(total.Fail), Note: percent(total.Fail, total.Messages), Class: "bad"},
			{Name: "fail, looks honest", Value: fmt.Sprint(total.Honest)}, {Name: "refused", Value: fmt.Sprint(total.Refused), Class: "bad"},
			{Name: "first seen", Value: dayOrNone(total.First)}, {Name: "last seen", Value: dayOrNone(total.Last)}}},
		a.suggestionForm(name, source),
		{Heading: "Trend", Chart: drawn.SVG(), Behind: countTable(bars), Form: &form{Action: "/sender", Submit: "Show", Fields: []field{
			{Name: "domain", Value: name, Hidden: true}, {Name: "source", Value: source, Hidden: true},
			{Name: "days", Label: "Days", Value: fmt.Sprint(days), Choices: []string{"1", "7", "30", "90"}}}}},
		{Heading: "Samples", Note: part, Table: t, Links: []link{{"All senders of it", to("/senders", "domain", name)}, {"What it publishes", to("/domain", "name", name)}}},
	}
	return p, nil
}

// inShort says in a sentence what a pair is.
func inShort(p *state.Sender) string {
	whose, text := "Its Author Domain is one of own_domains.", "Nothing of it stands out."
	if !p.Own {
		whose = "Its Author Domain is not one of own_domains."
	}
	switch p.Kind {
	case state.SenderSteady:
		text = fmt.Sprintf("Failing mail of it looks honest on %d days: a signature of somebody or SPF passes.", p.HonestDays)
	case state.SenderNew:
		text = "It is new, and failing mail of it looks honest: a signature of somebody or SPF passes."
	case state.SenderOnce:
		text = "It sent less than five messages, none of which passed."
	case state.SenderUsual:
		if p.New {
			text = "It is new."
		}
	}
	return text + " " + whose
}

func dayOrNone(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}
