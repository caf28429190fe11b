package web

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"alignd/internal/terminal"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/web/chart"
)

// ruleRow is an entry of the configuration with what it decided.
type ruleRow struct {
	List string `json:"list"`
	ID   string `json:"id"`
	Says string `json:"says,omitempty"`
	File string `json:"file"`
	Line int    `json:"line"`
	// Counted: verdicts name it, and somebody counted.
	Counted  bool      `json:"counted"`
	Messages uint64    `json:"messages"`
	Trend    []uint64  `json:"trend,omitempty"` // by day, of trendDays
	Last     time.Time `json:"last,omitzero"`
	Owner    string    `json:"owner,omitempty"`
	Ticket   string    `json:"ticket,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Begins   time.Time `json:"begins,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	Behind   string    `json:"behind,omitempty"`
	Unsure   uint64    `json:"missed,omitempty"`

	rule string // what verdicts say
}

// Bounds of the page; ours.
const (
	trendDays = 30
	ruleLines = 150 // of a page; CSV and JSON have rowsOfFile
	// mostShadowed is of how many entries it is told which ones stand behind others: it takes
	// the square of it.
	mostShadowed = 5_000
)

// rules are the entries of the configuration, with what each decided in 30 days.
func (a *asked) rules() (*page, error) {
	days := a.days()
	list, uncounted, err := a.ruleRows(days)
	if err != nil {
		return nil, err
	}
	t := &table{Caption: fmt.Sprintf("Entries that decide, and what they decided in %d days", days), Live: true, Empty: "The configuration has no such entries.",
		Columns: columns("Entry", "What", "Where", "#Messages", fmt.Sprintf("%d days", trendDays), "Last hit", "Owner", "From", "Expires", "Remark")}
	most, left, data := ruleLines, 0, []ruleRow{}
	if a.format != asHTML {
		most = rowsOfFile
	}
	for i := range list {
		r := &list[i]
		switch {
		case a.get("show") == "unused" && (!r.Counted || r.Messages > 0), a.get("list") != "" && a.get("list") != r.List:
		case len(t.Rows) >= most:
			left++
		default:
			t.Rows = append(t.Rows, a.ruleCells(r))
			data = append(data, *r)
		}
	}
	if left > 0 {
		t.Caption += fmt.Sprintf("; %d more are in the CSV, up to %d", left, rowsOfFile)
	}
	p := &page{Command: rulesCommand(days), Rows: t, Data: map[string]any{"days": days, "uncounted": uncounted, "entries": data}}
	p.Blocks = []block{{Links: []link{{"All", "/rules"}, {"Exceptions", "/rules?list=exceptions"}, {"Those that decided nothing", "/rules?show=unused"}, {"The last day", "/rules?days=1"}, {"90 days", "/rules?days=90"}}}, {Table: t}}
	if uncounted != "" {
		p.Blocks = append([]block{{Alert: terminal.Line(uncounted)}}, p.Blocks...)
	}
	return p, nil
}

// rulesCommand is the command line that counts the same.
func rulesCommand(days int) string {
	return fmt.Sprintf("alignd stats --by rule --since %dd --limit 0", days)
}

func (a *asked) ruleCells(r *ruleRow) []cell {
	day := func(t time.Time) cell {
		if t.IsZero() {
			return cell{}
		}
		return plain(t.Format(time.DateOnly))
	}
	messages, trend := cell{Text: "-"}, cell{}
	if r.Counted {
		messages, trend = number(r.Messages), lineOf(r.Trend)
	}
	return []cell{linked(r.List+": "+r.ID, "/rule", "list", r.List, "id", r.ID), plain(r.Says), plain(policy.Source{File: r.File, Line: r.Line}.String()), messages, trend,
		plain(cmp.Or(timeOrNone(r.Last), "-")), plain(r.Owner), day(r.Begins), day(r.Expires), a.remark(r)}
}

