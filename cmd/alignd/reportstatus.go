package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/report/send"
	"alignd/resolver"
)

func reportStatusCommand() *cobra.Command {
	var file string
	var asJSON, offline bool
	c := &cobra.Command{
		Use:   "status [flags]",
		Short: "Tell which aggregate reports are being counted, and where the others are",
		Long: `Tell which aggregate reports are being counted and whether they will be sent, and where
those are that were cut (option reports). Also, from DNS, whether what they come from is
ready: MX, SPF, keys and DMARC.

Exit status 0: told; 1: the state cannot be read; 2: wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := readReportStatus(context.WithoutCancel(c.Context()), file, offline, nil)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(s)
			}
			return s.print(c.OutOrStdout())
		},
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVar(&offline, "offline", false, "ask no DNS")
	return c
}

// reportStatus is where all reports stand.
type reportStatus struct {
	Ready      []send.Fact         `json:"ready"`
	Counting   []countingStatus    `json:"counting"`
	Outbox     []outboxStatus      `json:"outbox"`
	Suppressed []suppressionStatus `json:"suppressed"`
	Failures   []failureStatus     `json:"failures"`
	// Of a part of them: all that are counted, and the outbox by state.
	CountingAll int64            `json:"counting_all,omitempty"`
	States      map[string]int64 `json:"outbox_states,omitempty"`
}

type countingStatus struct {
	Domain   string `json:"policy_domain"`
	Day      string `json:"day"`
	Policy   string `json:"policy"`
	Further  int64  `json:"cut_before"` // how often
	Rows     int64  `json:"rows"`
	Messages int64  `json:"messages"`
	Sent     bool   `json:"will_be_sent"`
	Why      string `json:"reason,omitempty"`
	// To are the addresses of its record.
	To []send.Addressee `json:"to"`
}

type outboxStatus struct {
	ID     string `json:"report_id"`
	Domain string `json:"policy_domain"`
	Day    string `json:"day"`
	Policy string `json:"policy"`
	Target string `json:"target"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Next   string `json:"next,omitempty"`
	Tries  int    `json:"tries"`
	// Changed is since when State is so.
	Changed string `json:"changed"`
}

type suppressionStatus struct {
	Target string `json:"target"`
	Until  string `json:"until"`
	Holds  bool   `json:"holds"` // until is not over
	Times  int    `json:"times"`
	Reason string `json:"reason"`
}

// errNoReports: the option is not set.
var errNoReports = errors.New("no reports are sent: reports.from is not set")

// readReportStatus reads the state of the configuration in file. part is nil for all of it.
func readReportStatus(ctx context.Context, file string, offline bool, part *reportPart) (*reportStatus, error) {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return nil, err
	}
	if cfg.Reports.From == "" {
		return nil, failure{errNoReports}
	}
	st, err := place.ReadState(ctx, cfg)
	if err != nil {
		return nil, failure{place.Unreadable(cfg, err)}
	}
	defer st.Close()
	settings, err := reportChoices(cfg, nil, nil)
	if err != nil {
		return nil, failure{err}
	}
	s := &reportStatus{Ready: []send.Fact{}, Counting: []countingStatus{}, Outbox: []outboxStatus{}, Suppressed: []suppressionStatus{}, Failures: []failureStatus{}}
	sender := send.New(st, settings)
	if part != nil {
		err = errors.Join(s.countingPart(ctx, st, sender, part), s.outboxPart(ctx, st, part))
	} else {
		err = errors.Join(s.counting(ctx, st, sender), s.outbox(ctx, st))
	}
	if err = errors.Join(err, s.suppressions(ctx, st), s.failures(ctx, st)); err != nil {
		return nil, failure{err}
	}
	ready, err := readyFacts(ctx, cfg, "", offline)
	if err != nil {
		return nil, failure{err}
	}
	s.Ready = append(s.Ready, ready...)
	return s, nil
}

