package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/doctor"
	"alignd/doctor/facts"
	"alignd/report/send"
)

// exitUnknown is what a command ends with that could not look.
const exitUnknown = 3

// doctorFlags say where to look.
type doctorFlags struct {
	config  string
	listen  []string
	where   facts.Options
	ignore  []string
	all     bool
	json    bool
	listIDs bool
	compare bool
	since   string
}

func doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong around alignd in MTA, unit, DNS and clock, and the line that cures it",
		Long: `Say what is wrong around alignd, and the line that cures it: in main.cf and
master.cf of every Postfix instance (through postconf), in sendmail.cf, in the
unit, with resolver and clock. Nothing is changed.

With --compare it tells instead, from the journal, what the filters in front (option
compare_with) said otherwise than alignd: how often, of which kind, with samples, from
what it comes, and who is right by which section.

Exit status 0: no warning and no error; 1: warnings; 2: errors; 3: wrong usage. With
--compare 0: alignd is right wherever both differ; 1: there is a difference to look at,
or nothing to compare; 3: the journal cannot be read.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.compare {
				return runCompare(c, &f, time.Now())
			}
			if f.since != "" {
				return ended{exitUnknown, errors.New("--since goes with --compare")}
			}
			return runDoctor(c.Context(), &f, c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file of alignd (default "+config.DefaultFile+", if it exists)")
	flags.StringArrayVar(&f.listen, "listen", nil, "where the MTA finds alignd, instead of the option listen; may be repeated")
	flags.StringArrayVar(&f.where.Postfix, "postfix", nil, "configuration directory of Postfix (default: its own, and those of all instances); may be repeated")
	flags.StringVar(&f.where.Sendmail, "sendmail", "", "sendmail.cf or sendmail.mc (default: /etc/mail/sendmail.cf where there is no Postfix)")
	flags.StringVar(&f.where.Unit, "unit", "", "unit file (default: what systemd knows)")
	flags.StringVar(&f.where.DNS, "dns", "", "DNS server to ask, HOST:PORT (default: those that alignd asks)")
	flags.BoolVar(&f.where.Offline, "offline", false, "ask no DNS")
	flags.StringSliceVar(&f.ignore, "ignore", nil, "ids of findings that are as you want them, divided by commas; may be repeated")
	flags.BoolVar(&f.all, "all", false, "also say what is fine")
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead")
	flags.BoolVar(&f.listIDs, "list", false, "print the ids of all checks, and look at nothing")
	flags.BoolVar(&f.compare, "compare", false, "sum up what the filters in front said otherwise, from the journal")
	flags.StringVar(&f.since, "since", "", "with --compare: messages that began at this time or later (default "+compareSince+")")
	notBoth(c, "dns", "offline")
	return c
}

func runDoctor(ctx context.Context, f *doctorFlags, out io.Writer) error {
	ids := doctor.IDs()
	if f.listIDs {
		_, err := fmt.Fprintln(out, strings.Join(ids, "\n"))
		return err
	}
	for _, id := range f.ignore {
		if !slices.Contains(ids, id) {
			return ended{exitUnknown, fmt.Errorf("--ignore: there is no check %q (alignd doctor --list has them)", id)}
		}
	}
	for _, place := range f.listen {
		if err := config.CheckListen(place); err != nil {
			return ended{exitUnknown, fmt.Errorf("--listen: %w", err)}
		}
	}
	own := configured(f.config)
	own.Reports = reportFacts(ctx, f)
	if len(f.listen) > 0 {
		own.Listen, own.ListenWritten = f.listen, true
	}
	found := facts.Collect(ctx, f.where, own)
	report := doctor.Examine(&found, f.ignore)
	var err error
	if f.json {
		err = report.JSON(out)
	} else {
		err = report.Text(out, f.all)
	}
	if err != nil {
		return ended{exitUnknown, err}
	}
	if report.Status() != 0 {
		return ended{report.Status(), nil}
	}
	return nil
}

// byRecipient reports whether an entry names recipients by more than their domain.
func byRecipient(cfg *config.Config) bool {
	var all []string
	for i := range cfg.Exceptions {
		all = append(all, cfg.Exceptions[i].Scope.Recipients...)
	}
	for i := range cfg.Profiles {
		if cfg.Profiles[i].File != "" {
			return true
		}
		all = append(all, cfg.Profiles[i].Recipients...)
	}
	for i := range cfg.TrustedSealers {
		all = append(all, cfg.TrustedSealers[i].Recipients...)
	}
	return slices.ContainsFunc(all, func(r string) bool { return strings.IndexByte(r, '@') > 0 })
}

// readFiles are the files that a daemon with this configuration reads. Those of the pages
// are read by another process.
func readFiles(cfg *config.Config, file string) []string {
	names := []string{file}
	for _, f := range cfg.Files {
		if filepath.IsAbs(f.Name) && f.Name != file {
			names = append(names, f.Name)
		}
	}
	for _, f := range cfg.FilesNamed() {
		if !strings.HasPrefix(f.Option, "web.") {
			names = append(names, f.Path)
		}
	}
	return names
}

// configured is what a configuration says of alignd, or the default one where it cannot
// be used. Without a file it is the default one, which may be absent.
func configured(file string) doctor.Alignd {
	cfg, err := config.Load(file)
	fault := ""
	if err != nil {
		fault = err.Error()
		if cfg, err = config.Parse(nil, "", time.Now()); err != nil {
			return doctor.Alignd{File: file, Fault: fault}
		}
	}
	a := doctor.Alignd{
		File: cmp.Or(config.FileOf(file), config.DefaultFile), Fault: fault,
		Listen: cfg.Listen, ListenWritten: cfg.ListenWritten(), SocketGroup: cfg.SocketGroup, Drain: cfg.Drain.Duration, MessageTimeout: cfg.Limits.MessageTimeout.Duration,
		Monitor:     cfg.Mode == "monitor",
		ByRecipient: byRecipient(cfg), Delimiter: cfg.RecipientDelimiter,
		AuthservID: cfg.AuthservID, NameOnly: cfg.AuthservIDCovers == "name", OwnAuthservIDs: cfg.OwnAuthservIDs, CompareWith: cfg.CompareWith,
		Authenticated: cfg.NotJudged.Authenticated, Loopback: cfg.NotJudged.Loopback, Networks: cfg.NotJudged.Networks,
		DNSServers:   cfg.DNS.Servers,
		JournalStore: cfg.Journal.Store, JournalPath: cfg.Journal.Path,
	}
	a.Reads = readFiles(cfg, a.File)
	for _, r := range cfg.TrustedRelays {
		a.Relays = append(a.Relays, doctor.Relay{ID: r.ID, Peers: r.Peers, HasBy: len(r.By) > 0})
	}
	return a
}

// reportFacts are those of what our reports need in DNS.
func reportFacts(ctx context.Context, f *doctorFlags) (all []doctor.ReportFact) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return nil
	}
	list, err := readyFacts(ctx, cfg, f.where.DNS, f.where.Offline)
	if err != nil { // the checks of the resolver tell
		return nil
	}
	for _, x := range list {
		all = append(all, doctor.ReportFact{Check: string(x.Subject), Name: x.Name, Wrong: x.State == send.Wrong, Unknown: x.State == send.Unknown, Say: x.Say})
	}
	return all
}
