package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alignd/config/migrate"
)

func configImportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Make a configuration of those of opendmarc, opendkim, OpenARC and policyd-spf",
		Long: `Read opendmarc.conf, opendkim.conf, openarc.conf and policyd-spf.conf, and print one
configuration of alignd that means the same, with a comment for each of their
options: taken over, changed, or without counterpart and why. Lists that they name
are read, too. Nothing is applied; the configuration begins with mode: monitor.
What is wrong in the files is told on standard error with file and line.

Whose file it is its options tell, whatever its name. - is standard input.`,
	}
	kind := c.Flags().String("type", "", "whose files they are, where that cannot be told: "+strings.Join(migrate.Types(), ", "))
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("name the files, such as /etc/opendmarc.conf (%s)", help(c))
		}
		if other := migrate.Unread(*kind); other != "" {
			return fmt.Errorf("--type %q: that is not read; docs/migrate.md has the options of %s beside ours", *kind, other)
		}
		if c.Flags().Changed("type") && !slices.Contains(migrate.Types(), *kind) {
			return fmt.Errorf("--type %q is none of %s (%s)", *kind, strings.Join(migrate.Types(), ", "), help(c))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		var files []migrate.File
		for _, name := range args {
			f, err := importedFile(c, name)
			if err != nil {
				return err
			}
			f.Type = *kind
			if slices.ContainsFunc(files, func(g migrate.File) bool { return g.Name == f.Name }) {
				return fmt.Errorf("%s is named twice (%s)", f.Name, help(c))
			}
			files = append(files, f)
		}
		result, err := migrate.Import(files)
		if err != nil {
			return err
		}
		for _, w := range result.Warnings {
			fmt.Fprintf(c.ErrOrStderr(), "warning: %s\n", printable(w.String()))
		}
		if err := result.Write(c.OutOrStdout()); err != nil {
			return failure{err}
		}
		return nil
	}
	return c
}

func importedFile(c *cobra.Command, name string) (migrate.File, error) {
	if name == "-" {
		text, err := migrate.ReadAll(c.InOrStdin(), "<stdin>")
		return migrate.File{Name: "<stdin>", Text: text}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return migrate.File{}, err
	}
	text, err := migrate.ReadAll(f, name)
	return migrate.File{Name: name, Text: text}, errors.Join(err, f.Close())
}
