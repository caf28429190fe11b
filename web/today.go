package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"alignd/journal/state"
	"alignd/web/chart"
)

// overview is what of the JSON of alignd stats the page shows; docs/stats.md has its keys.
type overview struct {
	Periods []struct {
		Name        string
		Messages    uint64
		Pass        uint64
		Fail        uint64
		Tagged      uint64
		Held        uint64
		Deferred    uint64
		Refused     uint64
		PassRefused uint64 `json:"pass_refused"`
		WouldRefuse uint64 `json:"would_refuse"`
		Days        int
	}
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

type entryPlace struct {
	List, ID, File string
	Line           int
	Expired        bool
}

func (e *entryPlace) name() string { return e.List + ": " + e.ID }

// spans are what Today counts over.
var spans = map[string]int{"hours": 0, "30d": 30, "90d": 90}

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
	p := &page{Command: "alignd stats", Rows: counts, Data: map[string]any{"overview": raw, "span": span, "counts": bars}}
	p.Blocks = []block{
		{Stats: comparison(&o), Links: []link{{"By hour", "/today"}, {"30 days", "/today?span=30d"}, {"90 days", "/today?span=90d"}}},
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
}

func barOf(begin time.Time, c *state.Counts) bar {
	return bar{begin, c.Messages, c.Pass, c.Fail, c.Tagged, c.Held, c.Deferred, c.Refused}
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
	t := &table{Caption: "Counts", Columns: columns("Begin", "#Messages", "#DMARC pass", "#DMARC fail", "#Marked", "#Held", "#Put off", "#Refused")}
	for i := range slices.Backward(list) {
		b := &list[i]
		t.Rows = append(t.Rows, []cell{plain(b.Begin.Format("2006-01-02 15:04")), number(b.Messages), number(b.Pass), number(b.Fail),
			number(b.Tagged), number(b.Held), number(b.Deferred), number(b.Refused)})
	}
	return t
}

// comparison is today against yesterday until now and the same day a week ago.
func comparison(o *overview) (list []stat) {
	if len(o.Periods) < 3 {
		return nil
	}
	now, yesterday, week := &o.Periods[0], &o.Periods[1], &o.Periods[2]
	add := func(name, class, href string, n, before, ago uint64) {
		list = append(list, stat{Name: name, Value: strconv.FormatUint(n, 10), Class: class, Href: href,
			Note: fmt.Sprintf("yesterday by now %d, a week ago %d", before, ago)})
	}
	add("messages today", "", "/messages?since=1d", now.Messages, yesterday.Messages, week.Messages)
	add("refused", "bad", "/messages?since=1d&delivery=refuse", now.Refused, yesterday.Refused, week.Refused)
	add("marked or held", "mark", "/messages?since=1d&delivery=tag", now.Tagged+now.Held, yesterday.Tagged+yesterday.Held, week.Tagged+week.Held)
	add("put off", "later", "/messages?since=1d&delivery=defer", now.Deferred, yesterday.Deferred, week.Deferred)
	add("fail DMARC", "", "/messages?since=1d&dmarc=fail", now.Fail, yesterday.Fail, week.Fail)
	add("fail and were let in unmarked", "good", "/messages?since=1d&dmarc=fail&delivery=deliver", rescued(now.Fail, now.Refused, now.Tagged, now.Held, now.Deferred, now.PassRefused),
		rescued(yesterday.Fail, yesterday.Refused, yesterday.Tagged, yesterday.Held, yesterday.Deferred, yesterday.PassRefused),
		rescued(week.Fail, week.Refused, week.Tagged, week.Held, week.Deferred, week.PassRefused))
	return list
}

// rescued are failing messages to which nothing was done, at least: by p=none, an exception,
// a sealer, monitor mode or a rollout.
func rescued(fail, refused, tagged, held, deferred, passRefused uint64) uint64 {
	return fail - min(fail, refused-min(refused, passRefused)+tagged+held+deferred)
}
