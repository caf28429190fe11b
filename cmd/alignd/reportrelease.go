package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
)

func reportReleaseCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "release [flags] ADDRESS",
		Short: "Let reports go to an address again that refused some",
		Long: `Let reports go to an address again that refused some, or from which one came back, before
its time is over: report status names such addresses and how long they rest. What was
not sent meanwhile is not made up for.

Only root and the filter's own user may. Exit status 0: reports go there again; 1:
nothing kept them from it, or the journal cannot be written; 2: wrong usage.`,
		Args: exactlyOne("address, as report status does", notEmpty),
		RunE: func(c *cobra.Command, args []string) error { return reportRelease(c, file, args[0]) },
	}
	configFlag(c, &file)
	return c
}

func reportRelease(c *cobra.Command, file, address string) error {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return err
	}
	if err := place.StateThere(cfg); err != nil {
		return failure{err}
	}
	kept, err := openState(cfg, nil)
	if err != nil {
		return failure{err}
	}
	defer kept.Close()
	err = kept.Release(context.WithoutCancel(c.Context()), address)
	if errors.Is(err, state.ErrUnknown) {
		return failure{fmt.Errorf("nothing keeps reports from %q; report status names the addresses that rest", address)}
	}
	if err != nil {
		return failure{err}
	}
	fmt.Fprintf(c.OutOrStdout(), "reports go to %s again\n", printable(address))
	return nil
}
