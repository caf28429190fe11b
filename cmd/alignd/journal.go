package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/evidence"
	"alignd/explain"
	"alignd/journal"
	"alignd/journal/configs"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/policy"
)

// journalFlags choose entries of the journal.
type journalFlags struct {
	config, since, until, domain, client string
	disposition, would, rule, queueID    string
	mailFrom, delivery                   string
	spf, dkim, arc, dmarc, answer        string
	limit                                int
	json, follow                         bool
}

func logCommand() *cobra.Command {
	var f journalFlags
	c := &cobra.Command{
		Use:   "log [flags]",
		Short: "List what became of past messages, newest first",
		Long: `List what became of past messages, newest first, from the journal (option journal).

With --follow the newest come last, and each further one within some two seconds of
its answer, until SIGINT (Ctrl-C) or SIGTERM.

Times are RFC 3339 or a span back from now: 14d, 6h, 90m. Who reads must be of the
group that the journal's files belong to.

Exit status 0: the journal was read, whatever was found; 1: it could not be; 2: wrong
usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := f.query(time.Now())
			if err != nil {
				return err
			}
			show := new(entryTable).list
			if f.json {
				show = printEntries
			}
			if f.follow {
				return f.followLog(c, q, show)
			}
			return f.search(c, q, show)
		},
	}
	flags := c.Flags()
	f.common(c)
	flags.StringVar(&f.since, "since", "", "messages that began at this time or later")
	flags.StringVar(&f.until, "until", "", "messages that began before this time")
	flags.StringVar(&f.domain, "domain", "", "Author Domain")
	flags.StringVar(&f.client, "client", "", "address or network (CIDR) of the client that was checked")
	flags.StringVar(&f.mailFrom, "mail-from", "", "address or domain of MAIL FROM")
	flags.StringVar(&f.disposition, "disposition", "", "accept, quarantine, reject or tempfail")
	flags.StringVar(&f.would, "would", "", "what monitor mode or a rollout held back: tag, hold, refuse or defer")
	flags.StringVar(&f.delivery, "delivery", "", "how the MTA was told: deliver, tag, hold, refuse or defer")
	flags.StringVar(&f.dmarc, "dmarc", "", "result of DMARC: pass, fail, none, temperror or permerror")
	flags.StringVar(&f.spf, "spf", "", "result of SPF that counts for DMARC: pass, fail, softfail, neutral, none, temperror or permerror")
	flags.StringVar(&f.dkim, "dkim", "", "result of DKIM: pass where a signature passes, else that of the first")
	flags.StringVar(&f.arc, "arc", "", "result of the ARC chain: none, pass or fail")
	flags.StringVar(&f.answer, "answer", "", "whether the MTA heard it: written, lost (the connection ended) or unknown (alignd ended)")
	flags.StringVar(&f.rule, "rule", "", "id of the rule that decided")
	flags.StringVar(&f.queueID, "queue-id", "", "the MTA's id of the message")
	flags.IntVar(&f.limit, "limit", 100, "entries at most; 0 is all. With --follow: past entries that are shown first, 10 unless given")
	flags.BoolVarP(&f.follow, "follow", "f", false, "show further messages as they come, newest last")
	return c
}

func explainCommand() *cobra.Command {
	var f journalFlags
	c := &cobra.Command{
		Use:   "explain [flags] QUEUE-ID|TOKEN|MESSAGE-ID",
		Short: "Explain what became of a past message, and why",
		Long: `Explain what became of a past message, and why, from the journal (option journal).

The message is named by the MTA's queue id, by the token of the log, or by its
Message-ID. MTAs use queue ids again: all matches are shown, newest first.

Exit status 0: a message was found; 1: none was, or the journal cannot be read; 2: wrong
usage.`,
		Args: exactlyOne("message: its queue id, token or Message-ID", notEmpty),
		RunE: func(c *cobra.Command, args []string) error {
			show := printEntries
			if !f.json {
				cfg, err := readConfig(config.Input{File: f.config})
				if err != nil {
					return err
				}
				show = explainEntries(configs.NewRules(cfg, nil))
			}
			any := false
			once := func(out io.Writer, list []*journal.Entry) error {
				any = any || len(list) > 0
				return show(out, list)
			}
			if err := f.search(c, queryFor(args[0], f.limit), once); err != nil {
				return err
			}
			if q, ok := f.hashedQuery(args[0]); ok && !any {
				if err := f.search(c, q, once); err != nil {
					return err
				}
			}
			if !any {
				return failure{fmt.Errorf("the journal has no message with queue id, token or Message-ID %q", args[0])}
			}
			return nil
		},
	}
	f.common(c)
	c.Flags().IntVar(&f.limit, "limit", 20, "matches at most; 0 is all")
	return c
}

func (f *journalFlags) common(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line, as alignd check --json does")
}

// queryFor is the query for what a person has in hand.
func queryFor(id string, limit int) journal.Query {
	if strings.ContainsAny(id, "@<") {
		return journal.Query{MessageID: id, Limit: limit}
	}
	return journal.Query{ID: id, Limit: limit}
}

// hashedQuery is the one for a Message-ID that names a mailbox, where local parts are
// hashed.
func (f *journalFlags) hashedQuery(id string) (q journal.Query, ok bool) {
	if !strings.Contains(id, "@") {
		return q, false
	}
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return q, false // which was told
	}
	p, err := privacy.Pseudonyms(cfg)
	if err != nil || p == nil {
		return q, false
	}
	return journal.Query{MessageID: p.MessageID(id), Limit: f.limit}, true
}

// query is what the flags ask for.
func (f *journalFlags) query(now time.Time) (q journal.Query, err error) {
	q = journal.Query{Rule: f.rule, QueueID: f.queueID, Limit: f.limit, Disposition: policy.Disposition(f.disposition), Would: policy.Delivery(f.would)}
	if q.Since, err = pointInTime("since", f.since, now); err != nil {
		return q, err
	}
	if q.Until, err = pointInTime("until", f.until, now); err != nil {
		return q, err
	}
	if q.Disposition != "" && !slices.Contains(journal.Dispositions, q.Disposition) {
		return q, fmt.Errorf("--disposition %q is none of accept, quarantine, reject, tempfail", f.disposition)
	}
	if q.Would != "" && !slices.Contains(journal.Deliveries[1:], q.Would) {
		return q, fmt.Errorf("--would %q is none of tag, hold, refuse, defer", f.would)
	}
	if err := f.results(&q); err != nil {
		return q, err
	}
	if f.domain != "" {
		if q.Domain, err = domain.Normalize(f.domain); err != nil {
			return q, fmt.Errorf("--domain %q: %w", f.domain, err)
		}
	}
	if q.MailFrom, err = sender(f.mailFrom); err != nil {
		return q, fmt.Errorf("--mail-from %q: %w", f.mailFrom, err)
	}
	if f.client != "" {
		if q.Client, err = network(f.client); err != nil {
			return q, fmt.Errorf("--client %q is no address and no network such as 192.0.2.0/24", f.client)
		}
	}
	if f.limit < 0 {
		return q, fmt.Errorf("--limit %d is below 0", f.limit)
	}
	return q, nil
}

// results are what is asked of results.
func (f *journalFlags) results(q *journal.Query) error {
	q.Delivery = policy.Delivery(f.delivery)
	if q.Delivery != "" && !slices.Contains(journal.Deliveries, q.Delivery) {
		return fmt.Errorf("--delivery %q is none of deliver, tag, hold, refuse, defer", f.delivery)
	}
	if q.Answer = f.answer; q.Answer != "" && !slices.Contains(journal.Answers, q.Answer) {
		return fmt.Errorf("--answer %q is none of %s", f.answer, strings.Join(journal.Answers, ", "))
	}
	for _, x := range []struct {
		flag, text string
		to         *evidence.Result
	}{{"dmarc", f.dmarc, &q.DMARC}, {"spf", f.spf, &q.SPF}, {"dkim", f.dkim, &q.DKIM}, {"arc", f.arc, &q.ARC}} {
		*x.to = evidence.Result(x.text)
		if x.text != "" && !slices.Contains(journal.Results, *x.to) {
			return fmt.Errorf("--%s %q is no result such as pass, fail or none", x.flag, x.text)
		}
	}
	return nil
}

// sender is an address or a domain as the journal has it.
func sender(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	at := strings.LastIndexByte(text, '@') + 1
	d, err := domain.Normalize(text[at:])
	return text[:at] + d, err
}

func network(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if bits := p.Bits() - 96; p.Addr().Is4In6() && bits >= 0 { // clients are written as IPv4
			p = netip.PrefixFrom(p.Addr().Unmap(), bits)
		}
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	ip = ip.Unmap()
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}

// pointInTime reads RFC 3339, or a span back from now in which d is 24 hours; the zero
// time for an empty text.
func pointInTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	back, err := config.ParseSpan(text)
	if err != nil || back < 0 {
		return time.Time{}, fmt.Errorf("--%s %q is neither RFC 3339 (2026-11-02T10:00:00Z) nor a span back from now (14d, 6h)", flag, text)
	}
	return now.Add(-back), nil
}

// pageSize is how many entries are shown at once.
const pageSize = 100

// search hands what it finds to show, a page at a time.
func (f *journalFlags) search(c *cobra.Command, q journal.Query, show func(io.Writer, []*journal.Entry) error) error {
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	if err := privacy.AsKept(cfg, &q); err != nil {
		return failure{err}
	}
	errs := &lockedWriter{Writer: c.ErrOrStderr()}
	missed := unread{out: errs}
	r, err := place.OpenReader(cfg, missed.tell)
	if err != nil {
		return failure{err}
	}
	defer r.Close()
	defer sayLater(errs, patience, "alignd: still reading: what has no index is looked for in every message; --since narrows it down")()
	var page []*journal.Entry
	err = r.Search(context.WithoutCancel(c.Context()), q, func(e *journal.Entry) error {
		if page = append(page, e); len(page) < pageSize {
			return nil
		}
		defer func() { page = page[:0] }()
		return show(c.OutOrStdout(), page)
	})
	if err == nil && len(page) > 0 {
		err = show(c.OutOrStdout(), page)
	}
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	return missed.fault("files")
}

// entryTable writes a line for each entry, in columns as wide as any so far, but for
// what is longer than maxColumn.
type entryTable struct{ widths [7]int }

// maxColumn keeps one absurd name from pushing all lines apart. The number is ours.
const maxColumn = 40

func (t *entryTable) list(out io.Writer, list []*journal.Entry) error {
	rows := make([][8]string, len(list))
	for i, e := range list {
		ev, v := &e.Record.Evidence, &e.Record.Verdict
		rows[i] = [8]string{
			ev.Time.UTC().Format(time.RFC3339), ev.QueueID, explain.Client(e.Record), journal.AuthorOf(e.Record),
			"dmarc=" + explain.DMARC(e.Record), explain.Delivery(v), v.Rule, v.Reason,
		}
		for k, text := range rows[i] {
			if rows[i][k] = printable(text); k < len(t.widths) {
				t.widths[k] = max(t.widths[k], min(utf8.RuneCountInString(rows[i][k]), maxColumn))
			}
		}
	}
	var b bytes.Buffer
	for i := range rows {
		for k, width := range t.widths {
			fmt.Fprintf(&b, "%-*s  ", width, rows[i][k])
		}
		fmt.Fprintln(&b, rows[i][7])
	}
	_, err := out.Write(b.Bytes())
	return err
}

// explainEntries tells the story of each entry, with the rules that judged it.
func explainEntries(by *configs.Rules) func(io.Writer, []*journal.Entry) error {
	return func(out io.Writer, list []*journal.Entry) error {
		for i, e := range list {
			if i > 0 {
				fmt.Fprintln(out)
			}
			rules, told := by.Of(context.Background(), e.Record)
			if err := explain.Write(out, explain.Record(e, rules, told)); err != nil {
				return err
			}
		}
		return nil
	}
}

// printEntries writes each entry as an object on a line.
func printEntries(out io.Writer, list []*journal.Entry) error {
	for _, e := range list {
		if err := writeLine(out, explain.EntryJSON(e)); err != nil {
			return err
		}
	}
	return nil
}
