package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/report/send"
	"alignd/web"
)

func reportMailCommand() *cobra.Command {
	var file, to string
	c := &cobra.Command{
		Use:   "mail [flags] REPORT-ID",
		Short: "Print the mail of a report in the outbox",
		Long: `Print the mail of a report in the outbox, aggregate or failure, as it leaves for an
address (default the first one), signed where the keys can be read. alignd report status
has the ids. What a failure report told is forgotten once it left.

Exit status 0: printed; 1: there is none, or the state cannot be read; 2: wrong usage.`,
		Args: exactlyOne("report by its id", nil),
		RunE: func(c *cobra.Command, args []string) error { return printReportMail(c, file, args[0], to) },
	}
	configFlag(c, &file)
	c.Flags().StringVar(&to, "to", "", "the address that it goes to")
	return c
}

func printReportMail(c *cobra.Command, file, id, to string) error {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return err
	}
	if cfg.Reports.From == "" {
		return failure{errNoReports}
	}
	ctx := context.WithoutCancel(c.Context())
	st, err := place.ReadState(ctx, cfg)
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	defer st.Close()
	settings, err := reportSettings(cfg, nil, nil)
	if err != nil { // the keys are the daemon's and root's
		fmt.Fprintf(c.ErrOrStderr(), "alignd: it is shown without its signature: %s\n", printable(err.Error()))
		if settings, err = reportChoices(cfg, nil, nil); err != nil {
			return failure{err}
		}
	}
	o := outboxReport{state: st, settings: settings}
	if err := o.find(ctx, id); err != nil {
		return failure{err}
	}
	n := 0
	if to != "" {
		if n = slices.IndexFunc(o.items, func(x state.Item) bool { return strings.EqualFold(x.Target, to) }); n < 0 {
			return failure{fmt.Errorf("report %s does not go to %s", id, to)}
		}
	}
	text, err := o.mail(n)
	if err == nil {
		_, err = c.OutOrStdout().Write(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	}
	if err != nil {
		return failure{err}
	}
	return nil
}

// outboxReport is a report of the outbox and where it goes.
type outboxReport struct {
	state    *state.State
	settings send.Settings
	items    []state.Item
	part     *state.Part
}

func (o *outboxReport) find(ctx context.Context, id string) (err error) {
	if o.items, err = o.state.ItemsOf(ctx, id); err != nil {
		return err
	}
	if len(o.items) == 0 {
		return fmt.Errorf("report %s: %w", id, state.ErrUnknown)
	}
	if o.part, err = o.state.Part(ctx, id); errors.Is(err, state.ErrUnknown) {
		o.part, err = nil, nil
	}
	return err
}

var errForgotten = errors.New("what it told is forgotten, as it has left or was given up")

// mail is that to the address of a number.
func (o *outboxReport) mail(n int) ([]byte, error) {
	switch {
	case n >= len(o.items):
		return nil, errors.New("the report goes to no such address")
	case o.part == nil || len(o.part.Data) == 0:
		return nil, errForgotten
	}
	return send.New(o.state, o.settings).Mail(o.part, o.items[n].Target)
}

// maxShownPart is how much of a decoded part a page shows, in octets; ours.
const maxShownPart = 100_000

// Report implements web.Backend.
func (b *webBackend) Report(ctx context.Context, id string, n int) (*web.Report, error) {
	cfg, err := b.Config()
	if cfg == nil {
		return nil, err
	}
	s, err := b.State(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	o := outboxReport{state: s}
	if o.settings, err = reportChoices(cfg, nil, nil); err != nil {
		return nil, err
	}
	if err := o.find(ctx, id); err != nil {
		return nil, err
	}
	r := &web.Report{}
	for i := range o.items {
		x := outboxStatusOf(&o.items[i])
		r.Targets = append(r.Targets, web.ReportTarget{Address: x.Target, State: x.State, Reason: x.Reason, Next: x.Next, Changed: x.Changed, Tries: x.Tries})
	}
	text, err := o.mail(n)
	if err != nil {
		r.Why = err.Error()
		return r, nil
	}
	var out bytes.Buffer
	show := newReportJSON(&out)
	if _, err = showReports(show, []string{"-"}, bytes.NewReader(text)); err == nil {
		err = show.end()
	}
	if err != nil {
		return nil, err
	}
	r.Raw = out.Bytes()
	if r.Mail, err = readMail(text); err != nil {
		return nil, err
	}
	r.Mail.From, r.Mail.To = o.settings.EnvelopeFrom("TOKEN"), o.items[n].Target
	_, host, _ := strings.Cut(cfg.Reports.From, "@")
	for _, k := range cfg.Reports.DKIM {
		r.Mail.Signed = append(r.Mail.Signed, k.Selector+"._domainkey."+host)
	}
	return r, nil
}

// readMail takes a mail of ours apart.
func readMail(text []byte) (*web.ReportMail, error) {
	m := &web.ReportMail{Octets: len(text), Parts: []web.ReportPart{}}
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(head))
	kind := ""
	for line := range strings.SplitSeq(unfolded, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		f := web.MailField{Name: name, Value: strings.TrimSpace(value)}
		if strings.EqualFold(name, "Content-Type") {
			kind = f.Value
		}
		if plain, err := new(mime.WordDecoder).DecodeHeader(f.Value); err == nil {
			f.Value = plain // RFC 2047
		}
		m.Fields = append(m.Fields, f)
	}
	_, args, err := mime.ParseMediaType(kind)
	if err != nil {
		return nil, err
	}
	parts := multipart.NewReader(bytes.NewReader(body), args["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		part, err := readPart(p)
		if err != nil {
			return nil, err
		}
		m.Parts = append(m.Parts, *part)
	}
}

func readPart(p *multipart.Part) (*web.ReportPart, error) {
	raw, err := io.ReadAll(p)
	if err != nil {
		return nil, err
	}
	x := &web.ReportPart{Encoding: p.Header.Get("Content-Transfer-Encoding"), Name: p.FileName(), Octets: len(raw)}
	x.Type, _, _ = mime.ParseMediaType(p.Header.Get("Content-Type"))
	var in io.Reader = bytes.NewReader(raw)
	switch strings.ToLower(x.Encoding) {
	case "base64":
		in = base64.NewDecoder(base64.StdEncoding, in)
	case "quoted-printable":
		in = quotedprintable.NewReader(in)
	}
	if x.Type == "application/gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = z
	}
	text, err := io.ReadAll(io.LimitReader(in, maxShownPart+1))
	if err != nil {
		return nil, err
	}
	if x.Cut = len(text) > maxShownPart; x.Cut {
		// Not within an address, of which pages then would not see that it is one.
		text = text[:1+bytes.LastIndexAny(text[:maxShownPart], "\n>")]
	}
	x.Text = string(text)
	return x, nil
}

// putOff is the state of what waits and was tried.
const putOff = "put off"

// outboxStatusOf is where an item stands.
func outboxStatusOf(x *state.Item) outboxStatus {
	o := outboxStatus{ID: x.ID, Target: x.Target, State: string(x.State), Reason: x.Reason, Tries: x.Tries, Changed: x.Changed.Format(time.RFC3339)}
	if !x.State.Over() {
		o.Next = x.Next.Format(time.RFC3339)
	}
	if x.State == state.Waiting && x.Tries > 0 {
		o.State = putOff
	}
	return o
}
