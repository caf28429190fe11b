package web

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"alignd/domain"
	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/policy"
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
	pairs, err := a.pairs.of(a.ctx, st, state.PairQuery{Author: name, Since: since}, a.now)
	if err != nil {
		return nil, err
	}
	list := rank(pairs, a.opt.Backend.Own(a.cfg))
	most, all := 200, len(list)
	if a.format != asHTML {
		most = rowsOfFile
	}
	list = list[:min(most, all)]
	t := &table{Caption: fmt.Sprintf("Who sends as whom, in %d days; %d of %d pairs", days, len(list), all), Live: true, Empty: "Nobody, as far as is counted.",
		Columns: columns("Author Domain", "Sent from", "#Messages", "#Pass", "#Fail", "#Fails, looks honest", "#Refused", "First", "Last")}
	for i := range list {
		p := list[i]
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

// rank puts pairs in order: own domains first, then failing mail that looks honest.
func rank(pairs []state.Pair, own func(string) bool) []*ranked {
	list := make([]*ranked, 0, len(pairs))
	for _, p := range pairs {
		list = append(list, &ranked{p, own(p.Author), min(p.Fail, p.FailDKIM+p.FailSPF)})
	}
	slices.SortFunc(list, func(x, y *ranked) int {
		if x.Own != y.Own {
			if x.Own {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(y.Honest, x.Honest), cmp.Compare(y.Fail, x.Fail), cmp.Compare(y.Messages, x.Messages),
			cmp.Compare(x.Author, y.Author), cmp.Compare(x.Infrastructure, y.Infrastructure))
	})
	return list
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

// mostSamples is how many messages of a pair are shown, and inMost among how many of its
// Author Domain they are looked for; ours.
const mostSamples, inMost = 20, 2000

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
	pairs, err := a.pairs.of(a.ctx, st, state.PairQuery{Author: name, Since: a.now.Truncate(24*time.Hour).AddDate(0, 0, -29)}, a.now)
	if err != nil {
		return nil, err
	}
	var total state.Counts
	for i := range pairs {
		if pairs[i].Infrastructure == source {
			total.Add(&pairs[i].Counts)
		}
	}
	list, bars, part, err := a.samples(name, source)
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
		{Heading: "Trend", Note: part, Chart: drawn.SVG(), Behind: countTable(bars)},
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

// samples are messages of a pair, failing ones first, and what it sent by day. part says
// that not all of it was looked at.
func (a *asked) samples(author, source string) (list []*journal.Entry, days []bar, part string, err error) {
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, nil, "", err
	}
	defer r.Close()
	first := a.now.Truncate(24*time.Hour).AddDate(0, 0, -29)
	for d := first; !d.After(a.now); d = d.AddDate(0, 0, 1) {
		days = append(days, bar{Begin: d})
	}
	var failing, others []*journal.Entry
	seen := 0
	err = r.Search(a.ctx, journal.Query{Domain: author, Since: first}, func(e *journal.Entry) error {
		ev := &e.Record.Evidence
		if seen++; seen > inMost {
			part = fmt.Sprintf("Of the newest %d messages of the domain, which began %s.", inMost, ev.Time.UTC().Format(time.DateTime))
			return journal.ErrEnough
		}
		if sources.Infrastructure(ev, a.opt.Backend.Organization) != source {
			return nil
		}
		if i := int(ev.Time.Sub(first) / (24 * time.Hour)); i >= 0 && i < len(days) {
			days[i].note(e)
		}
		to := &others
		if failsDMARC(e) {
			to = &failing
		}
		if len(*to) < mostSamples {
			if !a.person.auditor() {
				e = private(e)
			}
			*to = append(*to, e)
		}
		return nil
	})
	list = append(failing, others...)
	return list[:min(len(list), mostSamples)], days, part, err
}

// note counts a message.
func (b *bar) note(e *journal.Entry) {
	b.Messages++
	switch explain.DMARC(e.Record) {
	case "pass":
		b.Pass++
	case "fail":
		b.Fail++
	}
	switch e.Record.Verdict.Delivery {
	case policy.DeliverTag:
		b.Tagged++
	case policy.DeliverHold:
		b.Held++
	case policy.DeliverDefer:
		b.Deferred++
	case policy.Refuse:
		b.Refused++
	}
}

func failsDMARC(e *journal.Entry) bool {
	for i := range e.Record.Evidence.DMARC {
		if e.Record.Evidence.DMARC[i].Result == "fail" {
			return true
		}
	}
	return false
}
