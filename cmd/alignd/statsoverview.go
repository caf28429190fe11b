package main

import (
	"context"
	"time"

	"alignd/journal/state"
	"alignd/policy"
)

// statsOverview is the answer without --by.
type statsOverview struct {
	Time    string        `json:"time"`
	Periods []statsPeriod `json:"periods"`
	// WholeHours compares today with other days as fairly as counts by the hour can be.
	WholeHours *wholeHours `json:"whole_hours,omitempty"`
	// HeldBack is what monitor mode and rollouts let through in the first period that
	// would have been refused, held, tagged or deferred.
	HeldBack struct {
		Domains []statsRow `json:"domains"`
		Rules   []statsRow `json:"rules"`
	} `json:"held_back"`
	Unused struct {
		Since    string       `json:"since"`
		Messages uint64       `json:"messages"` // that were counted since
		Entries  []statsEntry `json:"entries"`
	} `json:"unused"`
	Shadowed []statsShadow `json:"shadowed"`
	// Elsewhere is by the reports of others.
	Elsewhere *elsewhereJSON `json:"elsewhere"`

	elsewhere *elsewhere
}

// wholeHours are the days until the begin of this hour. In the first hour of a day they have
// nothing.
type wholeHours struct {
	Until     string      `json:"until"` // time of day
	Today     statsCounts `json:"today"`
	Yesterday statsCounts `json:"yesterday"`
	WeekAgo   statsCounts `json:"week_ago"`
}

type statsPeriod struct {
	Name  string `json:"name"`
	Since string `json:"since"`
	Until string `json:"until"`
	Days  int    `json:"days,omitempty"` // where people are shown a day of several
	statsCounts
	title string
}

