package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"alignd/journal/state"
	"alignd/web/chart"
)

// overview is what of the JSON of alignd stats the page shows; docs/stats.md has its keys.
type overview struct {
	Periods []struct {
		Name string
		counts
	}
	WholeHours struct {
		Until            string
		Today, Yesterday counts
		WeekAgo          counts `json:"week_ago"`
	} `json:"whole_hours"`
	Unused struct {
		Since    string
		Messages uint64
		Entries  []entryPlace
	}
	Shadowed []struct {
		entryPlace
		By entryPlace
	}
}

// counts are those of a time.
type counts struct {
	Messages    uint64
	Pass        uint64
	Fail        uint64
	Tagged      uint64
	Held        uint64
	Deferred    uint64
	Refused     uint64
	PassRefused uint64 `json:"pass_refused"`
	WouldRefuse uint64 `json:"would_refuse"`
	Rescued     uint64
}

type entryPlace struct {
	List, ID, File string
	Line           int
	Expired        bool
}

func (e *entryPlace) name() string { return e.List + ": " + e.ID }

// spans are what Today counts over.
var spans = map[string]int{"hours": 0, "30d": 30, "90d": 90}

// statsBy ask alignd stats for the same counts.
var statsBy = map[string]string{"hours": "hour --since 23h", "30d": "day --since 29d", "90d": "day --since 89d --limit 0"}

// today is how mail went, against yesterday and last week, and what needs a hand.
func (a *asked) today() (*page, error) {
	span := a.get("span")
	if _, ok := spans[span]; !ok {
		span = "hours"
	}
	raw, err := a.opt.Backend.Stats(a.ctx, a.now)
	if err != nil {
		return nil, err
	}
	var o overview
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	bars, err := a.counted(st, spans[span])
	if err != nil {
		return nil, err
	}
	disposition, dmarc := dispositionChart(bars, span), dmarcChart(bars, span)
	counts := countTable(bars)
	p := &page{Command: "alignd stats; alignd stats --by " + statsBy[span], Rows: counts, Data: map[string]any{"overview": raw, "span": span, "counts": bars}}
	p.Blocks = []block{
		{Stats: comparison(&o, a.now), Links: []link{{"By hour", "/today"}, {"30 days", "/today?span=30d"}, {"90 days", "/today?span=90d"}}},
		{Heading: "What became of mail", Chart: disposition.SVG()},
		{Heading: "DMARC results", Chart: dmarc.SVG(), Behind: counts},
	}
	hand, err := a.hand(st, &o)
	if err != nil {
		return nil, err
	}
	fresh, err := a.newSources()
	if err != nil {
		return nil, err
	}
	p.Blocks = append(p.Blocks, hand, fresh, a.changed(st))
	return p, nil
}

// bar is what is counted of an hour or a day.
type bar struct {
	Begin    time.Time `json:"begin"`
	Messages uint64    `json:"messages"`
	Pass     uint64    `json:"pass"`
	Fail     uint64    `json:"fail"`
	Tagged   uint64    `json:"tagged"`
	Held     uint64    `json:"held"`
	Deferred uint64    `json:"deferred"`
	Refused  uint64    `json:"refused"`
	Rescued  uint64    `json:"rescued"`
}

func barOf(begin time.Time, c *state.Counts) bar {
	return bar{begin, c.Messages, c.Pass, c.Fail, c.Tagged, c.Held, c.Deferred, c.Refused, c.Rescued}
}

// counted are the last 24 hours, or so many days until today.
func (a *asked) counted(st *state.State, days int) (list []bar, err error) {
	if days > 0 {
		first := a.now.Truncate(24*time.Hour).AddDate(0, 0, 1-days)
		found, err := st.Days(a.ctx, first)
		for d := first; !d.After(a.now); d = d.AddDate(0, 0, 1) {
			c := found[d]
			list = append(list, barOf(d, &c))
		}
		return list, err
	}
	first := a.now.Truncate(time.Hour).Add(-23 * time.Hour)
	found, err := st.Hours(a.ctx, first)
	for h := first; !h.After(a.now); h = h.Add(time.Hour) {
		c := found[h]
		list = append(list, barOf(h, &c))
	}
	return list, err
}

func labels(list []bar, span string) (all []string) {
	form := "15:04"
	if span != "hours" {
		form = "01-02"
	}
	for _, b := range list {
		all = append(all, b.Begin.Format(form))
	}
	return all
}