// remark is what needs a look.
func (a *asked) remark(r *ruleRow) cell {
	switch {
	case !r.Expires.IsZero() && !a.now.Before(r.Expires):
		return cell{Text: "expired", Class: "bad", Sign: "✗"}
	case r.Behind != "":
		return cell{Text: terminal.Line("can decide nothing, behind " + r.Behind), Class: "mark", Sign: "!"}
	case !r.Begins.IsZero() && a.now.Before(r.Begins):
		return cell{Text: "not yet", Class: "later", Sign: "↻"}
	case r.rule == "":
		return cell{Text: "no verdict names it; a replay without it tells its effect"}
	case !r.Counted:
		return cell{Text: "not counted"}
	case r.Unsure > 0:
		return cell{Text: fmt.Sprintf("or up to %d more", r.Unsure)}
	case r.Messages == 0:
		return cell{Text: "decided nothing", Class: "none", Sign: "·"}
	}
	return cell{}
}

// lineOf is a line, and the numbers that it is drawn from, which CSV has.
func lineOf(days []uint64) cell {
	text := strings.Trim(fmt.Sprint(days), "[]")
	l := chart.Line{Text: "by day: " + text, All: days}
	return cell{Text: text, Chart: l.SVG()}
}

func timeOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// ruleRows are all entries, with their counts. uncounted says why there are none.
func (a *asked) ruleRows(days int) (list []ruleRow, uncounted string, err error) {
	behind := a.behind()
	for _, e := range a.cfg.Entries() {
		list = append(list, ruleRow{List: e.List, ID: e.ID, Says: e.Says, File: e.At.File, Line: e.At.Line, Owner: e.Owner, Ticket: e.Ticket, Reason: e.Reason,
			Begins: e.Begins, Expires: e.Expires, Behind: behind[e.List+" "+e.ID], rule: e.Rule})
	}
	err = a.countRules(list, days)
	if err != nil && a.ctx.Err() == nil {
		return list, "What entries decided is not known: " + err.Error(), nil
	}
	return list, "", err
}

// behind says of entries which other one takes all of their mail.
func (a *asked) behind() map[string]string {
	behind := map[string]string{}
	if len(a.cfg.Exceptions) <= mostShadowed {
		for _, s := range a.cfg.Rules.Shadowed() {
			behind[s.Entry.List+" "+s.Entry.ID] = s.By.List + ": " + s.By.ID
		}
	}
	return behind
}

var errNothingCounted = errors.New("no message was counted yet")

// countRules fills in what the journal counted.
func (a *asked) countRules(list []ruleRow, days int) error {
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	since := a.now.Add(-time.Duration(days) * 24 * time.Hour).Truncate(time.Hour)
	if days > 14 { // as alignd stats, whole days
		since = since.Truncate(24 * time.Hour)
	}
	counted, err := st.Count(a.ctx, state.Question{By: state.ByRule, Since: since})
	if err != nil {
		return err
	}
	if len(counted.Rows) == 0 && counted.Other.Messages == 0 {
		return errNothingCounted
	}
	hits, trends := map[string]*state.Row{}, map[string][]uint64{}
	for i := range counted.Rows {
		hits[counted.Rows[i].Text] = &counted.Rows[i]
	}
	for i := range list {
		if list[i].rule != "" {
			trends[list[i].rule] = make([]uint64, trendDays)
		}
	}
	if err := st.DaysEach(a.ctx, state.ByRule, a.trendBegin(), trends); err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		if r.rule == "" {
			continue
		}
		r.Counted, r.Unsure, r.Trend = true, counted.Absent, trends[r.rule]
		if h := hits[r.rule]; h != nil {
			r.Messages, r.Last, r.Unsure = h.Messages, h.Last, h.Missed
		}
	}
	return nil
}

func (a *asked) trendBegin() time.Time {
	return a.now.Truncate(24*time.Hour).AddDate(0, 0, 1-trendDays)
}

