package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"alignd/report/ours"
	"alignd/report/send"
	"alignd/resolver"
	"alignd/verify/dmarc"
	"alignd/verify/spf"
)

func reportDNSCommand() *cobra.Command {
	var f checkFlags
	var rua string
	var offline bool
	c := &cobra.Command{
		Use:   "dns [flags] [DOMAIN...]",
		Short: "Print the DNS records that sending and receiving reports takes",
		Long: `Print, as lines of a zone file, the DNS records that reports need which come from
reports.from: the DKIM key of each entry of reports.dkim, SPF, DMARC and MX. What DNS has
already is said in a comment, and only what is missing is a record. For each DOMAIN a
DMARC record is printed that has its reports sent to --rua, and what the domain of that
address has to publish where it belongs to another organization (RFC 9990 section 4).

Exit status 0: printed; 1: a key cannot be read; 2: wrong usage.`,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := f.loadConfig(f.config)
			if err != nil {
				return err
			}
			if cfg.Reports.From == "" {
				return failure{errNoReports}
			}
			p := publisher{id: ours.Identity(cfg), rua: cmp.Or(strings.TrimPrefix(rua, "mailto:"), cfg.Reports.From), asked: rua != ""}
			for _, arg := range args {
				name, err := plainDomain(arg)
				if err != nil {
					return err
				}
				p.domains = append(p.domains, name)
			}
			address, _, ok := dmarc.Mailbox("mailto:" + p.rua)
			if !ok {
				return fmt.Errorf("--rua %q is no mail address", rua)
			}
			p.rua = address
			p.lk = resolver.Lookuper(nobody{})
			if !offline {
				lookup, done, err := f.lookuper(cfg)
				if err != nil {
					return err
				}
				defer done()
				p.lk = lookup
			}
			ctx, cancel := context.WithTimeout(c.Context(), 4*readyWithin)
			defer cancel()
			return p.print(ctx, c.OutOrStdout())
		},
	}
	flags := c.Flags()
	configFlag(c, &f.config)
	flags.StringVar(&f.dns, "dns", "", "DNS server to ask, HOST:PORT")
	flags.StringVar(&f.zone, "zone", "", "zone file to answer from instead of DNS")
	flags.BoolVar(&offline, "offline", false, "ask no DNS, and print all records")
	flags.StringVar(&rua, "rua", "", "address that reports of others come to (default reports.from)")
	notBoth(c, "dns", "zone")
	notBoth(c, "dns", "offline")
	notBoth(c, "zone", "offline")
	return c
}

// nobody answers nothing.
type nobody struct{}

func (nobody) Lookup(_ context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "it was not asked"}
}

// publisher prints records.
type publisher struct {
	id      send.Identity
	rua     string
	asked   bool     // rua is a wish, not the default
	domains []string // beside that of From
	lk      resolver.Lookuper
	out     *bufio.Writer
	failed  error
}

