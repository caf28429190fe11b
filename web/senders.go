package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"alignd/domain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/replay/sources"
	"alignd/web/chart"
)

// days reads the parameter days.
func (a *asked) days(usual int) int {
	n := 0
	if _, err := fmt.Sscanf(a.get("days"), "%d", &n); err != nil || n < 1 || n > 90 {
		return usual
	}
	return n
}

// ranked is a pair with what it is ranked by.
type ranked struct {
	state.Pair
	Own bool `json:"own"`
	// Honest is failing mail that looks honest: it has a passing signature or SPF of
	// somebody, which who forges rarely has.
	Honest uint64 `json:"failing_but_signed_or_spf"`
}

// senders are pairs of Author Domain and infrastructure, what matters first.
func (a *asked) senders() (*page, error) {
	name, err := a.domainAsked()
	if err != nil {
		return nil, err
	}
	days := a.days(30)
	since := a.now.Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	pairs, err := st.Pairs(a.ctx, state.PairQuery{Author: name, Since: since})
	if err != nil {
		return nil, err
	}
	list := make([]ranked, 0, len(pairs))
	for _, p := range pairs {
		list = append(list, ranked{p, a.opt.Backend.Own(a.cfg, p.Author), min(p.Fail, p.FailDKIM+p.FailSPF)})
	}
	slices.SortStableFunc(list, func(x, y ranked) int {
		own := map[bool]int{true: 1}
		return cmp.Or(own[y.Own]-own[x.Own], cmp.Compare(y.Honest, x.Honest), cmp.Compare(y.Fail, x.Fail), cmp.Compare(y.Messages, x.Messages))
	})
	most, all := 200, len(list)
	if a.format != asHTML {
		most = rowsOfFile
	}
	list = list[:min(most, all)]
	t := &table{Caption: fmt.Sprintf("Who sends as whom, in %d days; %d of %d pairs", days, len(list), all), Live: true, Empty: "Nobody, as far as is counted.",
		Columns: columns("Author Domain", "Sent from", "#Messages", "#Pass", "#Fail", "#Fails, looks honest", "#Refused", "First", "Last")}
	for i := range list {
		p := &list[i]
		author := linked(cmp.Or(p.Author, "(none)"), "/senders", "domain", p.Author)
		if p.Own {
			author.Note = "own"
		}
		t.Rows = append(t.Rows, []cell{author, linked(cmp.Or(p.Infrastructure, "unknown"), "/sender", "domain", p.Author, "source", p.Infrastructure),
			number(p.Messages), shareOf(p.Pass, p.Messages), shareOf(p.Fail, p.Messages), number(p.Honest), number(p.Refused),
			plain(p.First.UTC().Format(time.DateOnly)), plain(p.Last.UTC().Format(time.DateOnly))})
	}
	command := "alignd sources"
	if name != "" {
		command += " " + shellWord(name)
	}
	p := &page{Command: command + fmt.Sprintf(" --since %dd", days), Rows: t, Data: map[string]any{"since": since, "pairs": list, "all": all}}
	if name != "" {
		p.Title = "Senders of " + terminal.Line(name)
	}
	p.Blocks = []block{{Note: "Own domains first, then those with the most failing mail that looks honest: it is signed by somebody, or SPF passes, but neither is aligned with the author.",
		Form: &form{Action: "/senders", Submit: "Show", Fields: []field{{Name: "domain", Label: "Author Domain", Value: a.get("domain")},
			{Name: "days", Label: "Days", Value: fmt.Sprint(days), Choices: []string{"1", "7", "30", "90"}}}}}, {Table: t}}
	if name != "" {
		p.Blocks = append(p.Blocks, block{Links: []link{{"What it publishes", to("/domain", "name", name)}, {"Its messages", to("/messages", "domain", name)}}})
	}
	return p, nil
}