func series(name string, class int, list []bar, of func(*bar) uint64) chart.Series {
	s := chart.Series{Name: name, Class: class}
	for i := range list {
		s.Values = append(s.Values, of(&list[i]))
	}
	return s
}

func dispositionChart(list []bar, span string) *chart.Bars {
	return &chart.Bars{Title: "Messages by what became of them", Description: "The table below has the same numbers.", Labels: labels(list, span), Series: []chart.Series{
		series("delivered", 0, list, func(b *bar) uint64 { return b.Messages - min(b.Messages, b.Tagged+b.Held+b.Deferred+b.Refused) }),
		series("marked or held", 2, list, func(b *bar) uint64 { return b.Tagged + b.Held }),
		series("put off", 3, list, func(b *bar) uint64 { return b.Deferred }),
		series("refused", 1, list, func(b *bar) uint64 { return b.Refused }),
	}}
}

func dmarcChart(list []bar, span string) *chart.Bars {
	return &chart.Bars{Title: "Messages by DMARC result", Description: "The table below has the same numbers.", Labels: labels(list, span), Series: []chart.Series{
		series("pass", 0, list, func(b *bar) uint64 { return b.Pass }),
		series("fail", 1, list, func(b *bar) uint64 { return b.Fail }),
		series("none or error", 4, list, func(b *bar) uint64 { return b.Messages - min(b.Messages, b.Pass+b.Fail) }),
	}}
}

func countTable(list []bar) *table {
	t := &table{Caption: "Counts", Columns: columns("Begin", "#Messages", "#DMARC pass", "#DMARC fail", "#Marked", "#Held", "#Put off", "#Refused", "#Rescued")}
	for i := range slices.Backward(list) {
		b := &list[i]
		t.Rows = append(t.Rows, []cell{plain(b.Begin.Format("2006-01-02 15:04")), number(b.Messages), number(b.Pass), number(b.Fail),
			number(b.Tagged), number(b.Held), number(b.Deferred), number(b.Refused), number(b.Rescued)})
	}
	return t
}

// comparison is today so far. The days before are compared as far as whole hours go, so that
// none has had more time than the other.
func comparison(o *overview, now time.Time) (list []stat) {
	if len(o.Periods) < 5 {
		return nil
	}
	today, w := &o.Periods[0].counts, &o.WholeHours
	since := now.Format(time.DateOnly)
	add := func(name, class, href string, of func(*counts) uint64) {
		note := fmt.Sprintf("until %s: %d; yesterday %d, a week ago %d", w.Until, of(&w.Today), of(&w.Yesterday), of(&w.WeekAgo))
		if w.Until == "00:00" || w.Until == "" { // nothing can be compared yet
			note = fmt.Sprintf("all of yesterday %d, a day of the last 7 %d", of(&o.Periods[3].counts), (of(&o.Periods[4].counts)+3)/7)
		}
		list = append(list, stat{Name: name, Value: strconv.FormatUint(of(today), 10), Class: class, Href: href, Note: note})
	}
	messages := func(query ...string) string { return to("/messages", append(query, "since", since)...) }
	add("messages today", "", messages(), func(c *counts) uint64 { return c.Messages })
	add("refused", "bad", messages("delivery", "refuse"), func(c *counts) uint64 { return c.Refused })
	add("marked", "mark", messages("delivery", "tag"), func(c *counts) uint64 { return c.Tagged })
	add("held", "mark", messages("delivery", "hold"), func(c *counts) uint64 { return c.Held })
	add("put off", "later", messages("delivery", "defer"), func(c *counts) uint64 { return c.Deferred })
	add("rescued by an exception or trusted sealer", "good", "/rules", func(c *counts) uint64 { return c.Rescued })
	add("fail DMARC", "", messages("dmarc", "fail"), func(c *counts) uint64 { return c.Fail })
	add("refused although they pass", "bad", messages("delivery", "refuse", "dmarc", "pass"), func(c *counts) uint64 { return c.PassRefused })
	add("would be refused, but for monitor mode or a rollout", "mark", messages("would", "refuse"), func(c *counts) uint64 { return c.WouldRefuse })
	return slices.DeleteFunc(list, func(s stat) bool { // what never is needs no room
		never := strings.HasSuffix(s.Note, ": 0; yesterday 0, a week ago 0") || s.Note == "all of yesterday 0, a day of the last 7 0"
		return s.Value == "0" && never && slices.Contains([]string{"held", "refused although they pass", "would be refused, but for monitor mode or a rollout"}, s.Name)
	})
}
