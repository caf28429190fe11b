package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/report/others"
)

// reportImportFlags say what is stored.
type reportImportFlags struct {
	config, moveTo         string
	trust, anyDomain, seen bool
}

// exitTempfail has an MTA try again (EX_TEMPFAIL of sysexits.h; Postfix's pipe(8)). Any
// other failure would be sent back to who reports.
const exitTempfail = 75

func reportImportCommand() *cobra.Command {
	var f reportImportFlags
	c := &cobra.Command{
		Use:   "import [flags] FILE...|MAILDIR...|-",
		Short: "Store the DMARC reports of others, for sources and stats",
		Long: `Store the aggregate reports that others send about domains of ours (own_domains, and the
domain of reports.from), so that sources and stats show who sends as us elsewhere. Files
are those of report show. In a Maildir new mail is read and what is unseen in cur; then a
file is marked as seen, or moved to --move-to, also where it is no report. What is stored
already is left alone, so a second run changes nothing.

A report counts where its mail came through alignd and passed DMARC: by the
Authentication-Results field that alignd wrote and by the journal. Others are stored,
marked, and counted only if asked for. --trust says that you know all of these to be true.

With - one mail is read from standard input, for a pipe of the MTA. Then exit status 75
asks the MTA to try again, and what is no report is told and dropped with 0, as nobody is
to get it back.

Exit status 0: all was read; 1: a file that was named gave no report, or the state could
not be written; 2: wrong usage; 75: see above.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a file, a Maildir, or - for standard input (%s)", help(c))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return forMTA(func() error { return f.run(c, args, true) })
			}
			return f.run(c, args, false)
		},
	}
	flags := c.Flags()
	configFlag(c, &f.config)
	flags.StringVar(&f.moveTo, "move-to", "", "a Maildir or directory that mail of a Maildir is moved to once it is stored")
	flags.BoolVar(&f.seen, "seen", false, "read what is seen in a Maildir, too")
	flags.BoolVar(&f.trust, "trust", false, "you know who sent these reports, so they count")
	flags.BoolVar(&f.anyDomain, "any-domain", false, "keep reports about domains that are not ours, too")
	return c
}

// forMTA takes one mail of an MTA. Whatever fails, it is to try again.
func forMTA(take func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("failed inside: %v", p)
		}
		if err != nil {
			err = ended{exitTempfail, err}
		}
	}()
	return take()
}

func (f *reportImportFlags) run(c *cobra.Command, args []string, piped bool) error {
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	if cfg.Journal.Store == "none" {
		return failure{place.ErrNone}
	}
	im := &importer{ctx: context.WithoutCancel(c.Context()), out: c.OutOrStdout(), flags: f, piped: piped}
	if im.collect, err = f.collector(cfg); err != nil {
		return err
	}
	if im.state, err = openState(cfg, nil); err != nil {
		return failure{err}
	}
	defer im.state.Close()
	if !f.trust { // else nothing is to be proved
		if im.journal, err = place.OpenReader(cfg, func(error) {}); err != nil {
			return failure{err}
		}
		defer im.journal.Close()
	}
	if err := im.move.set(f.moveTo); err != nil {
		return err
	}
	defer im.move.close()
	without, err := im.all(args, c.InOrStdin())
	im.sum()
	switch {
	case err != nil:
		return failure{err}
	case without > 0 && !piped:
		return failure{fmt.Errorf("files without a report: %d", without)}
	}
	return nil
}

// collector is what the configuration says of which reports are kept.
func (f *reportImportFlags) collector(cfg *config.Config) (*others.Collector, error) {
	own := cfg.Owns()
	_, from, _ := strings.Cut(cfg.Reports.From, "@")
	c := &others.Collector{Organization: organization, Keep: cfg.Reports.KeepOthers.Duration, Now: time.Now, From: cfg.Reports.From,
		Own: func(domain string) bool { return f.anyDomain || domain == from || own(domain) }}
	if len(cfg.OwnDomains) == 0 && from == "" && !f.anyDomain {
		return nil, errors.New("there is no domain to keep reports about: name yours in own_domains, or say --any-domain")
	}
	return c, nil
}
