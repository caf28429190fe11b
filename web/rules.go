package web

import (
	"cmp"
	"fmt"
	"time"

	"alignd/config"
	"alignd/internal/terminal"
	"alignd/journal/state"
	"alignd/policy"
)

// ruleRow is an entry of the configuration with what it decided.
type ruleRow struct {
	List     string    `json:"list"`
	ID       string    `json:"id"`
	File     string    `json:"file"`
	Line     int       `json:"line"`
	Messages uint64    `json:"messages"`
	Last     time.Time `json:"last,omitzero"`
	Owner    string    `json:"owner,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	Behind   string    `json:"behind,omitempty"`
	Unsure   uint64    `json:"missed,omitempty"`
}

// rules are the entries of the configuration, with what each decided in 30 days.
func (a *asked) rules() (*page, error) {
	days := a.days(30)
	list, err := a.ruleRows(days)
	if err != nil {
		return nil, err
	}
	t := &table{Caption: fmt.Sprintf("Entries, and what they decided in %d days", days), Live: true, Empty: "The configuration has no entries.",
		Columns: columns("Entry", "Where", "#Messages", "Last hit", "Owner", "Expires", "Remark")}
	shown := 0
	for i := range list {
		r := &list[i]
		if a.get("show") == "unused" && r.Messages > 0 || shown >= rowsOfFile {
			continue
		}
		shown++
		t.Rows = append(t.Rows, a.ruleCells(r))
	}
	p := &page{Command: "alignd stats --by rule", Rows: t, Data: map[string]any{"days": days, "entries": orEmpty(list)}}
	p.Blocks = []block{{Links: []link{{"All", "/rules"}, {"Those that decided nothing", "/rules?show=unused"}, {"The last day", "/rules?days=1"}, {"90 days", "/rules?days=90"}}}, {Table: t}}
	return p, nil
}

func (a *asked) ruleCells(r *ruleRow) []cell {
	expires, remark := cell{}, cell{}
	if !r.Expires.IsZero() {
		expires = plain(r.Expires.Format(time.DateOnly))
	}
	switch {
	case !r.Expires.IsZero() && !a.now.Before(r.Expires):
		remark = cell{Text: "expired", Class: "bad", Sign: "✗"}
	case r.Behind != "":
		remark = cell{Text: terminal.Line("can decide nothing, behind " + r.Behind), Class: "mark", Sign: "!"}
	case r.Unsure > 0:
		remark = cell{Text: fmt.Sprintf("or up to %d more", r.Unsure)}
	case r.Messages == 0:
		remark = cell{Text: "decided nothing", Class: "none", Sign: "·"}
	}
	return []cell{linked(r.List+": "+r.ID, "/rule", "id", r.ID), plain(placeText(policy.Source{File: r.File, Line: r.Line})), number(r.Messages),
		plain(cmp.Or(timeOrNone(r.Last), "-")), plain(r.Owner), expires, remark}
}

func timeOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func (a *asked) ruleRows(days int) ([]ruleRow, error) {
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	since := a.now.Add(-time.Duration(days) * 24 * time.Hour).Truncate(time.Hour)
	if days > 14 { // as alignd stats, whole days
		since = since.Truncate(24 * time.Hour)
	}
	counted, err := st.Count(a.ctx, state.Question{By: state.ByRule, Since: since})
	if err != nil {
		return nil, err
	}
	hits := map[string]*state.Row{}
	for i := range counted.Rows {
		hits[counted.Rows[i].Text] = &counted.Rows[i]
	}
	behind := map[string]string{}
	for _, s := range a.cfg.Rules.Shadowed() {
		behind[s.Entry.List+" "+s.Entry.ID] = s.By.List + ": " + s.By.ID
	}
	about := map[string]*config.Exception{}
	for i := range a.cfg.Exceptions {
		about[a.cfg.Exceptions[i].ID] = &a.cfg.Exceptions[i]
	}
	var list []ruleRow
	for e := range a.cfg.Rules.Entries() {
		r := ruleRow{List: e.List, ID: e.ID, File: e.Source.File, Line: e.Source.Line, Expires: e.Expires, Behind: behind[e.List+" "+e.ID], Unsure: counted.Absent}
		if x := about[e.ID]; x != nil && e.List == "exceptions" {
			r.Owner, r.Reason = x.Owner, x.Reason
		}
		if h := hits[e.ID]; h != nil {
			r.Messages, r.Last, r.Unsure = h.Messages, h.Last, h.Missed
		}
		list = append(list, r)
	}
	return list, nil
}

// rule is one entry: hits over time, and what would happen without it.
func (a *asked) rule() (*page, error) {
	id := a.get("id")
	list, err := a.ruleRows(30)
	if err != nil {
		return nil, err
	}
	var found *ruleRow
	for i := range list {
		if list[i].ID == id {
			found = &list[i]
		}
	}
	if found == nil {
		return nil, said{404, fmt.Sprintf("The configuration has no entry %q.", id)}
	}
	bars, err := a.ruleTrend(id)
	if err != nil {
		return nil, err
	}
	counts := countTable(bars)
	drawn := dispositionChart(bars, "30d")
	drawn.Title = "Messages that it decided, by day"
	p := &page{Title: terminal.Line(found.List + ": " + id), Command: "alignd log --rule " + shellWord(id), Rows: counts, Data: map[string]any{"entry": found, "days": bars}}
	p.Blocks = []block{{Lines: []explained{
		{Name: "where", Text: terminal.Line(placeText(policy.Source{File: found.File, Line: found.Line}))}, {Name: "decided", Text: fmt.Sprintf("%d messages in 30 days", found.Messages)},
		{Name: "last", Text: cmp.Or(timeOrNone(found.Last), "never")}, {Name: "owner", Text: terminal.Line(cmp.Or(found.Owner, "-"))}, {Name: "reason", Text: terminal.Line(cmp.Or(found.Reason, "-"))},
		{Name: "expires", Text: cmp.Or(timeOrNone(found.Expires), "-")}, {Name: "behind", Text: terminal.Line(cmp.Or(found.Behind, "-"))}},
		Links: []link{{"Messages that it decided", to("/messages", "rule", id)}}}, {Heading: "Over time", Chart: drawn.SVG(), Behind: counts}}
	if found.List == "exceptions" {
		p.Blocks = append(p.Blocks, block{Heading: "Without it", Note: "Judges the messages of 7 days again without this entry.",
			Form: &form{Action: "/rule/without", Submit: "What would happen without it", Post: true, Token: a.formToken, Fields: []field{{Name: "list", Value: found.List, Hidden: true}, {Name: "id", Value: id, Hidden: true}}}})
	}
	return p, nil
}

func (a *asked) ruleTrend(id string) (list []bar, err error) {
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	first := a.now.Truncate(24*time.Hour).AddDate(0, 0, -29)
	found, err := st.DaysOf(a.ctx, state.ByRule, id, first)
	for d := first; !d.After(a.now); d = d.AddDate(0, 0, 1) {
		c := found[d]
		list = append(list, barOf(d, &c))
	}
	return list, err
}
