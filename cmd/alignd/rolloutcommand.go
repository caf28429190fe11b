package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/rollout"
)

func rolloutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollout",
		Short: "Show which stages of rollouts were stopped, or have one go on",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say which: rollout status, or rollout resume ID")
		},
	}
	var file string
	c.PersistentFlags().StringVar(&file, "config", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
	c.AddCommand(&cobra.Command{
		Use:   "status",
		Short: "Show the stages with stop_if: which were stopped, when and why, and what is counted",
		Long: `Show the stages with stop_if: which were stopped, when and why, and what is counted.

Exit status 0: none is stopped; 1: one is, or the journal cannot be read; 2: wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return rolloutStatus(c, file) },
	}, &cobra.Command{
		Use:   "resume ID",
		Short: "Have a stopped stage go on, as rollout status names it",
		Long: `Have a stopped stage go on, as rollout status names it. What was counted before says
nothing against it any more. Each host knows within a minute.

Only root and the filter's own user may. Exit status 0: it goes on; 1: it is not stopped,
or the journal cannot be written; 2: wrong usage.`,
		Args: exactlyOne("stage, as rollout status does", notEmpty),
		RunE: func(c *cobra.Command, args []string) error { return rolloutResume(c, file, args[0]) },
	})
	return c
}

func rolloutStatus(c *cobra.Command, file string) error {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	watches := cfg.Rules.Watches()
	if len(watches) == 0 {
		fmt.Fprintln(out, "no stage has stop_if")
		return nil
	}
	ctx := context.WithoutCancel(c.Context())
	kept, err := place.ReadState(ctx, cfg)
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	defer kept.Close()
	stopped, err := rollout.Show(ctx, out, kept, watches, time.Now())
	if err != nil {
		return failure{err}
	}
	if stopped {
		return ended{status: exitFailure}
	}
	return nil
}

func rolloutResume(c *cobra.Command, file, id string) error {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return err
	}
	if err := place.StateThere(cfg); err != nil {
		return failure{err}
	}
	kept, err := openState(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return failure{err}
	}
	defer kept.Close()
	err = kept.Resume(context.WithoutCancel(c.Context()), id, time.Now())
	if errors.Is(err, state.ErrUnknown) {
		return failure{fmt.Errorf("no stage %q is stopped; rollout status names those that are", id)}
	}
	if err != nil {
		return failure{err}
	}
	fmt.Fprintf(c.OutOrStdout(), "%s goes on; each host knows within a minute\n", printable(id))
	return nil
}
