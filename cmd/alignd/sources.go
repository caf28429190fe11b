package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/publicsuffix"

	"alignd/config"
	"alignd/domain"
	"alignd/journal"
	"alignd/replay/sources"
)

// sourcesFlags say what is asked of the journal.
type sourcesFlags struct {
	config, since string
	limit         int
	json          bool
}

func sourcesCommand() *cobra.Command {
	var f sourcesFlags
	c := &cobra.Command{
		Use:   "sources [flags] [DOMAIN]",
		Short: "Tell who sends as a domain, and how much of it passes",
		Long: `Tell who sends as an Author Domain: from which infrastructure, signed and sealed by whom,
how much of it passes DMARC and what became of the rest, from the journal (option
journal). Without DOMAIN: the domains of own_domains first, then all others, those with
the most failing mail first.

Infrastructure is the Organizational Domain of a name of the client's address that leads
back to it (option iprev), else the network of /24 or /48.

Times are RFC 3339 or a span back from now: 14d, 6h, 90m.

Exit status 0: the journal was read, whatever was found; 1: it could not be; 2: wrong
usage.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("name one domain, or none (%s)", help(c))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args, time.Now()) },
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
	flags.StringVar(&f.since, "since", "30d", "messages that began at this time or later")
	flags.IntVar(&f.limit, "limit", 50, "sources at most; 0 is all")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

func (f *sourcesFlags) run(c *cobra.Command, args []string, now time.Time) error {
	opt := sources.Options{Now: now, Organization: organization}
	var err error
	if opt.Since, err = pointInTime("since", f.since, now); err != nil {
		return err
	}
	if f.limit < 0 {
		return fmt.Errorf("--limit %d is below 0", f.limit)
	}
	if len(args) == 1 {
		if opt.Domain, err = domain.Normalize(args[0]); err != nil {
			return fmt.Errorf("domain %q: %w", args[0], err)
		}
	}
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	opt.Own = ownDomains(cfg)
	unread := 0
	r, err := openReader(cfg, func(err error) {
		unread++
		fmt.Fprintf(c.ErrOrStderr(), "alignd: the journal is read in part: %s\n", printable(err.Error()))
	})
	if err != nil {
		return failure{err}
	}
	defer r.Close()
	survey := sources.New(opt)
	if err := readInto(c.Context(), r, opt, survey); err != nil {
		return failure{fmt.Errorf("reading the journal: %w", err)}
	}
	report := survey.Report()
	show := showSources
	if f.json {
		show = printSources
	}
	if err := show(c.OutOrStdout(), opt, report, f.limit); err != nil {
		return failure{err}
	}
	if unread > 0 {
		return failure{fmt.Errorf("files of the journal that cannot be read: %d", unread)}
	}
	return nil
}

// readInto hands the records that may count to a survey.
func readInto(ctx context.Context, r journal.Reader, opt sources.Options, to *sources.Survey) error {
	ctx = context.WithoutCancel(ctx)
	if opt.Domain != "" {
		return r.Search(ctx, journal.Query{Domain: opt.Domain, Since: opt.Since}, func(e *journal.Entry) error {
			to.Add(e.Record)
			return nil
		})
	}
	return r.Scan(ctx, opt.Since, time.Time{}, func(b journal.Block) error {
		items, err := b.Items()
		if err != nil {
			return err
		}
		for _, i := range items {
			e, err := i.Entry()
			if err != nil {
				return err
			}
			to.Add(e.Record)
		}
		return nil
	})
}

// organization is the Organizational Domain by the Public Suffix List, as no question
// is asked of DNS here.
func organization(name string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return org
}

// ownDomains reports whether an Author Domain is one of own_domains. As these entries
// make outcomes stricter, "org:" is the domain and all below it.
func ownDomains(cfg *config.Config) func(author string) bool {
	var patterns []string
	for i := range cfg.OwnDomains {
		patterns = append(patterns, cfg.OwnDomains[i].Domains...)
	}
	return func(author string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			p = strings.TrimSuffix(strings.ToLower(p), ".")
			if org, ok := strings.CutPrefix(p, "org:"); ok {
				return author == org || domain.IsBelow(author, org)
			}
			if parent, ok := strings.CutPrefix(p, "."); ok {
				return domain.IsBelow(author, parent)
			}
			return p == "*" || author == p
		})
	}
}
