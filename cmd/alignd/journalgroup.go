package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"alignd/config"
)

func journalCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "journal",
		Short: "Look after the journal: status, export, import, self-test, backup, pseudonym",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("say which: journal status, export, import, self-test, backup or pseudonym (%s)", help(c))
		},
	}
	c.AddCommand(journalStatusCommand(), journalExportCommand(), journalImportCommand(), journalSelfTestCommand(), journalBackupCommand(), journalPseudonymCommand())
	return c
}

// journalFlag adds the flag that names the journal's configuration.
func journalFlag(c *cobra.Command) *string {
	return c.Flags().String("config", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
}

var errNoSurvey = errors.New("this store does not say what it holds")
