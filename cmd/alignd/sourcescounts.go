package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/replay/sources"
)

// counted tells who sends by the counts of days, as the page Senders does.
func (f *sourcesFlags) counted(c *cobra.Command, cfg *config.Config, opt sources.Options) error {
	q := state.SenderQuery{Author: opt.Domain, Own: cfg.Owns(), Limit: f.limit, Trend: true, Days: daysSince(opt.Since, opt.Now)}
	if f.kind != "" {
		q.Kinds = []state.SenderKind{state.SenderKind(f.kind)}
	}
	s, err := place.ReadState(c.Context(), cfg)
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	defer s.Close()
	book, err := s.ReadBook(c.Context(), opt.Now)
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	found := book.Senders(q)
	if f.json {
		line, err := json.Marshal(found)
		if err == nil {
			err = writeLine(c.OutOrStdout(), line)
		}
		return err
	}
	return showCounted(c.OutOrStdout(), found, q.Days)
}

// daysSince is how many days in UTC began since a time, with today.
func daysSince(since, now time.Time) int {
	const day = 24 * time.Hour
	first := since.UTC().Add(day - 1).Truncate(day)
	return max(1, int(now.UTC().Truncate(day).Sub(first)/day)+1)
}

func showCounted(out io.Writer, found *state.Senders, days int) error {
	fmt.Fprintf(out, "Who sends as whom, by the counts of %d days: %d of %d pairs\n\n", min(days, state.BookDays), len(found.List), found.All)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join([]string{"AUTHOR DOMAIN", "SENT FROM", "MESSAGES", "PASS", "FAIL", "LOOKS HONEST", "DAYS", "REFUSED", "FIRST", "LAST"}, "\t"))
	for _, s := range found.List {
		kind := string(s.Kind)
		if s.New {
			kind = "new"
		}
		fields := []string{mark(s.Author, s.Own, "own"), mark(s.Infrastructure, kind != "", kind), fmt.Sprint(s.Messages), partOf(int(s.Pass), int(s.Messages)),
			partOf(int(s.Fail), int(s.Messages)), fmt.Sprint(s.Honest), fmt.Sprint(s.Days), fmt.Sprint(s.Refused), day(s.First), day(s.Last)}
		for i := range fields {
			fields[i] = cmp.Or(printable(fields[i]), "-")
		}
		fmt.Fprintln(w, strings.Join(fields, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if n := found.Single; n.Pairs > 0 {
		fmt.Fprintf(out, "\nPairs of a few messages, none of which passed (once): %d, with %d messages, of which %d were refused.\n", n.Pairs, n.Messages, n.Refused)
	}
	if found.Absent > 0 {
		fmt.Fprintf(out, "A day has the %d most frequent pairs; others had %d messages at most.\n", state.Most, found.Absent)
	}
	if n := found.All - len(found.List); n > 0 {
		fmt.Fprintf(out, "Not shown: %d more (--limit 0 shows all).\n", n)
	}
	return nil
}
