package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/configs"
	"alignd/journal/selftest"
)

func journalSelfTestCommand() *cobra.Command {
	var f selfTestFlags
	c := &cobra.Command{
		Use:   "self-test [flags]",
		Short: "Judge past messages again under what judged them, and find no difference",
		Long: `Judge each message of the journal again under the configuration that judged it, as
that was kept, and compare the verdicts. There is no difference, or this version of
alignd decides otherwise, or a record or a configuration was changed. No DNS is asked.

Times are RFC 3339 or a span back from now: 14d, 6h, 90m.

Exit status 0: no difference; 1: there is one, or the journal cannot be read, or not all
of it; 2: wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, time.Now()) },
	}
	f.config = journalFlag(c)
	c.Flags().StringVar(&f.input, "input", "", "test an export in place of the journal; - is standard input")
	c.Flags().StringVar(&f.keyFile, "key-file", "", "the key of hashed addresses (default: that of the journal, or the one in the export)")
	c.Flags().StringVar(&f.since, "since", "", "messages that began at this time or later")
	c.Flags().StringVar(&f.until, "until", "", "messages that began before this time")
	c.Flags().IntVar(&f.limit, "limit", 20, "differences to name at most; 0 is all")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

type selfTestFlags struct {
	config                       *string
	input, keyFile, since, until string
	limit                        int
	json                         bool
}

func (f *selfTestFlags) run(c *cobra.Command, now time.Time) error {
	t := selftest.Test{Limit: f.limit}
	var err error
	if t.Since, err = pointInTime("since", f.since, now); err != nil {
		return err
	}
	if t.Until, err = pointInTime("until", f.until, now); err != nil {
		return err
	}
	if f.limit < 0 {
		return fmt.Errorf("--limit %d is below 0", f.limit)
	}
	of := replayFlags{journal: *f.config, input: f.input, keyFile: f.keyFile}
	source, err := of.source(c)
	if err != nil {
		return asFailure(err)
	}
	defer source.close()
	t.Key = source.key
	if source.export != nil {
		t.Text = func(hash [32]byte) ([]byte, error) { return source.export.Configs[hash], nil }
	} else {
		cfg, err := readConfig(config.Input{File: *f.config})
		if err != nil {
			return err
		}
		texts, err := configs.Open(context.WithoutCancel(c.Context()), cfg)
		if err != nil {
			return failure{fmt.Errorf("configurations that judged: %w", err)}
		}
		defer texts.Close()
		t.Text = texts.Text
	}
	began := time.Now()
	if err := source.scan(c.Context(), t.Since, t.Until, t.Block); err != nil {
		return failure{fmt.Errorf("reading the journal: %w", err)}
	}
	t.Seconds = time.Since(began).Seconds()
	if err := showSelfTest(c.OutOrStdout(), &t.Result, f.json); err != nil {
		return failure{err}
	}
	switch {
	case t.Differ > 0:
		return failure{fmt.Errorf("messages that are judged otherwise than they were: %d", t.Differ)}
	case t.Unreadable > 0:
		return failure{fmt.Errorf("blocks, records and configurations that cannot be read: %d; the first: %w", t.Unreadable, t.Problem)}
	}
	return source.unread.fault("parts")
}

// asFailure is err as one of alignd's own work, unless it is about the configuration.
func asFailure(err error) error {
	if p := (config.Problems)(nil); errors.As(err, &p) {
		return err
	}
	return failure{err}
}

// showSelfTest tells how it went.
func showSelfTest(out io.Writer, t *selftest.Result, asJSON bool) error {
	if t.Differences == nil {
		t.Differences = []selftest.Difference{}
	}
	if t.PassedOver == nil {
		t.PassedOver = map[string]uint64{}
	}
	if asJSON {
		return json.NewEncoder(out).Encode(t)
	}
	fmt.Fprintf(out, "%d messages judged again under what judged them, %d differ\n", t.Judged, t.Differ)
	for _, why := range slices.SortedFunc(maps.Keys(t.PassedOver), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.PassedOver[b], t.PassedOver[a]), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(out, "passed over, %s: %d\n", why, t.PassedOver[why])
	}
	for _, d := range t.Differences {
		fmt.Fprintf(out, "%s %s %s: %s was %s, and is %s (by %s, configuration %.12s)\n", d.Time.UTC().Format(time.RFC3339), printable(d.QueueID), printable(d.Token),
			d.Field, printable(d.Was), printable(d.Is), printable(d.Program), d.Config)
	}
	if n := t.Differ - uint64(len(t.Differences)); n > 0 {
		fmt.Fprintf(out, "and %d more\n", n)
	}
	return nil
}
