package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/evidence"
	"alignd/journal/privacy"
	"alignd/judge"
	"alignd/record"
)

func journalPseudonymCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pseudonym [flags] ADDRESS",
		Short: "Tell how the journal has an address where addresses are hashed",
		Long: `Tell how the journal has an address while journal.addresses is hash: what to look
for in the output of alignd log --json.

Exit status 0: it was told; 1: there is no key, or it cannot be read; 2: wrong usage.`,
		Args: exactlyOne("address", func(arg string) bool { return strings.Contains(arg, "@") }),
	}
	file := journalFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := readConfig(config.Input{File: *file})
		if err != nil {
			return err
		}
		p, err := privacy.Pseudonyms(cfg)
		if err == nil && p == nil {
			err = errors.New("there is no key: the journal has hashed no addresses")
		}
		if err != nil {
			return failure{err}
		}
		hide := judge.Privacy{How: record.AddressesHashed, Pseudonyms: p}
		r := hide.Record(&record.Record{Evidence: evidence.Message{Recipients: []evidence.Recipient{{Address: args[0]}}}})
		_, err = fmt.Fprintln(c.OutOrStdout(), printable(r.Evidence.Recipients[0].Address))
		return err
	}
	return c
}
