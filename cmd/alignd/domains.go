package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/domain"
	"alignd/lint"
	"alignd/resolver"
)

// domainReport is what one of the commands tells of a name.
type domainReport interface {
	Text(io.Writer) error
	Worst() lint.Level
	Known() bool
}

// domainCommand is one of alignd dmarc, spf and dkim.
type domainCommand struct {
	use, short, long string
	// name reads an argument; look makes its report.
	name func(arg string) (string, error)
	look func(ctx context.Context, lk resolver.Lookuper, name string, guard bool) domainReport
}

// domainCommands look at what domains publish, without a message.
func domainCommands() []*cobra.Command {
	return []*cobra.Command{
		domainCommand{
			use: "dmarc [flags] DOMAIN...", short: "Show the DMARC policy that holds for a domain",
			long: "Show the DMARC policy that holds for mail from a domain: the names of the DNS Tree\nWalk, the record that it finds, what is wrong with it, and whether the addresses for\nreports agree.",
			name: plainDomain,
			look: func(ctx context.Context, lk resolver.Lookuper, name string, guard bool) domainReport {
				return lint.CheckDMARC(ctx, lk, name, guard)
			},
		}.command(),
		domainCommand{
			use: "spf [flags] DOMAIN...", short: "Show the SPF record of a domain and all that it leads to",
			long: "Show the SPF record of a domain with every record that it leads to, whoever the client\nis: a tree with the lookups of each branch, and what is wrong.",
			name: plainDomain,
			look: func(ctx context.Context, lk resolver.Lookuper, name string, _ bool) domainReport {
				return lint.CheckSPF(ctx, lk, name)
			},
		}.command(),
		domainCommand{
			use: "dkim [flags] SELECTOR._domainkey.DOMAIN...", short: "Show the DKIM key of a selector",
			long: "Show the DKIM key at SELECTOR._domainkey.DOMAIN: aliases, size, flags, and what is wrong.",
			name: keyName,
			look: func(ctx context.Context, lk resolver.Lookuper, name string, _ bool) domainReport {
				return lint.CheckDKIM(ctx, lk, name)
			},
		}.command(),
	}
}

// maxDomainTime is how long one name may take; ours.
const maxDomainTime = time.Minute

func (d domainCommand) command() *cobra.Command {
	var f checkFlags
	var asJSON, strict bool
	c := &cobra.Command{
		Use: d.use, Short: d.short,
		Long: d.long + `

Exit status 0 when DNS told what there is, whatever that is; 1 when it did not answer,
or with --strict when something is wrong; 2 for wrong usage.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a domain (%s)", help(c))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			bad, err := d.run(c.Context(), c.OutOrStdout(), &f, args, asJSON, strict)
			if err == nil && len(bad) > 0 {
				err = failure{errors.New(strings.Join(bad, "; "))}
			}
			return err
		},
	}
	flags := c.Flags()
	flags.BoolVar(&asJSON, "json", false, "print one JSON object a line for each name")
	flags.BoolVar(&strict, "strict", false, "exit with status 1 when there is a fault")
	flags.StringVar(&f.config, "config", "", "configuration file, for the DNS servers and psl_guard")
	flags.StringVar(&f.dns, "dns", "", "DNS server to ask, HOST:PORT")
	flags.StringVar(&f.zone, "zone", "", "zone file to answer from instead of DNS")
	notBoth(c, "dns", "zone")
	return c
}

// run tells of all names. bad are those that make the exit status 1.
func (d domainCommand) run(ctx context.Context, out io.Writer, f *checkFlags, args []string, asJSON, strict bool) (bad []string, err error) {
	var names []string
	for _, arg := range args {
		name, err := d.name(arg)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	cfg, err := f.loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	lookup, done, err := f.lookuper(cfg)
	if err != nil {
		return nil, err
	}
	defer done()
	for i, name := range names {
		report := d.within(ctx, lookup, name, cfg.PSLGuard)
		switch {
		case asJSON:
			err = lint.JSON(out, report)
		case i > 0:
			_, _ = io.WriteString(out, "\n")
			fallthrough
		default:
			err = report.Text(out)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case !report.Known():
			bad = append(bad, name+": DNS does not answer")
		case strict && report.Worst() == lint.Fault:
			bad = append(bad, name+": something is wrong")
		}
	}
	return bad, nil
}

func (d domainCommand) within(ctx context.Context, lk resolver.Lookuper, name string, guard bool) domainReport {
	ctx, cancel := context.WithTimeout(ctx, maxDomainTime)
	defer cancel()
	return d.look(ctx, lk, name, guard)
}

// plainDomain reads the name of a domain. Who hands over the name of a record means
// its domain.
func plainDomain(arg string) (string, error) {
	name, err := domain.Normalize(arg)
	if err != nil {
		return "", fmt.Errorf("%q is no domain: %w", arg, err)
	}
	if rest, ok := strings.CutPrefix(name, "_dmarc."); ok {
		name = rest
	}
	return name, nil
}

// keyName reads the name of a key.
func keyName(arg string) (string, error) {
	name, err := domain.Normalize(arg)
	if err != nil {
		return "", fmt.Errorf("%q is no name: %w", arg, err)
	}
	if before, after, ok := strings.Cut(name, "._domainkey."); !ok || before == "" || after == "" {
		return "", fmt.Errorf("%q is not the name of a key, SELECTOR._domainkey.DOMAIN", arg)
	}
	return name, nil
}
