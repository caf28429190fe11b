package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/report/aggregate"
	"alignd/verify/dmarc"
)

// previewFlags say which report is shown, and how.
type previewFlags struct {
	config, day, from, organization, contact, schema string
	xml, envelopeTo, failure, json                   bool
}

func reportPreviewCommand() *cobra.Command {
	var f previewFlags
	c := &cobra.Command{
		Use:   "preview [flags] DOMAIN",
		Short: "Print the aggregate reports on one day to a Policy Domain",
		Long: `Print the aggregate reports (RFC 9990) on one day to a Policy Domain, as mail.

They are made of the journal (option journal), of all that it has of the day: also what
was sent already and what was imported from another journal, which is in no report that
leaves. What was sent, or waits, is told on standard error. Nothing is sent. A policy
that changed within the day, and more than 100,000 kinds of messages, give several reports.

With --failure it prints the failure reports (RFC 9991) that are held for the domain now,
as they stand (option reports.failure).

Exit status 0: a report was made; 1: there is none, or the journal cannot be read; 2:
wrong usage.`,
		Args: exactlyOne("Policy Domain", nil),
		RunE: func(c *cobra.Command, args []string) error {
			if f.failure {
				return previewFailures(c, f.config, args[0])
			}
			return f.run(c, args[0])
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
	flags.StringVar(&f.day, "day", "", "day in UTC, such as 2026-01-31 (default yesterday)")
	flags.StringVar(&f.from, "from", "", "address that the reports come from (default reports.from, else postmaster of this host)")
	flags.StringVar(&f.organization, "organization", "", "who reports (default reports.organization, else the domain of --from)")
	flags.StringVar(&f.schema, "schema", "", "rfc9990, or rfc7489 for old readers (default reports.schema)")
	flags.BoolVar(&f.xml, "xml", false, "print the XML alone")
	flags.BoolVar(&f.failure, "failure", false, "print the failure reports that are held, instead")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	notBoth(c, "xml", "json")
	for _, other := range []string{"day", "from", "organization", "schema", "xml", "json"} {
		notBoth(c, "failure", other)
	}
	return c
}

// fill takes what the flags do not say from the options.
func (f *previewFlags) fill(r *config.Reports) {
	f.from, f.organization = cmp.Or(f.from, r.From), cmp.Or(f.organization, r.Organization)
	f.schema, f.contact = cmp.Or(f.schema, r.Schema), r.Contact
	f.envelopeTo = r.EnvelopeTo
}

// preview is what is asked for, understood.
type preview struct {
	domain, organization, contact string
	env                           aggregate.Envelope
	day                           time.Time
	schema                        aggregate.Schema
	xml                           bool
	opt                           aggregate.Options
}

func (f *previewFlags) parse(name string, now time.Time) (p preview, err error) {
	p = preview{schema: aggregate.Schema(f.schema), contact: f.contact, xml: f.xml, opt: aggregate.Options{EnvelopeTo: f.envelopeTo}, day: now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)}
	if p.domain, err = domain.Normalize(name); err != nil {
		return p, fmt.Errorf("%q: %w", name, err)
	}
	if p.schema != aggregate.RFC9990 && p.schema != aggregate.RFC7489 {
		return p, fmt.Errorf("--schema %q is none of rfc9990, rfc7489", f.schema)
	}
	if f.day != "" {
		if p.day, err = time.Parse(time.DateOnly, f.day); err != nil {
			return p, fmt.Errorf("--day %q is no day such as 2026-01-31", f.day)
		}
	}
	from := f.from
	if from == "" {
		host, err := os.Hostname()
		if err != nil {
			return p, fmt.Errorf("name an address by --from: %w", err)
		}
		from = "postmaster@" + host
	}
	local, host, _ := strings.Cut(from, "@")
	if host, err = domain.Normalize(host); err != nil || local == "" {
		return p, fmt.Errorf("--from %q is no mail address", from)
	}
	p.organization = f.organization
	if p.organization == "" {
		p.organization = host
	}
	p.env = aggregate.Envelope{Domain: host, From: local + "@" + host, Name: f.organization, Date: now}
	return p, nil
}

func (f *previewFlags) run(c *cobra.Command, name string) error {
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	f.fill(&cfg.Reports)
	p, err := f.parse(name, time.Now())
	if err != nil {
		return err
	}
	missed := unread{out: c.ErrOrStderr()}
	r, err := place.OpenReader(cfg, missed.tell)
	if err != nil {
		return failure{err}
	}
	defer r.Close()
	drafts, err := p.count(c.Context(), r)
	if err != nil {
		return failure{fmt.Errorf("reading the journal: %w", err)}
	}
	if len(drafts) == 0 {
		text := fmt.Sprintf("no message of %s (UTC) is to be reported to %s", p.day.Format(time.DateOnly), p.domain)
		if f.day == "" {
			text += "; of today: --day " + time.Now().UTC().Format(time.DateOnly)
		}
		return failure{errors.New(text)}
	}
	left, err := leftBefore(c.Context(), cfg, &p)
	if err != nil {
		fmt.Fprintf(c.ErrOrStderr(), "alignd: what was sent of the day is not known: %s\n", printable(err.Error()))
	}
	show := p.show
	if f.json {
		show = p.showJSON
	}
	if err := show(c, drafts, left); err != nil {
		return failure{err}
	}
	if missed.n > 0 {
		return failure{errors.New("a part of the journal could not be read, so the counts are too low")}
	}
	return nil
}

// count makes drafts of what the journal has of the day. A message whose answer the MTA
// may not have heard comes again, and counts then.
func (p *preview) count(ctx context.Context, r journal.Reader) ([]aggregate.Draft, error) {
	var c aggregate.Counter
	end := p.day.Add(24 * time.Hour)
	err := r.Scan(ctx, p.day, end, func(b journal.Block) error {
		items, err := b.Items()
		if err != nil {
			return err
		}
		for _, item := range items {
			e, err := item.Entry()
			if err != nil {
				return err
			}
			if at := e.Record.Evidence.Time; e.Answer != journal.AnswerWritten || at.Before(p.day) || !at.Before(end) {
				continue
			}
			for _, o := range aggregate.Observe(e.Record, p.opt) {
				if o.Scope.Domain == p.domain {
					c.Add(&o, 1)
				}
			}
		}
		return nil
	})
	return c.Drafts(), err
}

func (p *preview) split(d *aggregate.Draft) ([]aggregate.Part, error) {
	return aggregate.Split(&aggregate.Report{
		Organization: p.organization, Email: p.env.From, Contact: p.contact, Generator: "alignd " + version, Scope: d.Scope, Rows: d.Rows, Dropped: d.Dropped,
	}, p.schema, func(part int) string { return aggregate.ID(p.env.Domain, &d.Scope, 0, part) })
}

func (p *preview) print(c *cobra.Command, d *aggregate.Draft) error {
	parts, err := p.split(d)
	if err != nil {
		return err
	}
	targets := mailTargets(d.RUA)
	if len(targets) > 0 {
		p.env.To = targets[0]
	}
	if len(targets) != 1 {
		fmt.Fprintf(c.ErrOrStderr(), "alignd: it would go to: %s\n", printable(strings.Join(targets, ", ")))
	}
	for i := range parts {
		if err := p.printPart(c.OutOrStdout(), &parts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *preview) printPart(out io.Writer, part *aggregate.Part) error {
	if p.xml {
		return aggregate.Encode(out, part.Report, p.schema)
	}
	var b bytes.Buffer
	if err := aggregate.WriteMail(&b, part, p.env); err != nil {
		return err
	}
	_, err := out.Write(bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")))
	return err
}

// mailTargets are the addresses of mailto URIs (RFC 6068).
func mailTargets(uris []string) (list []string) {
	for _, uri := range uris {
		if address, _, ok := dmarc.Mailbox(uri); ok {
			list = append(list, address)
		}
	}
	return list
}