func (s *reportStatus) counting(ctx context.Context, st *state.State, sender *send.Sender) error {
	why, err := sender.Why(ctx)
	if err != nil {
		return err
	}
	var all []state.Draft
	if err := st.Drafts(ctx, time.Now().Add(24*time.Hour), func(d *state.Draft) { all = append(all, *d) }); err != nil {
		return err
	}
	for i := range all {
		if err := s.count(ctx, st, sender, &all[i], why(&all[i])); err != nil {
			return err
		}
	}
	return nil
}

// count adds a report in the making.
func (s *reportStatus) count(ctx context.Context, st *state.State, sender *send.Sender, d *state.Draft, why string) (err error) {
	c := countingStatus{Domain: d.Domain, Day: d.Day.Format(time.DateOnly), Further: d.Cut, Messages: d.Messages, Why: why, Sent: why == ""}
	if c.Policy, c.To, err = sender.Addressees(ctx, d); err != nil {
		return err
	}
	if c.Rows, err = st.Rows(ctx, d); err != nil {
		return err
	}
	s.Counting = append(s.Counting, c)
	return nil
}

// sentences say whether a report will be sent, and to whom it will not.
func (c *countingStatus) sentences() string {
	if !c.Sent {
		return "no: " + printable(c.Why)
	}
	said := "yes"
	for _, a := range c.To {
		if a.Why != "" {
			said += "; " + printable(a.Address) + ": " + printable(a.Why)
		}
	}
	return said
}

func (s *reportStatus) outbox(ctx context.Context, st *state.State) error {
	items, err := st.Items(ctx)
	if err != nil {
		return err
	}
	parts := map[string]*state.Part{}
	for i := range items {
		x := &items[i]
		o := outboxStatusOf(x)
		if parts[x.ID] == nil {
			p, err := st.Part(ctx, x.ID)
			if errors.Is(err, state.ErrUnknown) {
				p = &state.Part{}
			} else if err != nil {
				return err
			}
			p.Data = nil // what is asked for is small
			parts[x.ID] = p
		}
		if p := parts[x.ID]; p.Domain != "" {
			o.Domain, o.Day, o.Policy = p.Domain, p.Day.Format(time.DateOnly), send.PolicyOf(p)
		}
		s.Outbox = append(s.Outbox, o)
	}
	return nil
}

func (s *reportStatus) suppressions(ctx context.Context, st *state.State) error {
	list, err := st.Suppressions(ctx)
	for _, x := range list { // one that is over is kept, as the next one is for twice as long
		s.Suppressed = append(s.Suppressed, suppressionStatus{x.Target, x.Until.Format(time.RFC3339), x.Until.After(time.Now()), x.Times, x.Reason})
	}
	return err
}

func (s *reportStatus) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Ready) > 0 {
		fmt.Fprintln(w, "NEEDED IN DNS\tNAME\tIS\tAS")
	}
	for _, f := range s.Ready {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Subject, printable(f.Name), f.State, printable(f.Say))
	}
	if len(s.Ready) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "COUNTING\tDAY\tPOLICY\tROWS\tMESSAGES\tWILL BE SENT")
	for i := range s.Counting {
		c := &s.Counting[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", printable(c.Domain), c.Day, printable(c.Policy), c.Rows, c.Messages, c.sentences())
	}
	if len(s.Counting) == 0 {
		fmt.Fprintln(w, "nothing yet")
	}
	fmt.Fprintln(w, "\nREPORT ON\tDAY\tPOLICY\tID\tTO\tSTATE\tTRIES\tNEXT\tREASON")
	for _, o := range s.Outbox {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", printable(o.Domain), o.Day, printable(o.Policy), o.ID, printable(o.Target), o.State, o.Tries, o.Next, printable(o.Reason))
	}
	if len(s.Outbox) == 0 {
		fmt.Fprintln(w, "none yet")
	}
	title := "\nGETS NONE\tUNTIL\tTIMES\tREASON\n"
	for _, x := range s.Suppressed {
		if x.Holds {
			fmt.Fprintf(w, "%s%s\t%s\t%d\t%s\n", title, printable(x.Target), x.Until, x.Times, printable(x.Reason))
			title = ""
		}
	}
	s.printFailures(w)
	return w.Flush()
}

