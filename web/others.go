package web

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/web/chart"
)

// here is what we saw ourselves of a source or a day.
type here struct {
	Messages uint64 `json:"messages"`
	Pass     uint64 `json:"pass"`
	Fail     uint64 `json:"fail"`
	Refused  uint64 `json:"refused"`
	// Of is what else is in it: the source's infrastructure, where that is counted as one.
	Of string `json:"of,omitempty"`
	// Unknown: it was not asked.
	Unknown bool `json:"unknown,omitempty"`
}

func hereOf(c *state.Counts) here {
	return here{Messages: c.Messages, Pass: c.Pass, Fail: c.Fail, Refused: c.Refused}
}

// note counts a message.
func (h *here) note(e *journal.Entry) {
	h.Messages++
	switch explain.DMARC(e.Record) {
	case "pass":
		h.Pass++
	case "fail":
		h.Fail++
	}
	if e.Record.Verdict.Delivery == policy.Refuse {
		h.Refused++
	}
}

// cells are messages and failing ones here.
func (h *here) cells(author, network string) []cell {
	if h.Unknown {
		return []cell{{Text: ""}, {Text: ""}}
	}
	n := number(h.Messages)
	if h.Messages > 0 && network != "" {
		n.Href = to("/messages", "client", network, "domain", author)
	}
	if h.Of != "" {
		n.Note = terminal.Line("of all of " + h.Of)
	}
	return []cell{n, number(h.Fail)}
}

// othersQuery is what is asked of the reports of others.
type othersQuery struct {
	state.ElsewhereQuery
	days int
	by   string // source, reporter or day
}

// looksSoon is after how long a page, not its CSV and JSON, asks the journal about no further
// sources: each takes a look into every day. Ours.
var looksSoon = 100 * time.Millisecond

// Bounds of the pages about reports of others; ours.
const (
	sourcesOnPage = 50
	// lookedUp is how many sources the journal is asked about at a look, a message each.
	lookedUp = 100
	// readOfNetwork is how many messages of a network are counted by day.
	readOfNetwork = 2000
)

// othersAsked reads the parameters.
func (a *asked) othersAsked() (q othersQuery, err error) {
	q.by = a.get("by")
	if q.by != "reporter" && q.by != "day" {
		q.by = "source"
	}
	if q.Author, err = a.domainAsked(); err != nil {
		return q, err
	}
	q.Reporter, q.Network = a.get("reporter"), a.get("network")
	if q.Network != "" {
		p, err := netip.ParsePrefix(q.Network)
		if err != nil {
			return q, wrong("network: %q is no network such as 192.0.2.0/24", q.Network)
		}
		q.Network = p.String()
	}
	q.days, q.Unproven = a.days(), a.get("unproven") == "yes"
	q.Since = a.now.Truncate(24*time.Hour).AddDate(0, 0, 1-q.days)
	return q, nil
}

// command says the same.
func (q *othersQuery) command() string {
	c := "alignd sources"
	if q.Author != "" {
		c += " " + shellWord(q.Author)
	}
	if q.Unproven {
		c += " --unproven"
	}
	return c + fmt.Sprintf(" --since %dd", q.days)
}

// link is the same question, changed.
func (q *othersQuery) link(change ...string) string {
	args := map[string]string{"by": q.by, "domain": q.Author, "reporter": q.Reporter, "network": q.Network, "days": fmt.Sprint(q.days)}
	if q.Unproven {
		args["unproven"] = "yes"
	}
	for i := 0; i+1 < len(change); i += 2 {
		args[change[i]] = change[i+1]
	}
	return to("/reports/others", "by", args["by"], "domain", args["domain"], "reporter", args["reporter"], "network", args["network"], "days", args["days"], "unproven", args["unproven"])
}

// reportsOfOthers are those about own domains, by source, reporter or day, beside what we
// saw ourselves.
func (a *asked) reportsOfOthers() (*page, error) {
	q, err := a.othersAsked()
	if err != nil {
		return nil, err
	}
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	found, err := st.Elsewhere(a.ctx, q.ElsewhereQuery)
	if err != nil {
		return nil, err
	}
	days, part, err := a.othersDays(st, &q, found)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"since": q.Since, "by": q.by, "elsewhere": found, "days": days}
	p := &page{Command: q.command(), Data: data}
	switch q.by {
	case "reporter":
		p.Rows = reporterTable(&q, found)
	case "day":
		p.Rows = dayTable(days)
	default:
		beside, err := a.besideSources(&q, found.Sources)
		if err != nil {
			return nil, err
		}
		p.Rows, data["here"] = a.sourceTable(&q, found.Sources, beside), beside
	}
	p.Blocks = []block{q.form(), othersSums(found, &q), {Heading: "By day", Note: part, Chart: othersChart(days).SVG(), Behind: dayTable(days)},
		{Table: p.Rows, Links: []link{{"By source", q.link("by", "source")}, {"By reporter", q.link("by", "reporter")}, {"By day", q.link("by", "day")}, {"What we send", "/reports"}}}}
	return p, nil
}