// statsEntry is an entry of the configuration.
type statsEntry struct {
	List    string `json:"list"`
	ID      string `json:"id"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Expired bool   `json:"expired"`
}

type statsShadow struct {
	statsEntry
	By statsEntry `json:"by"`
}

// heldBackMost is how many domains and rules are listed of what was held back; ours.
const heldBackMost = 10

func (q *statsQuestion) overview(ctx context.Context) (*statsOverview, error) {
	o := &statsOverview{Time: q.now.Format(time.RFC3339), Periods: q.periods()}
	for i := range o.Periods {
		p := &o.Periods[i]
		since, _ := time.Parse(time.RFC3339, p.Since)
		until, _ := time.Parse(time.RFC3339, p.Until)
		all, err := q.total(ctx, since, until)
		if err != nil {
			return nil, err
		}
		p.statsCounts = jsonCounts(&all)
	}
	if err := q.wholeHours(ctx, o); err != nil {
		return nil, err
	}
	if err := q.heldBack(ctx, o); err != nil {
		return nil, err
	}
	if err := q.elsewhere(ctx, o); err != nil {
		return nil, err
	}
	return o, q.entries(ctx, o)
}

// elsewhere asks for the reports of others. They come a day late, so a week is asked for.
func (q *statsQuestion) elsewhere(ctx context.Context, o *statsOverview) (err error) {
	since := q.since
	if since.IsZero() {
		since = dayOf(q.now.Add(-statsSince))
	}
	o.elsewhere, err = askElsewhere(ctx, q.state, state.ElsewhereQuery{Since: since, Until: q.until(), Unproven: q.unproven}, q.now)
	o.Elsewhere = o.elsewhere.json(-1)
	return err
}

func (q *statsQuestion) total(ctx context.Context, since, until time.Time) (all state.Counts, err error) {
	t, err := q.state.Count(ctx, state.Question{By: state.Total, Since: since, Until: until})
	if err != nil {
		return all, err
	}
	all = t.Other
	for i := range t.Rows {
		all.Add(&t.Rows[i].Counts)
	}
	return all, nil
}

// periods are those that are compared. Counts are by the hour, so a day until now is one
// until the end of this hour.
func (q *statsQuestion) periods() []statsPeriod {
	hour := q.now.Truncate(time.Hour).Add(time.Hour)
	period := func(name, title string, since, until time.Time, days int) statsPeriod {
		return statsPeriod{Name: name, title: title, Since: since.Format(time.RFC3339), Until: until.Format(time.RFC3339), Days: days}
	}
	if !q.since.IsZero() {
		since := q.since.Truncate(time.Hour)
		return []statsPeriod{
			period("since", "since "+since.Format("2006-01-02 15:04"), since, q.now, 0),
			period("before", "as long before", since.Add(-hour.Sub(since)), since, 0),
		}
	}
	today := dayOf(q.now)
	then := " until " + hour.Format("15:04")
	if hour.Equal(today.AddDate(0, 0, 1)) {
		then = ""
	}
	return []statsPeriod{
		period("today", "today", today, q.now, 0),
		period("yesterday_until_now", "yesterday"+then, today.AddDate(0, 0, -1), hour.AddDate(0, 0, -1), 0),
		period("week_ago_until_now", "a week ago"+then, today.AddDate(0, 0, -7), hour.AddDate(0, 0, -7), 0),
		period("yesterday", "yesterday", today.AddDate(0, 0, -1), today, 0),
		period("last_week", "last 7 days, a day", today.AddDate(0, 0, -7), today, 7),
	}
}

func (q *statsQuestion) wholeHours(ctx context.Context, o *statsOverview) error {
	if !q.since.IsZero() {
		return nil
	}
	today, hour := dayOf(q.now), q.now.Truncate(time.Hour)
	w := &wholeHours{Until: hour.Format("15:04")}
	o.WholeHours = w
	if hour.Equal(today) {
		return nil
	}
	for _, day := range []struct {
		ago int
		to  *statsCounts
	}{{0, &w.Today}, {1, &w.Yesterday}, {7, &w.WeekAgo}} {
		all, err := q.total(ctx, today.AddDate(0, 0, -day.ago), hour.AddDate(0, 0, -day.ago))
		if err != nil {
			return err
		}
		*day.to = jsonCounts(&all)
	}
	return nil
}

// heldBack finds for whom monitor mode and rollouts let mail through.
func (q *statsQuestion) heldBack(ctx context.Context, o *statsOverview) error {
	o.HeldBack.Domains, o.HeldBack.Rules = []statsRow{}, []statsRow{}
	p := &o.Periods[0]
	if p.WouldRefuse+p.WouldHold+p.WouldTag+p.WouldDefer == 0 {
		return nil
	}
	since, _ := time.Parse(time.RFC3339, p.Since)
	would := func(c *state.Counts) uint64 { return c.WouldRefuse + c.WouldHold + c.WouldTag + c.WouldDefer }
	for _, of := range []struct {
		d  state.Dimension
		to *[]statsRow
	}{{state.ByDomain, &o.HeldBack.Domains}, {state.ByRule, &o.HeldBack.Rules}} {
		t, err := q.state.Count(ctx, state.Question{By: of.d, Since: since, Until: q.until(), Rank: would, Limit: heldBackMost})
		if err != nil {
			return err
		}
		for i := range t.Rows {
			*of.to = append(*of.to, rowOf(&t.Rows[i]))
		}
	}
	return nil
}

// entries finds which entries decided nothing, and which can decide nothing.
func (q *statsQuestion) entries(ctx context.Context, o *statsOverview) error {
	since := q.since
	if since.IsZero() {
		since = q.now.Add(-unusedSince)
	}
	since = since.Truncate(time.Hour)
	rules, err := q.state.Count(ctx, state.Question{By: state.ByRule, Since: since, Until: q.until()})
	if err != nil {
		return err
	}
	hit := map[string]bool{}
	all := rules.Other
	for i := range rules.Rows {
		hit[rules.Rows[i].Text] = true
		all.Add(&rules.Rows[i].Counts)
	}
	if all.First.After(since) {
		since = all.First
	}
	o.Unused.Since, o.Unused.Messages = since.Format(time.RFC3339), all.Messages
	o.Unused.Entries, o.Shadowed = []statsEntry{}, []statsShadow{}
	for e := range q.rules.Entries() {
		if !hit[e.ID] && rules.Absent == 0 { // else it may be among the others
			o.Unused.Entries = append(o.Unused.Entries, q.entry(e))
		}
	}
	for _, s := range q.rules.Shadowed() {
		o.Shadowed = append(o.Shadowed, statsShadow{q.entry(s.Entry), q.entry(s.By)})
	}
	return nil
}

func (q *statsQuestion) entry(e policy.Entry) statsEntry {
	return statsEntry{List: e.List, ID: e.ID, File: e.Source.File, Line: e.Source.Line,
		Expired: !e.Expires.IsZero() && !q.now.Before(e.Expires)}
}