func reportSendCommand() *cobra.Command {
	var file, day string
	c := &cobra.Command{
		Use:   "send [flags] [DOMAIN]",
		Short: "Have the aggregate reports on a day leave now",
		Long: `Have the aggregate reports on a day (default yesterday, in UTC) to a Policy Domain, or
to all, leave now instead of at their time. What is not cut is cut; the daemon sends it
within a minute.

Exit status 0: told; 1: the state cannot be written, or no report is due, with
the reason; 2: wrong usage.`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			h := hurry{day: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)}
			var err error
			if day != "" {
				if h.day, err = time.Parse(time.DateOnly, day); err != nil {
					return fmt.Errorf("--day %q is no day such as 2026-01-31", day)
				}
			}
			if len(args) > 0 {
				if h.domain, err = domain.Normalize(args[0]); err != nil {
					return fmt.Errorf("%q: %w", args[0], err)
				}
			}
			return h.run(c, file)
		},
	}
	configFlag(c, &file)
	c.Flags().StringVar(&day, "day", "", "day in UTC, such as 2026-01-31 (default yesterday)")
	return c
}

// hurry is what is to leave now.
type hurry struct {
	day    time.Time
	domain string // empty for all
}

func (h *hurry) run(c *cobra.Command, file string) error {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return err
	}
	if cfg.Reports.From == "" {
		return failure{errNoReports}
	}
	dns, err := resolver.New(resolverOptions(cfg, nil))
	if err != nil {
		return failure{err}
	}
	defer dns.Close()
	if err := place.StateThere(cfg); err != nil {
		return failure{err}
	}
	st, err := openState(cfg, nil)
	if err != nil {
		return failure{err}
	}
	defer st.Close()
	settings, err := reportChoices(cfg, dns, toldBare(c.ErrOrStderr()))
	if err != nil {
		return failure{err}
	}
	ctx := context.WithoutCancel(c.Context())
	kept, err := h.cut(ctx, c.OutOrStdout(), st, send.New(st, settings))
	if err != nil {
		return failure{err}
	}
	n, err := st.Hurry(ctx, h.domain, h.day, time.Now())
	if err != nil {
		return failure{err}
	}
	if n == 0 {
		text := fmt.Sprintf("no report on %s is due; alignd report status shows what is counted, and what was sent", h.day.Format(time.DateOnly))
		if kept > 0 && h.domain == "" {
			text = fmt.Sprintf("no report on %s is due; %s counted and not sent, and alignd report status says why", h.day.Format(time.DateOnly), several(kept, "is", "are"))
		}
		return failure{errors.New(text)}
	}
	fmt.Fprintf(c.OutOrStdout(), "%s within a minute, while alignd runs\n", several(int(n), "mail leaves", "mails leave"))
	return nil
}

// toldBare is a log for a person: without time and level.
func toldBare(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// cut makes reports of what is counted. kept are those that nobody is to get.
func (h *hurry) cut(ctx context.Context, out io.Writer, st *state.State, sender *send.Sender) (kept int, err error) {
	why, err := sender.Why(ctx)
	if err != nil {
		return 0, err
	}
	var due []state.Draft
	err = st.Drafts(ctx, h.day.Add(24*time.Hour), func(d *state.Draft) {
		switch reason := why(d); {
		case !d.Day.Equal(h.day) || h.domain != "" && d.Domain != h.domain:
		case reason == "":
			due = append(due, *d)
		default:
			if kept++; h.domain != "" {
				fmt.Fprintf(out, "%s gets none: %s\n", printable(d.Domain), reason)
			}
		}
	})
	for i := 0; i < len(due) && err == nil; i++ {
		if err = sender.Cut(ctx, &due[i]); errors.Is(err, state.ErrUnknown) {
			err = nil // the daemon has cut it, or counts on
		}
	}
	return kept, err
}
