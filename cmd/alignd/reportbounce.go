package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/report/send"
)

func reportBounceCommand() *cobra.Command {
	var file string
	var recipients []string
	c := &cobra.Command{
		Use:   "bounce [flags] < MESSAGE",
		Short: "Take a notification that a report could not be delivered",
		Long: `Take a notification (DSN, RFC 3464) that a report could not be delivered, on standard
input: its address gets no reports for a while. For a pipe of the MTA behind
reports.bounces. Notifications of the local MTA pass no milter, so alignd cannot see
them otherwise.

Exit status 0: taken, also where it is about a delay, or about no report of ours; 1: the
state cannot be written, so the MTA should try again; 2: wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := readConfig(config.Input{File: file})
			if err != nil {
				return err
			}
			if cfg.Reports.From == "" {
				return failure{errNoReports}
			}
			if _, err := os.Stat(stateFile(cfg)); cfg.Journal.Store == "sqlite" && err != nil {
				return failure{err}
			}
			st, err := openState(cfg, nil)
			if err != nil {
				return failure{err}
			}
			defer st.Close()
			settings, err := reportChoices(cfg, nil, nil)
			if err != nil {
				return failure{err}
			}
			ctx := context.WithoutCancel(c.Context())
			sender, err := newSender(ctx, st, settings)
			if err != nil {
				return failure{err}
			}
			b, err := sender.Bounce(ctx, c.InOrStdin(), recipients)
			switch {
			case errors.Is(err, send.ErrNoBounce):
				fmt.Fprintf(c.OutOrStdout(), "left alone: %s\n", printable(err.Error()))
			case err != nil:
				return failure{err}
			case !b.Permanent:
				fmt.Fprintf(c.OutOrStdout(), "left alone: report %s to %s is delayed: %s\n", b.ID, printable(b.Target), printable(b.Status))
			default:
				fmt.Fprintf(c.OutOrStdout(), "no reports to %s for a while: %s\n", printable(b.Target), printable(b.Status))
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file (default "+config.DefaultFile+", if it exists)")
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "address that the notification was delivered to; may be repeated (default: what its header says)")
	return c
}
