package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/journal/state"
	"alignd/report/send"
	"alignd/resolver"
)

func reportStatusCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [flags]",
		Short: "Tell which aggregate reports are being counted, and where the others are",
		Long: `Tell which aggregate reports are being counted and whether they will be sent, and where
those are that were cut (option reports).

Exit status 0: told; 1: the state cannot be read; 2: wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := readReportStatus(context.WithoutCancel(c.Context()), file)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(s)
			}
			return s.print(c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file (default "+config.DefaultFile+", if it exists)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// reportStatus is where all reports stand.
type reportStatus struct {
	Counting   []countingStatus    `json:"counting"`
	Outbox     []outboxStatus      `json:"outbox"`
	Suppressed []suppressionStatus `json:"suppressed"`
	Failures   []failureStatus     `json:"failures"`
}

type countingStatus struct {
	Domain   string `json:"policy_domain"`
	Day      string `json:"day"`
	Lines    int64  `json:"rows"`
	Messages int64  `json:"messages"`
	Sent     bool   `json:"will_be_sent"`
	Why      string `json:"reason,omitempty"`
}

type outboxStatus struct {
	ID     string `json:"report_id"`
	Domain string `json:"policy_domain"`
	Day    string `json:"day"`
	Target string `json:"target"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Next   string `json:"next,omitempty"`
	Tries  int    `json:"tries"`
}

type suppressionStatus struct {
	Target string `json:"target"`
	Until  string `json:"until"`
	Reason string `json:"reason"`
}

// errNoReports: the option is not set.
var errNoReports = errors.New("no reports are sent: reports.from is not set")

// readReportStatus reads the state of the configuration in file.
func readReportStatus(ctx context.Context, file string) (*reportStatus, error) {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return nil, err
	}
	if cfg.Reports.From == "" {
		return nil, failure{errNoReports}
	}
	st, err := readState(ctx, cfg)
	if err != nil {
		return nil, failure{err}
	}
	defer st.Close()
	settings, err := reportSettings(cfg, nil, nil)
	if err != nil {
		return nil, failure{err}
	}
	s := &reportStatus{Counting: []countingStatus{}, Outbox: []outboxStatus{}, Suppressed: []suppressionStatus{}, Failures: []failureStatus{}}
	if err := errors.Join(s.counting(ctx, st, send.New(st, settings)), s.outbox(ctx, st), s.failures(ctx, st)); err != nil {
		return nil, failure{err}
	}
	return s, nil
}

func (s *reportStatus) counting(ctx context.Context, st *state.State, sender *send.Sender) error {
	why, err := sender.Why(ctx)
	if err != nil {
		return err
	}
	return st.Drafts(ctx, time.Now().Add(24*time.Hour), func(d *state.Draft) {
		reason := why(d)
		s.Counting = append(s.Counting, countingStatus{d.Domain, d.Day.Format(time.DateOnly), d.Lines, d.Messages, reason == "", reason})
	})
}

func (s *reportStatus) outbox(ctx context.Context, st *state.State) error {
	items, err := st.Items(ctx)
	if err != nil {
		return err
	}
	for i := range items {
		x := &items[i]
		o := outboxStatus{ID: x.ID, Target: x.Target, State: string(x.State), Reason: x.Reason, Tries: x.Tries}
		if !x.State.Over() {
			o.Next = x.Next.Format(time.RFC3339)
		}
		if p, err := st.Part(ctx, x.ID); err == nil {
			o.Domain, o.Day = p.Domain, p.Day.Format(time.DateOnly)
		}
		s.Outbox = append(s.Outbox, o)
	}
	list, err := st.Suppressions(ctx)
	for _, x := range list {
		s.Suppressed = append(s.Suppressed, suppressionStatus{x.Target, x.Until.Format(time.RFC3339), x.Reason})
	}
	return err
}

func (s *reportStatus) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COUNTING\tDAY\tROWS\tMESSAGES\tWILL BE SENT")
	for _, c := range s.Counting {
		sent := "yes"
		if !c.Sent {
			sent = "no: " + c.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", printable(c.Domain), c.Day, c.Lines, c.Messages, sent)
	}
	fmt.Fprintln(w, "\nREPORT ON\tDAY\tTO\tSTATE\tTRIES\tNEXT\tREASON")
	for _, o := range s.Outbox {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", printable(o.Domain), o.Day, printable(o.Target), o.State, o.Tries, o.Next, printable(o.Reason))
	}
	if len(s.Suppressed) > 0 {
		fmt.Fprintln(w, "\nGETS NONE\tUNTIL\tREASON")
	}
	for _, x := range s.Suppressed {
		fmt.Fprintf(w, "%s\t%s\t%s\n", printable(x.Target), x.Until, printable(x.Reason))
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

Exit status 0: told; 1: the state cannot be written, or no report is due; 2: wrong usage.`,
		Args: cobra.MaximumNArgs(1),
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
	c.Flags().StringVar(&file, "config", "", "configuration file (default "+config.DefaultFile+", if it exists)")
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
	if _, err := os.Stat(stateFile(cfg)); err != nil {
		return failure{fmt.Errorf("nothing is counted yet: %w", err)}
	}
	st, err := openState(cfg, nil)
	if err != nil {
		return failure{err}
	}
	defer st.Close()
	settings, err := reportSettings(cfg, dns, nil)
	if err != nil {
		return failure{err}
	}
	ctx := context.WithoutCancel(c.Context())
	if err := h.cut(ctx, c.OutOrStdout(), st, send.New(st, settings)); err != nil {
		return failure{err}
	}
	n, err := st.Hurry(ctx, h.domain, h.day, time.Now())
	if err != nil {
		return failure{err}
	}
	if n == 0 {
		return failure{fmt.Errorf("no report on %s is due", h.day.Format(time.DateOnly))}
	}
	fmt.Fprintf(c.OutOrStdout(), "%d mails leave within a minute, while alignd runs\n", n)
	return nil
}

// cut makes reports of what is counted.
func (h *hurry) cut(ctx context.Context, out io.Writer, st *state.State, sender *send.Sender) error {
	why, err := sender.Why(ctx)
	if err != nil {
		return err
	}
	var due []state.Draft
	err = st.Drafts(ctx, h.day.Add(24*time.Hour), func(d *state.Draft) {
		switch reason := why(d); {
		case !d.Day.Equal(h.day) || h.domain != "" && d.Domain != h.domain:
		case reason == "":
			due = append(due, *d)
		case h.domain != "":
			fmt.Fprintf(out, "%s gets none: %s\n", printable(d.Domain), reason)
		}
	})
	for i := 0; i < len(due) && err == nil; i++ {
		if err = sender.Cut(ctx, &due[i]); errors.Is(err, state.ErrUnknown) {
			err = nil // the daemon has cut it, or counts on
		}
	}
	return err
}