// rule is one entry: hits over time, and what would happen without it.
func (a *asked) rule() (*page, error) {
	name, id := a.get("list"), a.get("id")
	list, uncounted, err := a.ruleRows(trendDays)
	if err != nil {
		return nil, err
	}
	var found *ruleRow
	also := 0
	for i := range list {
		r := &list[i]
		if r.ID == id && (name == "" || r.List == name) && found == nil {
			found = r
		} else if r.rule == id {
			also++
		}
	}
	if found == nil {
		return nil, said{404, fmt.Sprintf("The configuration has no entry %q.", strings.TrimSpace(name+" "+id))}
	}
	p := &page{Title: terminal.Line(found.List + ": " + id), Command: rulesCommand(trendDays), Data: map[string]any{"entry": found, "uncounted": uncounted}}
	p.Blocks = []block{{Lines: ruleLinesOf(found)}}
	switch {
	case uncounted != "":
		p.Blocks = append([]block{{Alert: terminal.Line(uncounted)}}, p.Blocks...)
	case found.rule == "":
		p.Blocks[0].Note = "No verdict names it, so nobody counts what it does; a replay without it tells."
	default:
		if also > 0 {
			p.Blocks[0].Note = "This id stands in several lists; the numbers are of all of them."
		}
		if err := a.ruleOverTime(p, found.rule); err != nil {
			return nil, err
		}
	}
	if p.Rows == nil {
		p.Rows = &table{Caption: "The entry", Columns: columns("Entry", "What", "Where"), Rows: [][]cell{a.ruleCells(found)[:3]}}
		p.Blocks = append(p.Blocks, block{Table: p.Rows})
	}
	p.Blocks = append(p.Blocks, block{Heading: "Without it", Note: "Judges the messages of 7 days again without this entry; an option has its default then. It is compared with what the running configuration would do of them, whatever the MTA was told at the time. Nothing is changed.",
		Form: &form{Action: "/rule/without", Submit: "What would happen without it", Post: true, Token: a.formToken,
			Fields: []field{{Name: "list", Value: found.List, Hidden: true}, {Name: "id", Value: id, Hidden: true}}}})
	return p, nil
}

func ruleLinesOf(r *ruleRow) (lines []explained) {
	decided := "not counted"
	if r.Counted {
		decided = fmt.Sprintf("%d messages in %d days", r.Messages, trendDays)
		if r.Unsure > 0 {
			decided += fmt.Sprintf(", or up to %d more", r.Unsure)
		}
	}
	for _, x := range []struct{ name, text string }{
		{"what", r.Says}, {"where", policy.Source{File: r.File, Line: r.Line}.String()}, {"decided", decided}, {"last", cmp.Or(timeOrNone(r.Last), "never")},
		{"owner", r.Owner}, {"ticket", r.Ticket}, {"reason", r.Reason}, {"from", timeOrNone(r.Begins)}, {"expires", timeOrNone(r.Expires)}, {"behind", r.Behind},
	} {
		lines = append(lines, explained{Name: x.name, Text: terminal.Line(cmp.Or(x.text, "-"))})
	}
	return lines
}

// ruleOverTime adds what a rule decided by day.
func (a *asked) ruleOverTime(p *page, rule string) error {
	bars, err := a.ruleTrend(rule)
	if err != nil {
		return err
	}
	counts, drawn := countTable(bars), dispositionChart(bars, "30d")
	drawn.Title = "Messages that it decided, by day"
	p.Rows, p.Command = counts, p.Command+"; alignd log --rule "+shellWord(rule)
	p.Data.(map[string]any)["days"] = bars
	p.Blocks[len(p.Blocks)-1].Links = []link{{"Messages that it decided", to("/messages", "rule", rule)}}
	p.Blocks = append(p.Blocks, block{Heading: "Over time", Chart: drawn.SVG(), Behind: counts})
	return nil
}

func (a *asked) ruleTrend(rule string) (list []bar, err error) {
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	first := a.trendBegin()
	found, err := st.DaysOf(a.ctx, state.ByRule, rule, first)
	for d := first; !d.After(a.now); d = d.AddDate(0, 0, 1) {
		c := found[d]
		list = append(list, barOf(d, &c))
	}
	return list, err
}
