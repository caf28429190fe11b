package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
)

func journalBackupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup [flags] DIR",
		Short: "Write a consistent copy of the journal to a new folder",
		Long: `Write a consistent copy of the journal in SQLite to the folder DIR, which must be
absent or empty, while alignd runs or not: the files of records, state.db, and the key
of hashed addresses. What waits in the spool at that moment is not in it. Files that are
over are linked, if DIR is on the same file system, so it takes little room there; copy
it to another host, too.

To restore it, stop alignd, put the content of DIR in the place of that of journal.path,
without its folder spool, and start alignd. A journal in PostgreSQL is backed up there,
with pg_dump.

Exit status 0: the copy is whole; 1: it is not; 2: wrong usage.`,
		Args: exactlyOne("folder", notEmpty),
	}
	file := journalFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := readConfig(config.Input{File: *file})
		if err != nil {
			return err
		}
		if err := backup(c, cfg, args[0]); err != nil {
			return failure{err}
		}
		return nil
	}
	return c
}

func backup(c *cobra.Command, cfg *config.Config, to string) error {
	done, err := place.Backup(context.WithoutCancel(c.Context()), cfg, to)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%d files of records, %s, of these linked: %d\n", done.Files, sizeText(done.Octets), done.Linked)
	for _, err := range done.Problems {
		fmt.Fprintf(c.ErrOrStderr(), "alignd: not in the backup: %s\n", printable(err.Error()))
	}
	if n := len(done.Problems); n > 0 {
		return fmt.Errorf("files of the journal that cannot be read: %d", n)
	}
	return nil
}
