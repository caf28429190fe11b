package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"alignd/config"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, or print the default one",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("say which: config check [FILE] or config defaults")
		},
	}
	c.AddCommand(&cobra.Command{
		Use:   "check [FILE|-]",
		Short: "Tell every fault of a configuration with its line",
		Long: `Tell every fault of a configuration with its line.

Without FILE it is ` + config.DefaultFile + `, which may be absent.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			file, name := "", config.FileOf("")
			if len(args) > 0 {
				file, name = args[0], args[0]
			}
			if file == "-" {
				file = "/dev/stdin"
			}
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings {
				fmt.Fprintf(c.ErrOrStderr(), "warning: %v\n", w)
			}
			if name == "" {
				name = config.DefaultFile + " is absent, the defaults"
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", name)
			return nil
		},
	}, &cobra.Command{
		Use:   "defaults",
		Short: "Print every option with its default and what it does",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.DefaultText())
			return err
		},
	})
	return c
}