func (q *othersQuery) form() block {
	unproven := ""
	if q.Unproven {
		unproven = "yes"
	}
	return block{Note: "Mail that others saw as our domains, as their DMARC reports tell, and beside it what came here from the same source or on the same day.",
		Form: &form{Action: "/reports/others", Submit: "Show", Fields: []field{{Name: "domain", Label: "Author Domain", Value: q.Author}, {Name: "reporter", Label: "Reporter", Value: q.Reporter},
			{Name: "network", Label: "Network", Value: q.Network}, {Name: "by", Label: "By", Value: q.by, Choices: []string{"source", "reporter", "day"}},
			{Name: "days", Label: "Days", Value: fmt.Sprint(q.days), Choices: []string{"7", "30", "90"}}, {Name: "unproven", Label: "Unproven ones", Value: unproven, Choices: []string{"", "yes"}, Any: "left out"}}}}
}

// othersSums are the sums.
func othersSums(e *state.Elsewhere, q *othersQuery) block {
	b := block{Stats: []stat{{Name: "reports", Value: fmt.Sprint(e.Reports)}, {Name: "messages", Value: fmt.Sprint(e.Messages)}, {Name: "pass DMARC", Value: fmt.Sprint(e.Pass), Class: "good"},
		{Name: "fail", Value: fmt.Sprint(e.Messages - e.Pass), Class: "bad"}, {Name: "rejected or quarantined", Value: fmt.Sprint(e.Rejected + e.Quarantined), Class: "mark"}}}
	if e.LeftOut.Reports > 0 {
		b.Alert = fmt.Sprintf("%d reports with %d messages are left out, as nobody can tell who sent them.", e.LeftOut.Reports, e.LeftOut.Messages)
		b.Links = []link{{"Count them too", q.link("unproven", "yes")}}
	}
	if e.Reports == 0 {
		b.Note = "Nobody reported in this time. They come to the address that rua= of the domain's DMARC record names, and alignd report import stores them (docs/reports.md)."
	}
	return b
}

// othersDay is a day as others saw it and as we did.
type othersDay struct {
	state.ElsewhereDay
	Here here `json:"here"`
}

// othersDays are the days of a question. Here are all Author Domains that others told of;
// of one network, what the journal has of it, of which part tells how much was read.
func (a *asked) othersDays(st *state.State, q *othersQuery, e *state.Elsewhere) (days []othersDay, part string, err error) {
	at := map[time.Time]int{}
	for d := q.Since; !d.After(a.now); d = d.AddDate(0, 0, 1) {
		at[d] = len(days)
		days = append(days, othersDay{ElsewhereDay: state.ElsewhereDay{Day: d}})
	}
	for _, x := range e.Days {
		if i, ok := at[x.Day]; ok {
			days[i].ElsewhereDay = x
		}
	}
	if q.Network != "" {
		part, err = a.networkDays(q, days)
		return days, part, err
	}
	of := map[string]bool{}
	if q.Author != "" {
		of[q.Author] = true
	}
	for i := range e.Sources {
		of[e.Sources[i].Author] = true
	}
	delete(of, "")
	counts, err := st.DomainDays(a.ctx, q.Since, of)
	for d, c := range counts {
		if i, ok := at[d]; ok {
			days[i].Here = hereOf(&c)
		}
	}
	return days, "", err
}

// networkDays counts what came from a network by day.
func (a *asked) networkDays(q *othersQuery, days []othersDay) (part string, err error) {
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return "", err
	}
	defer r.Close()
	network, seen := netip.MustParsePrefix(q.Network), 0
	err = r.Search(a.ctx, journal.Query{Domain: q.Author, Client: network, Since: q.Since}, func(e *journal.Entry) error {
		at := e.Record.Evidence.Time
		if seen++; seen > readOfNetwork {
			part = fmt.Sprintf("Of what came here the newest %d messages are counted, which began %s.", readOfNetwork, at.UTC().Format(time.DateTime))
			return journal.ErrEnough
		}
		if i := int(at.Sub(q.Since) / (24 * time.Hour)); i >= 0 && i < len(days) {
			days[i].Here.note(e)
		}
		return nil
	})
	return part, err
}

func othersChart(days []othersDay) *chart.Bars {
	c := &chart.Bars{Title: "Messages that others saw", Description: "The table below has the same numbers, and ours.", Series: []chart.Series{{Name: "pass", Class: 0}, {Name: "fail", Class: 1}}}
	for i := range days {
		d := &days[i]
		c.Labels = append(c.Labels, d.Day.Format("01-02"))
		c.Series[0].Values = append(c.Series[0].Values, uint64(max(0, d.Pass)))
		c.Series[1].Values = append(c.Series[1].Values, uint64(max(0, d.Messages-d.Pass)))
	}
	return c
}