func shareOf(n, of uint64) cell {
	c := number(n)
	if of > 0 && n > 0 {
		c.Note = fmt.Sprintf("%d %%", (100*n+of/2)/of)
	}
	return c
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

// mostSamples is how many messages of a pair are shown, and inMost among how many of
// its Author Domain they are looked for; ours.
const mostSamples, inMost = 20, 20_000

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
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	bars, total, err := a.trend(st, name, source)
	if err != nil {
		return nil, err
	}
	list, err := a.samples(name, source)
	if err != nil {
		return nil, err
	}
	drawn := &chart.Bars{Title: "Messages by day", Description: "The table below has the same numbers.", Labels: labels(bars, "30d"), Series: []chart.Series{
		series("pass", 0, bars, func(b *bar) uint64 { return b.Pass }), series("fail", 1, bars, func(b *bar) uint64 { return b.Fail }),
		series("none or error", 4, bars, func(b *bar) uint64 { return b.Messages - min(b.Messages, b.Pass+b.Fail) })}}
	t := messageTable(list)
	t.Caption, t.Empty = "Samples, newest first, failing ones before others", "No message of it is in the journal any more."
	p := &page{Title: terminal.Line(name + " from " + source), Command: "alignd sources " + shellWord(name), Rows: t,
		Data: map[string]any{"domain": name, "source": source, "counts": total, "days": bars, "samples": tokens(list)}}
	p.Blocks = []block{
		{Stats: []stat{{Name: "messages in 30 days", Value: fmt.Sprint(total.Messages)}, {Name: "pass DMARC", Value: fmt.Sprint(total.Pass), Class: "good"},
			{Name: "fail", Value: fmt.Sprint(total.Fail), Class: "bad"}, {Name: "refused", Value: fmt.Sprint(total.Refused), Class: "bad"},
			{Name: "first seen", Value: dayOrNone(total.First)}, {Name: "last seen", Value: dayOrNone(total.Last)}}},
		{Heading: "Trend", Chart: drawn.SVG(), Behind: countTable(bars)},
		{Heading: "Samples", Table: t},
	}
	p.Blocks = append(p.Blocks, a.suggestionForm(name, source))
	return p, nil
}

func dayOrNone(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func tokens(list []*journal.Entry) []string {
	all := []string{}
	for _, e := range list {
		all = append(all, cmp.Or(e.Record.Evidence.Token, e.Record.Evidence.QueueID))
	}
	return all
}

// trend counts a pair by day.
func (a *asked) trend(st *state.State, author, source string) (list []bar, total state.Counts, err error) {
	first := a.now.Truncate(24*time.Hour).AddDate(0, 0, -29)
	for d := first; !d.After(a.now); d = d.AddDate(0, 0, 1) {
		until := d.AddDate(0, 0, 1)
		if until.After(a.now) {
			until = time.Time{}
		}
		pairs, err := st.Pairs(a.ctx, state.PairQuery{Author: author, Since: d, Until: until})
		if err != nil {
			return nil, total, err
		}
		var c state.Counts
		for i := range pairs {
			if pairs[i].Infrastructure == source {
				c.Add(&pairs[i].Counts)
			}
		}
		total.Add(&c)
		list = append(list, barOf(d, &c))
	}
	return list, total, nil
}

// samples are messages of a pair, failing ones first.
func (a *asked) samples(author, source string) ([]*journal.Entry, error) {
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var failing, others []*journal.Entry
	seen := 0
	err = r.Search(a.ctx, journal.Query{Domain: author, Since: a.now.AddDate(0, 0, -30)}, func(e *journal.Entry) error {
		if seen++; seen > inMost {
			return journal.ErrEnough
		}
		if sources.Infrastructure(&e.Record.Evidence, a.opt.Backend.Organization) != source {
			return nil
		}
		if !a.person.auditor() {
			e = private(e)
		}
		if failsDMARC(e) {
			failing = append(failing, e)
		} else if len(others) < mostSamples {
			others = append(others, e)
		}
		if len(failing) >= mostSamples {
			return journal.ErrEnough
		}
		return nil
	})
	list := append(failing, others...)
	return list[:min(len(list), mostSamples)], err
}

func failsDMARC(e *journal.Entry) bool {
	for i := range e.Record.Evidence.DMARC {
		if e.Record.Evidence.DMARC[i].Result == "fail" {
			return true
		}
	}
	return false
}
