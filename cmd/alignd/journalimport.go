package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/internal/logging"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/spool"
)

func journalImportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import [flags] FILE|-",
		Short: "Put an export into the journal",
		Long: `Put the records of an export, and the configurations in it, into the journal. What
the journal has of this very export is passed over, so an import that was cut short is
done again. Two exports that overlap would put what both have in twice; where the first
message of an export is there already from elsewhere, nothing is imported. Imported
records are in alignd stats, and in no report that is sent to domain owners.

A journal in SQLite is written by one process: alignd must not run. With PostgreSQL it
may. Records older than journal.keep are told; they go again.

Exit status 0: all is in the journal; 1: it is not, or the file is damaged; 2: wrong usage.`,
		Args: exactlyOne("export", notEmpty),
	}
	file := journalFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := readConfig(config.Input{File: *file})
		if err != nil {
			return err
		}
		in := c.InOrStdin()
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		x, err := journal.NewExportReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if err := importInto(c, cfg, x); err != nil {
			return failure{fmt.Errorf("importing %s: %w", args[0], err)}
		}
		return nil
	}
	return c
}

// importInto puts an export into the store and the state of cfg.
func importInto(c *cobra.Command, cfg *config.Config, x *journal.ExportReader) (err error) {
	if cfg.Journal.Store == "none" {
		return place.ErrNone
	}
	if cfg.Journal.Store == "sqlite" {
		held, err := spool.Hold(place.SpoolDir(cfg))
		if errors.Is(err, spool.ErrLocked) {
			return errors.New("alignd runs and writes to this journal: stop it for the import")
		}
		if err != nil {
			return err
		}
		defer held.Close()
	}
	log, lines := logging.New(c.ErrOrStderr(), logLevel(cfg), logging.Text)
	defer lines.Close()
	store, err := place.OpenStore(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	counts, err := place.OpenState(cfg, log, nil) // what comes in was reported where it was judged
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, counts.Close()) }()
	ctx := context.WithoutCancel(c.Context())
	done, err := journal.Import(ctx, journal.Importing{From: x, Stores: []journal.Store{store, counts}, Oldest: time.Now().Add(-cfg.Journal.Keep.Duration),
		Has: func(e *journal.Entry) (bool, error) { return hasOtherwise(ctx, cfg, x.Header.ID, e) }})
	if err != nil {
		return fmt.Errorf("after %d messages: %w", done.Entries, err)
	}
	for hash, text := range x.Configs {
		if sha256.Sum256(text) != hash {
			continue // without local parts; it is no text of that name
		}
		if err := counts.KeepConfig(ctx, hash, text, time.Now()); err != nil {
			return err
		}
	}
	return tellImported(c.ErrOrStderr(), cfg, &done)
}

// hasOtherwise reports whether the journal has an entry that did not come by the export
// with that id.
func hasOtherwise(ctx context.Context, cfg *config.Config, export string, e *journal.Entry) (has bool, err error) {
	var failed error
	r, err := place.OpenReader(cfg, func(err error) { failed = errors.Join(failed, err) })
	if err != nil {
		return false, err
	}
	defer r.Close()
	if s, ok := r.(journal.Surveyor); ok {
		survey, err := s.Survey(ctx)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		for i := 0; survey != nil && i < len(survey.Watermarks); i++ {
			if survey.Watermarks[i].Spool.String() == export {
				return false, nil
			}
		}
	}
	at := e.Record.Evidence.Time
	q := journal.Query{Token: e.Record.Evidence.Token, Since: at, Until: at.Add(time.Millisecond), Limit: 1}
	if q.Token == "" {
		return false, nil
	}
	err = r.Search(ctx, q, func(*journal.Entry) error { has = true; return nil })
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return has, errors.Join(err, failed)
}

func tellImported(w io.Writer, cfg *config.Config, done *journal.Imported) error {
	fmt.Fprintf(w, "%d messages are in the journal\n", done.Entries)
	if done.Old > 0 {
		fmt.Fprintf(w, "older than journal.keep (%s), so they go again when alignd runs: %d\n", cfg.Journal.Keep.Duration, done.Old)
	}
	if done.Damaged > 0 {
		return fmt.Errorf("records that cannot be read and are left out: %d", done.Damaged)
	}
	return nil
}