func (p *publisher) print(ctx context.Context, out io.Writer) error {
	p.out = bufio.NewWriter(out)
	facts := send.Ready(ctx, p.lk, p.id)
	from := hostOf(p.id.From)
	p.say("reports come from %s", p.id.From)
	for i := range p.id.Keys {
		p.key(&p.id.Keys[i], from, facts)
	}
	if len(p.id.Keys) == 0 {
		p.say("no key is in reports.dkim: the relay has to sign as %s", from)
	}
	for _, f := range facts {
		switch f.Subject {
		case send.SubjectMX:
			p.mail(&f)
		case send.SubjectSPF:
			p.spf(ctx, &f)
		}
	}
	for _, name := range append([]string{from}, p.domains...) {
		p.dmarc(ctx, name)
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	if p.failed != nil {
		return failure{p.failed}
	}
	return nil
}

func (p *publisher) say(format string, args ...any) {
	fmt.Fprintf(p.out, "; %s\n", printable(fmt.Sprintf(format, args...)))
}

func (p *publisher) record(name, text string) { fmt.Fprintln(p.out, send.ZoneLine(name, text)) }

func hostOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func (p *publisher) key(k *send.OwnKey, from string, facts []send.Fact) {
	name := k.Selector + "._domainkey." + from
	i := slices.IndexFunc(facts, func(f send.Fact) bool { return f.Subject == send.SubjectKey && f.Name == name })
	fmt.Fprintln(p.out)
	p.say("the key %s (DKIM): %s", k.Selector, facts[i].Say)
	text, err := "", k.Err
	if err == nil {
		text, err = send.KeyText(k.Public)
	}
	switch {
	case err != nil:
		p.failed = fmt.Errorf("the key %s: %w", k.Selector, err)
	case facts[i].State != send.Right:
		p.record(name, text)
	}
}

// mail is a comment: which host takes mail is the admin's to know.
func (p *publisher) mail(f *send.Fact) {
	fmt.Fprintln(p.out)
	p.say("answers to reports (MX): %s: %s", f.Name, f.Say)
	if f.State != send.Right {
		p.say("%s. IN MX 10 YOUR-MAIL-HOST.", f.Name)
	}
}

// spf is a comment too: an SPF record is about all mail of a domain.
func (p *publisher) spf(ctx context.Context, f *send.Fact) {
	fmt.Fprintln(p.out)
	p.say("envelope senders (SPF): %s: %s", f.Name, f.Say)
	if answer, err := p.lk.Lookup(ctx, f.Name, dns.TypeTXT); err == nil {
		if is := spf.Select(answer); is.Text != "" {
			p.say("the host that hands reports to the world has to be in: %s", is.Text)
			return
		}
	}
	p.say("it has to name the hosts that send mail as this domain, that of the relay among them, such as:")
	p.say(`%s. IN TXT "v=spf1 mx -all"`, f.Name)
}

// dmarc is the record of a domain, and what others have to say to its addresses.
func (p *publisher) dmarc(ctx context.Context, name string) {
	fmt.Fprintln(p.out)
	answer, err := p.lk.Lookup(ctx, "_dmarc."+name, dns.TypeTXT)
	var found []dmarc.Record
	if err == nil {
		for _, txt := range answer.TXT {
			if rec, err := dmarc.ParseRecord(txt); err == nil {
				found = append(found, rec)
			}
		}
	}
	rua := []string{"mailto:" + p.rua}
	switch {
	case len(found) > 1:
		p.say("DMARC of %s: it has %d records, and so none: keep one", name, len(found))
	case len(found) == 1:
		rua = found[0].RUA
		p.say("DMARC of %s: it is there: %s", name, found[0].Text)
		if len(rua) == 0 {
			p.say(`it has no rua=, so nobody reports: add "; rua=mailto:%s" to it`, p.rua)
			rua = []string{"mailto:" + p.rua}
		} else if p.asked && !slices.Contains(mailTargets(rua), p.rua) {
			p.say(`its reports do not come to %s: put ",mailto:%s" behind rua=%s`, p.rua, p.rua, strings.Join(rua, ","))
			rua = append(slices.Clone(rua), "mailto:"+p.rua)
		}
	default:
		if err != nil && resolver.Temporary(err) {
			p.say("DMARC of %s: DNS does not say whether there is one; two would be none", name)
		} else {
			p.say("DMARC of %s: it has none", name)
		}
		p.record("_dmarc."+name, "v=DMARC1; p=none; rua=mailto:"+p.rua)
	}
	for _, host := range dmarc.MailHosts(rua) {
		p.agreement(ctx, name, host)
	}
}

// agreement is what a host publishes that takes reports about a domain of another
// organization (RFC 9990 section 4).
func (p *publisher) agreement(ctx context.Context, name, host string) {
	if host == name {
		return
	}
	ours, theirs := dmarc.Walk(ctx, p.lk, name, p.id.PSLGuard).OrgDomain, dmarc.Walk(ctx, p.lk, host, p.id.PSLGuard).OrgDomain
	if ours == theirs && ours != "" {
		return
	}
	if ours == "" || theirs == "" {
		p.say("where %s is of another organization than %s, it has to publish:", host, name)
	} else {
		p.say("%s is of another organization, so it has to publish:", host)
	}
	question := name + "._report._dmarc." + host
	if answer, err := p.lk.Lookup(ctx, question, dns.TypeTXT); err == nil {
		if slices.ContainsFunc(answer.TXT, func(txt string) bool { _, err := dmarc.ParseRecord(txt); return err == nil }) {
			p.say("%s, and it is there", question)
			return
		}
	}
	p.record(question, "v=DMARC1")
}
