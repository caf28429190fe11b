package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/publicsuffix"

	"alignd/config"
	"alignd/domain"
	"alignd/internal/owned"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/journal/state"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay/sources"
)

// sourcesFlags say what is asked of the journal.
type sourcesFlags struct {
	config, since string
	rules         string
	trust         []string
	limit         int
	json          bool
	unproven      bool
	counts        bool
	kind          string
}

func sourcesCommand() *cobra.Command {
	var f sourcesFlags
	c := &cobra.Command{
		Use:   "sources [flags] [DOMAIN]",
		Short: "Tell who sends as a domain, and how much of it passes",
		Long: `Tell who sends as an Author Domain: from which infrastructure, signed and sealed by whom,
how much of it passes DMARC and what became of the rest, from the journal (option
journal). Without DOMAIN: the domains of own_domains first, then all others, those with
the most failing mail first, and last what came only a few times.

Infrastructure is the Organizational Domain of a name of the client's address that leads
back to it (option iprev), else the network of /24 or /48.

For failing mail that is honest beyond doubt it suggests an entry to paste, with what the
entry would have let in since then, and says of other sources why not. --trust names
whom you know: the domain of a vendor's signature, of a sealer, a gateway, or a List-Id.

Below stands who sends as our domains elsewhere, by the reports that "alignd report import"
stored, and how much of that network's mail came here.

With --counts it tells at once what the hourly counts know, as the pages do: who sends as
whom by day, without who signed and without suggestions. What matters is first: sources that
fail for own domains, look honest and are steady or new.

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
	flags.StringVar(&f.rules, "rules", "", "configuration that suggestions go by (default: that of --config, the one in force)")
	flags.StringArrayVar(&f.trust, "trust", nil, "a signer, sealer, gateway or List-Id that you know to be honest, for suggestions; repeatable")
	flags.IntVar(&f.limit, "limit", 50, "sources at most; 0 is all")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	flags.BoolVar(&f.counts, "counts", false, "tell by the hourly counts of 90 days, at once, without signers and suggestions; days are whole")
	flags.StringVar(&f.kind, "kind", "", "with --counts: only those that are steady, new or once")
	flags.BoolVar(&f.unproven, "unproven", false, "count reports of others too of which nobody can tell who sent them")
	return c
}

func (f *sourcesFlags) run(c *cobra.Command, args []string, now time.Time) error {
	opt, err := f.options(args, now)
	if err != nil {
		return err
	}
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	if f.counts {
		return f.counted(c, cfg, opt)
	}
	opt.Before = f.seenBefore(c, cfg, opt)
	in := &sourcesInput{unread: unread{out: c.ErrOrStderr(), most: maxUnreadTold}, bar: newProgress(c.ErrOrStderr(), now)}
	if in.reader, err = place.OpenReader(cfg, in.unread.tell); err != nil {
		return failure{err}
	}
	defer in.reader.Close()
	if in.prepare, err = f.judging(&opt, cfg, now); err != nil {
		return err
	}
	if in.elsewhere, err = f.elsewhere(c, cfg, opt); err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	report, err := in.survey(c.Context(), opt)
	if err != nil {
		return failure{fmt.Errorf("reading the journal: %w", err)}
	}
	show := showSources
	if f.json {
		show = printSources
	}
	if err := show(c.OutOrStdout(), opt, report, in.elsewhere, f.limit); err != nil {
		return failure{err}
	}
	return in.unread.fault("files, blocks or records")
}

// options are what the flags say of themselves.
func (f *sourcesFlags) options(args []string, now time.Time) (opt sources.Options, err error) {
	opt = sources.Options{Now: now, Organization: organization}
	if opt.Since, err = pointInTime("since", f.since, now); err != nil {
		return opt, err
	}
	if f.limit < 0 {
		return opt, fmt.Errorf("--limit %d is below 0", f.limit)
	}
	if len(args) == 1 {
		if opt.Domain, err = domain.Normalize(args[0]); err != nil {
			return opt, fmt.Errorf("domain %q: %w", args[0], err)
		}
	}
	if kinds := []string{"", "steady", "new", "once"}; !slices.Contains(kinds, f.kind) || f.kind != "" && !f.counts {
		return opt, fmt.Errorf("--kind %q: it goes with --counts and is steady, new or once", f.kind)
	}
	for _, name := range f.trust {
		d, err := domain.Normalize(name)
		if err != nil {
			return opt, fmt.Errorf("--trust %q: %w", name, err)
		}
		opt.Trust = append(opt.Trust, d)
	}
	return opt, nil
}

// judging has a survey judge by the configuration in force, or that of --rules, and gives
// what makes records ready for that.
func (f *sourcesFlags) judging(opt *sources.Options, cfg *config.Config, now time.Time) (prepare func(*record.Record) *record.Record, err error) {
	of, err := privacy.Pseudonyms(cfg)
	if err != nil {
		return nil, failure{err}
	}
	if f.rules != "" {
		if cfg, err = readConfig(config.Input{File: f.rules}); err != nil {
			return nil, err
		}
	}
	rulesOf := func(c *config.Config) (*policy.Rules, error) {
		if of != nil {
			return c.RulesWith(of.Local)
		}
		return c.Rules, nil
	}
	if opt.Rules, err = rulesOf(cfg); err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for id := range cfg.Rules.Names() {
		ids[id] = true
	}
	opt.Own = cfg.Owns()
	opt.Taken = func(id string) bool { return ids[id] }
	opt.With = func(entry []byte) (*policy.Rules, error) {
		with, err := cfg.With(entry, now)
		if err != nil {
			return nil, err
		}
		return rulesOf(with)
	}
	private := &judge.Privacy{Pseudonyms: of}
	return private.Decidable, nil
}

// seenBefore asks the hourly counts, which go back further than the records, who sent
// before. Without them the records alone tell.
func (f *sourcesFlags) seenBefore(c *cobra.Command, cfg *config.Config, opt sources.Options) func(author, infrastructure string) bool {
	s, err := place.ReadState(c.Context(), cfg)
	if err != nil {
		return nil
	}
	defer s.Close()
	pairs, err := s.Pairs(context.WithoutCancel(c.Context()), state.PairQuery{Author: opt.Domain, Until: opt.Since})
	if err != nil {
		return nil
	}
	type pair struct{ author, infrastructure string }
	seen := make(map[pair]bool, len(pairs))
	for _, p := range pairs {
		seen[pair{p.Author, p.Infrastructure}] = true
	}
	return func(author, infrastructure string) bool { return seen[pair{author, infrastructure}] }
}

// elsewhere asks for the reports of others; nil where there is no state.
func (f *sourcesFlags) elsewhere(c *cobra.Command, cfg *config.Config, opt sources.Options) (*elsewhere, error) {
	s, err := place.ReadState(c.Context(), cfg)
	if err != nil {
		return nil, nil // as with seenBefore, the records tell without it
	}
	defer s.Close()
	return askElsewhere(context.WithoutCancel(c.Context()), s, state.ElsewhereQuery{Author: opt.Domain, Since: opt.Since, Unproven: f.unproven}, opt.Now)
}

// sourcesInput is the journal as a survey reads it.
type sourcesInput struct {
	reader  journal.Reader
	prepare func(*record.Record) *record.Record
	bar     *progress
	unread  unread // of it the survey goes on without

	elsewhere *elsewhere
}

// maxUnreadTold is how many faults of the journal are told one by one.
const maxUnreadTold = 10

// survey reads the journal, and once more where there are entries to measure.
func (in *sourcesInput) survey(ctx context.Context, opt sources.Options) (*sources.Report, error) {
	defer in.bar.end()
	s := sources.New(opt)
	var err error
	if opt.Domain != "" {
		q := journal.Query{Domain: opt.Domain, Since: opt.Since}
		err = in.reader.Search(context.WithoutCancel(ctx), q, func(e *journal.Entry) error {
			in.elsewhere.note(e.Record)
			s.Add(in.prepare(e.Record))
			return nil
		})
	} else {
		err = in.scan(ctx, opt.Since, func(r *record.Record) {
			in.elsewhere.note(r)
			s.Add(r)
		})
	}
	if err == nil && s.Prepare() {
		err = in.scan(ctx, opt.Since, s.Measure)
	}
	return s.Report(), err
}

// scan hands on all records since a time, in the order in which they are kept. Blocks are
// unpacked side by side.
func (in *sourcesInput) scan(ctx context.Context, since time.Time, each func(*record.Record)) error {
	type unpacked struct {
		records []*record.Record
		faults  []error
	}
	workers := runtime.GOMAXPROCS(0)
	waiting := make(chan chan unpacked, workers)
	var reading owned.Group
	var fault error
	reading.Go(func() {
		defer close(waiting)
		fault = in.reader.Scan(context.WithoutCancel(ctx), since, time.Time{}, func(b journal.Block) error {
			done := make(chan unpacked, 1)
			waiting <- done
			reading.Go(func() {
				var u unpacked
				defer func() { done <- u }()
				u.records, u.faults = recordsOf(b)
			})
			return nil
		})
	})
	var count uint64
	for done := range waiting {
		u := <-done
		for _, r := range u.records {
			each(in.prepare(r))
		}
		for _, err := range u.faults {
			in.unread.tell(err)
		}
		if n := len(u.records); n > 0 {
			count += uint64(n)
			in.bar.show(u.records[n-1].Evidence.Time, count)
		}
	}
	reading.Wait()
	return fault
}

// recordsOf unpacks a block, and tells of what in it cannot be read.
func recordsOf(b journal.Block) (records []*record.Record, faults []error) {
	items, err := b.Items()
	if err != nil {
		return nil, []error{err}
	}
	for _, i := range items {
		e, err := i.Entry()
		if err != nil {
			faults = append(faults, err)
			continue
		}
		records = append(records, e.Record)
	}
	return records, faults
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
