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

	"alignd/compare"
	"alignd/config"
	"alignd/journal/place"
	"alignd/record"
)

// compareSince is how far doctor --compare looks back by itself.
const compareSince = "7d"

// runCompare sums up what filters in front and alignd said otherwise.
func runCompare(c *cobra.Command, f *doctorFlags, now time.Time) error {
	since, err := pointInTime("since", cmp.Or(f.since, compareSince), now)
	if err != nil {
		return ended{exitUnknown, err}
	}
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return ended{exitUnknown, err}
	}
	in := &sourcesInput{unread: unread{out: c.ErrOrStderr(), most: maxUnreadTold}, bar: newProgress(c.ErrOrStderr(), now), prepare: func(r *record.Record) *record.Record { return r }}
	if in.reader, err = place.OpenReader(cfg, in.unread.tell); err != nil {
		return ended{exitUnknown, err}
	}
	defer in.reader.Close()
	var s compare.Summary
	err = in.scan(c.Context(), since, func(r *record.Record) {
		if !r.Evidence.Time.Before(since) { // a block may hold older ones
			s.Add(cmp.Or(r.Evidence.QueueID, r.Evidence.Token), &r.Evidence, &r.Verdict)
		}
	})
	in.bar.end()
	if err != nil {
		return ended{exitUnknown, fmt.Errorf("reading the journal: %w", err)}
	}
	s.Sort()
	show := showCompared
	if f.json {
		show = printCompared
	}
	if err := show(c.OutOrStdout(), &s, since); err != nil {
		return ended{exitUnknown, err}
	}
	switch {
	case in.unread.n > 0:
		return ended{exitUnknown, fmt.Errorf("files, blocks or records of the journal that cannot be read: %d", in.unread.n)}
	case !s.Settled():
		return ended{1, nil}
	}
	return nil
}

// showCompared tells a person.
func showCompared(out io.Writer, s *compare.Summary, since time.Time) error {
	if s.Messages == 0 {
		_, err := fmt.Fprintf(out, "No message since %s was judged beside another filter (option compare_with, docs/shadow.md).\n", since.UTC().Format(time.RFC3339))
		return err
	}
	for i, f := range s.Filters {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "Beside %s: messages %d, from %s to %s UTC\n", printable(f.With), f.Wrote+f.Absent, day(s.First), day(s.Last))
		if f.Absent > 0 {
			fmt.Fprintf(out, "It wrote no field that alignd saw in %d of them.\n", f.Absent)
		}
		if f.Wrote == 0 {
			fmt.Fprintf(out, "alignd must come behind it in smtpd_milters or InputMailFilters, and the id must be the one that it writes (docs/shadow.md).\n")
			continue
		}
		fmt.Fprintf(out, "Both say the same in %s of %d messages that can be compared.\n\n", agreement(f.Agreed, f.Compared), f.Compared)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "METHOD\tCOMPARED\tTHE SAME")
		for _, m := range f.Methods {
			fmt.Fprintf(w, "%s\t%d\t%s\n", m.Method, m.Compared, agreement(m.Agreed, m.Compared))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for _, k := range f.Kinds {
			fmt.Fprintf(out, "\n%d x %s: %s there, %s here [%s]\n", k.Count, k.Method, kindWord(k, k.Theirs), kindWord(k, k.Ours), k.Rule)
			fmt.Fprintf(out, "    cause:   %s\n", k.Cause)
			fmt.Fprintf(out, "    right:   %s\n", k.Who())
			fmt.Fprintf(out, "    samples: %s\n", printable(strings.Join(k.Samples, " ")))
		}
		if f.Other > 0 {
			fmt.Fprintf(out, "\n%d x other kinds, which are too many to tell one by one.\n", f.Other)
		}
	}
	fmt.Fprintln(out, "\nOf a sample, alignd explain ID tells all that is known.")
	return nil
}

// kindWord is a result as outside text is shown.
func kindWord(k *compare.Kind, word string) string {
	if k.Method == compare.From {
		return printable(word) + " (the first)"
	}
	return printable(word)
}

// agreement is a number with its part of all, cut to a tenth of a percent: only all is 100 %.
func agreement(n, of int) string {
	if of == 0 {
		return "0"
	}
	tenths := 1000 * n / of
	return fmt.Sprintf("%d (%d.%d %%)", n, tenths/10, tenths%10)
}

// The JSON of doctor --compare; docs/shadow.md promises its keys.
type (
	comparedJSON struct {
		Since    string               `json:"since"`
		Messages int                  `json:"messages"`
		First    string               `json:"first"`
		Last     string               `json:"last"`
		Filters  []comparedFilterJSON `json:"filters"`
	}
	comparedFilterJSON struct {
		AuthservID  string               `json:"authserv_id"`
		Wrote       int                  `json:"wrote"`
		Absent      int                  `json:"absent"`
		Compared    int                  `json:"compared"`
		Agreed      int                  `json:"agreed"`
		Methods     []comparedMethodJSON `json:"methods"`
		Differences []comparedKindJSON   `json:"differences"`
		Other       int                  `json:"other"`
	}
	comparedMethodJSON struct {
		Method   string `json:"method"`
		Compared int    `json:"compared"`
		Agreed   int    `json:"agreed"`
	}
	comparedKindJSON struct {
		Method  string   `json:"method"`
		Theirs  string   `json:"theirs"`
		Ours    string   `json:"ours"`
		Kind    string   `json:"kind"`
		Cause   string   `json:"cause"`
		Right   string   `json:"right"`
		Section string   `json:"section"`
		Count   int      `json:"count"`
		Samples []string `json:"samples"`
	}
)

func printCompared(out io.Writer, s *compare.Summary, since time.Time) error {
	j := comparedJSON{Since: since.UTC().Format(time.RFC3339), Messages: s.Messages, First: timeText(s.First), Last: timeText(s.Last),
		Filters: []comparedFilterJSON{}}
	for _, f := range s.Filters {
		one := comparedFilterJSON{AuthservID: f.With, Wrote: f.Wrote, Absent: f.Absent, Compared: f.Compared, Agreed: f.Agreed, Other: f.Other,
			Methods: []comparedMethodJSON{}, Differences: []comparedKindJSON{}}
		for _, m := range f.Methods {
			one.Methods = append(one.Methods, comparedMethodJSON(*m))
		}
		for _, k := range f.Kinds {
			one.Differences = append(one.Differences, comparedKindJSON{Method: k.Method, Theirs: k.Theirs, Ours: k.Ours, Kind: k.Rule,
				Cause: k.Cause, Right: string(k.Right), Section: k.Section, Count: k.Count, Samples: k.Samples})
		}
		j.Filters = append(j.Filters, one)
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(j)
}