func dayTable(days []othersDay) *table {
	t := &table{Caption: "By day", Columns: columns("Day", "#Reports", "#Messages", "#Pass", "#Fail", "~#Rejected", "~#Quarantined", "#Here", "~#Pass here", "#Fail here", "~#Refused here")}
	for i := range days {
		d := &days[len(days)-1-i]
		t.Rows = append(t.Rows, []cell{plain(d.Day.Format(time.DateOnly)), number(d.Reports), number(d.Messages), number(d.Pass), number(d.Messages - d.Pass), number(d.Rejected), number(d.Quarantined),
			number(d.Here.Messages), number(d.Here.Pass), number(d.Here.Fail), number(d.Here.Refused)})
	}
	return t
}

func reporterTable(q *othersQuery, e *state.Elsewhere) *table {
	t := &table{Caption: "Reporters, the most messages first", Live: true, Columns: columns("Reporter", "Proven", "#Reports", "#Messages", "#Pass", "#Fail", "Last"), Empty: "Nobody reported."}
	for i := range e.Reporters {
		r := &e.Reporters[i]
		name := plain(cmp.Or(r.Name, "(none)"))
		if r.Name != "" {
			name.Href = q.link("reporter", r.Name, "by", "source")
		}
		t.Rows = append(t.Rows, []cell{name, plain(yesNo(r.Proven)), number(r.Reports), number(r.Messages), number(r.Pass), number(r.Messages - r.Pass), plain(dayOrNone(r.Last))})
	}
	return t
}

// besideSources is what came here from each source as the same Author Domain, in the same
// days. It is counted by pair of Author Domain and infrastructure; that of a network is
// known by a message that came from it.
func (a *asked) besideSources(q *othersQuery, list []state.ElsewhereSource) ([]here, error) {
	book, err := a.book(a.ctx)
	if err != nil {
		return nil, err
	}
	most := rowsOfFile
	if a.format == asHTML {
		most = sourcesOnPage
	}
	list = list[:min(len(list), most)]
	all, keys := make([]here, len(list)), make([]state.Key, len(list))
	for i := range keys {
		keys[i] = state.Key{Text: list[i].Author, Second: list[i].Network}
	}
	var other []int // those that are not an infrastructure themselves
	for i, c := range book.Counts(keys, q.days) {
		if all[i] = hereOf(&c); c.Messages == 0 {
			other = append(other, i)
		}
	}
	of, err := a.infrastructures(q, list, other)
	if err != nil {
		return nil, err
	}
	for _, i := range other {
		name, asked := of[i]
		all[i].Of, all[i].Unknown, keys[i].Second = name, !asked, name
	}
	for i, c := range book.Counts(keys, q.days) {
		if all[i].Of != "" {
			of := all[i].Of
			all[i] = hereOf(&c)
			all[i].Of = of
		}
	}
	return all, nil
}

func (a *asked) sourceTable(q *othersQuery, list []state.ElsewhereSource, beside []here) *table {
	t := &table{Caption: "Sources, those with the most failing mail first", Live: true, Empty: "None.",
		Columns: columns("Author Domain", "Network", "#Messages", "#Pass", "#Fail", "~#Rejected", "~#Quarantined", "#Here", "#Fail here", "~Signed by", "~SPF of", "~Reporters", "~Last")}
	asked := true
	for i := range beside {
		x := &list[i]
		network := plain(cmp.Or(x.Network, "(others)"))
		if x.Network != "" {
			network.Href = q.link("network", x.Network, "domain", x.Author, "by", "day")
		}
		row := []cell{linked(x.Author, "/sender", "domain", x.Author, "source", x.Network), network, number(x.Messages), number(x.Pass), number(x.Messages - x.Pass), number(x.Rejected), number(x.Quarantined)}
		row = append(row, beside[i].cells(x.Author, x.Network)...)
		asked = asked && !beside[i].Unknown
		t.Rows = append(t.Rows, append(row, plain(joinedBriefly(x.Signers)), plain(joinedBriefly(x.Senders)), plain(joinedBriefly(x.Reporters)), plain(dayOrNone(x.Last))))
	}
	if len(t.Rows) < len(list) {
		t.Caption += fmt.Sprintf("; %d of %d", len(t.Rows), len(list))
	}
	if !asked && a.format == asHTML {
		t.Caption += "; where Here is empty the journal was not asked, CSV and JSON ask it more"
	}
	return t
}

// others are a few words about the reports of others, for the page Reports.
func (a *asked) others() ([]block, *state.Elsewhere, error) {
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	q := usualOthers(a.now)
	found, err := st.Elsewhere(a.ctx, q.ElsewhereQuery)
	if err != nil {
		return nil, nil, err
	}
	beside, err := a.besideSources(&q, found.Sources[:min(20, len(found.Sources))])
	if err != nil {
		return nil, nil, err
	}
	sums := othersSums(found, &q)
	sums.Heading = "What others report about own domains"
	sums.Links = append(sums.Links, link{"All sources", q.link()}, link{"By reporter", q.link("by", "reporter")}, link{"By day", q.link("by", "day")})
	return []block{sums, {Table: a.sourceTable(&q, found.Sources, beside)}}, found, nil
}

func joinedBriefly(list []string) string {
	text := ""
	for i, s := range list {
		if i == 3 {
			return text + fmt.Sprintf(" +%d", len(list)-3)
		}
		if i > 0 {
			text += " "
		}
		text += s
	}
	return text
}
