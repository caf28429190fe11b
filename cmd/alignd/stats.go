package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/policy"
)

// statsFlags say what is counted.
type statsFlags struct {
	config, since, by string
	limit             int
	json              bool
	unproven          bool
}

// What is counted where nobody says; the numbers are ours.
const (
	statsSince  = 7 * 24 * time.Hour  // --by
	unusedSince = 30 * 24 * time.Hour // entries that decided nothing
	// wholeDays is from when on days are not divided.
	wholeDays = 14 * 24 * time.Hour
)

// statsBy are the words of --by.
var statsBy = []string{"domain", "client", "result", "rule", "day", "hour"}

func statsCommand() *cobra.Command {
	var f statsFlags
	c := &cobra.Command{
		Use:   "stats [flags]",
		Short: "Count what became of mail: today against yesterday and last week",
		Long: `Count what became of mail: today against yesterday and last week, what monitor mode and
rollouts held back, and which entries of the configuration decided nothing or can decide
nothing, as another one takes their mail. With --by, count by domain, client network,
result, rule, day or hour. What others saw of mail as our domains, by the reports that "alignd
report import" stored, is a line.

Counts are by whole hours, over more than two weeks by whole days, those of UTC. Of a value that was rare for a while in
which there were very many, some messages may be missing; then the most that it may have
stands beside the count.

Exit status 0: the counts were read; 1: they could not be; 2: wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, time.Now().UTC()) },
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
	flags.StringVar(&f.since, "since", "", "count from this time on: RFC 3339 or a span back from now such as 14d (default with --by 7d)")
	flags.StringVar(&f.by, "by", "", "count by domain, client, result, rule, day or hour")
	flags.IntVar(&f.limit, "limit", 50, "rows at most, the most frequent; 0 is all")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	flags.BoolVar(&f.unproven, "unproven", false, "count reports of others too of which nobody can tell who sent them")
	return c
}

func (f *statsFlags) run(c *cobra.Command, now time.Time) error {
	if f.by != "" && !slices.Contains(statsBy, f.by) {
		return fmt.Errorf("--by %q is none of %s", f.by, strings.Join(statsBy, ", "))
	}
	if f.limit < 0 {
		return fmt.Errorf("--limit %d is below 0", f.limit)
	}
	since, err := pointInTime("since", f.since, now)
	if err != nil {
		return err
	}
	if since.After(now) {
		return fmt.Errorf("--since %s lies in the future", f.since)
	}
	if f.by == "hour" && !since.IsZero() && now.Sub(since) > wholeDays+time.Hour {
		return errors.New("--by hour counts two weeks at most: --by day counts longer")
	}
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(c.Context())
	s, err := place.ReadState(ctx, cfg)
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	defer s.Close()
	q := statsQuestion{state: s, rules: cfg.Rules, since: since.UTC(), now: now, limit: f.limit, unproven: f.unproven}
	var found shown
	if f.by != "" {
		found, err = q.by(ctx, f.by)
	} else {
		found, err = q.overview(ctx)
	}
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	if f.json {
		err = json.NewEncoder(c.OutOrStdout()).Encode(found)
	} else {
		err = found.show(c.OutOrStdout())
	}
	if err != nil {
		return failure{err}
	}
	return nil
}

// shown is an answer, as JSON or for people.
type shown interface{ show(io.Writer) error }

// statsQuestion is what the answers need.
type statsQuestion struct {
	state *state.State
	rules *policy.Rules
	since time.Time // zero: not said
	now   time.Time
	limit int

	unproven bool // reports of others count that have no proof
}

// until is now, as a bound of a question: whatever is counted by then.
func (q *statsQuestion) until() time.Time {
	if time.Since(q.now).Abs() < time.Hour {
		return time.Time{}
	}
	return q.now
}

// statsCounts are counts in JSON.
type statsCounts struct {
	Messages    uint64 `json:"messages"`
	Pass        uint64 `json:"pass"`
	Fail        uint64 `json:"fail"`
	Tagged      uint64 `json:"tagged"`
	Held        uint64 `json:"held"`
	Deferred    uint64 `json:"deferred"`
	Refused     uint64 `json:"refused"`
	PassRefused uint64 `json:"pass_refused"`
	WouldTag    uint64 `json:"would_tag"`
	WouldHold   uint64 `json:"would_hold"`
	WouldDefer  uint64 `json:"would_defer"`
	WouldRefuse uint64 `json:"would_refuse"`
	FailDKIM    uint64 `json:"fail_dkim"`
	FailSPF     uint64 `json:"fail_spf"`
	Rescued     uint64 `json:"rescued"`
}

func jsonCounts(c *state.Counts) statsCounts {
	return statsCounts{
		Messages: c.Messages, Pass: c.Pass, Fail: c.Fail, Tagged: c.Tagged, Held: c.Held, Deferred: c.Deferred, Refused: c.Refused,
		PassRefused: c.PassRefused, WouldTag: c.WouldTag, WouldHold: c.WouldHold, WouldDefer: c.WouldDefer, WouldRefuse: c.WouldRefuse,
		FailDKIM: c.FailDKIM, FailSPF: c.FailSPF, Rescued: c.Rescued,
	}
}

// statsTable is the answer to --by.
type statsTable struct {
	By    string     `json:"by"`
	Since string     `json:"since"`
	Until string     `json:"until"`
	Rows  []statsRow `json:"rows"`
	// Other are all values that have no row.
	Other statsCounts `json:"other"`
}

type statsRow struct {
	Value string `json:"value"`
	statsCounts
	// Missed is how many messages the row may lack at most.
	Missed uint64 `json:"missed"`
	First  string `json:"first"`
	Last   string `json:"last"`
}

var dimensionBy = map[string]state.Dimension{
	"domain": state.ByDomain, "client": state.ByClient, "result": state.ByResult, "rule": state.ByRule,
}

func (q *statsQuestion) by(ctx context.Context, by string) (*statsTable, error) {
	since, until := q.since, q.now
	if since.IsZero() {
		since = q.now.Add(-statsSince)
	}
	switch by {
	case "day":
		return q.byDay(ctx, dayOf(since))
	case "hour":
		return q.byHour(ctx, since.Truncate(time.Hour))
	}
	if since = since.Truncate(time.Hour); q.now.Sub(since) > wholeDays {
		since = dayOf(since)
	}
	found, err := q.state.Count(ctx, state.Question{By: dimensionBy[by], Since: since, Until: q.until(), Limit: q.limit})
	if err != nil {
		return nil, err
	}
	t := &statsTable{By: by, Since: since.Format(time.RFC3339), Until: until.Format(time.RFC3339), Rows: []statsRow{}}
	for i := range found.Rows {
		t.Rows = append(t.Rows, rowOf(&found.Rows[i]))
	}
	t.Other = jsonCounts(&found.Other)
	return t, nil
}

func rowOf(r *state.Row) statsRow {
	return statsRow{Value: r.Text, statsCounts: jsonCounts(&r.Counts), Missed: r.Missed, First: timeText(r.First), Last: timeText(r.Last)}
}

// byDay counts the days from one to today, the latest first.
func (q *statsQuestion) byDay(ctx context.Context, first time.Time) (*statsTable, error) {
	t := &statsTable{By: "day", Since: first.Format(time.RFC3339), Until: q.now.Format(time.RFC3339), Rows: []statsRow{}}
	var other state.Counts
	days, err := q.state.Days(ctx, first)
	if err != nil {
		return nil, err
	}
	for d := dayOf(q.now); !d.Before(first); d = d.AddDate(0, 0, -1) {
		c := days[d]
		if q.limit > 0 && len(t.Rows) == q.limit {
			other.Add(&c)
			continue
		}
		t.Rows = append(t.Rows, rowOf(&state.Row{Key: state.Key{Text: d.Format(time.DateOnly)}, Counts: c}))
	}
	t.Other = jsonCounts(&other)
	return t, nil
}

// byHour counts the hours from one to this one, the latest first.
func (q *statsQuestion) byHour(ctx context.Context, first time.Time) (*statsTable, error) {
	t := &statsTable{By: "hour", Since: first.Format(time.RFC3339), Until: q.now.Format(time.RFC3339), Rows: []statsRow{}}
	var other state.Counts
	hours, err := q.state.Hours(ctx, first)
	if err != nil {
		return nil, err
	}
	for h := q.now.Truncate(time.Hour); !h.Before(first); h = h.Add(-time.Hour) {
		c := hours[h]
		if q.limit > 0 && len(t.Rows) == q.limit {
			other.Add(&c)
			continue
		}
		t.Rows = append(t.Rows, rowOf(&state.Row{Key: state.Key{Text: h.Format("2006-01-02T15:04Z")}, Counts: c}))
	}
	t.Other = jsonCounts(&other)
	return t, nil
}

// dayOf is the begin of the day of UTC that t is in.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
