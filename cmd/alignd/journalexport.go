package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/configs"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/judge"
	"alignd/record"
)

func journalExportCommand() *cobra.Command {
	var x exportFlags
	c := &cobra.Command{
		Use:   "export [flags]",
		Short: "Write past messages, and what they were judged with, to standard output",
		Long: `Write the records of past messages to standard output, oldest day first, with the
configurations that they were judged under: a file that alignd replay --input and
alignd journal import read, also elsewhere and without a database. Counts go to
standard error.

--addresses says what becomes of local parts of addresses and login names. keep
leaves what the journal has. drop takes them out, and the configurations, which have
them too. hash puts pseudonyms in their place, in records and configurations, so that
entries of exceptions and profiles still match. Their key is made for the export and
lies in it: whoever has the file can try out whether an address is in it. With
--key-file the key stays in a file of its own, which is made if it is absent, and
replay wants it. What the journal has hashed already stays as it is: give its
addresses.key as --key-file.

Times are RFC 3339 or a span back from now: 14d, 6h, 90m. A message belongs to the
time at which it began.

Exit status 0: all was written; 1: the journal cannot be read, or not all of it; 2:
wrong usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return x.run(c) },
	}
	x.config = journalFlag(c)
	c.Flags().StringVar(&x.since, "since", "", "messages that began at this time or later")
	c.Flags().StringVar(&x.until, "until", "", "messages that began before this time")
	c.Flags().StringVar(&x.addresses, "addresses", "keep", "keep, hash or drop: what becomes of local parts")
	c.Flags().StringVar(&x.keyFile, "key-file", "", "with --addresses hash: the file of the key, which then is not in the export")
	c.Flags().StringVarP(&x.output, "output", "o", "", "write to this file, which must not exist, instead of standard output")
	return c
}

type exportFlags struct {
	config               *string
	since, until, output string
	addresses, keyFile   string
}

func (x *exportFlags) run(c *cobra.Command) error {
	now := time.Now()
	from := journal.Exporting{}
	var err error
	if from.Since, err = pointInTime("since", x.since, now); err != nil {
		return err
	}
	if from.Until, err = pointInTime("until", x.until, now); err != nil {
		return err
	}
	if !slices.Contains([]string{"keep", "hash", "drop"}, x.addresses) {
		return fmt.Errorf("--addresses %q is none of keep, hash, drop", x.addresses)
	}
	if x.keyFile != "" && x.addresses != "hash" {
		return errors.New("--key-file is for --addresses hash")
	}
	if x.output == "" && isTerminal(c.OutOrStdout()) {
		return errors.New("an export is no text for a terminal: send it to a file (> FILE, or --output FILE)")
	}
	cfg, err := readConfig(config.Input{File: *x.config})
	if err != nil {
		return err
	}
	missed := unread{out: c.ErrOrStderr()}
	r, err := place.OpenReader(cfg, missed.tell)
	if err != nil {
		return failure{err}
	}
	defer r.Close()
	texts, err := configs.Open(context.WithoutCancel(c.Context()), cfg)
	if err != nil {
		missed.tell(fmt.Errorf("configurations that judged: %w", err))
	}
	defer texts.Close()
	from.From, from.Config = r, texts.Text
	head := journal.ExportHeader{ID: newExportID(), Program: "alignd " + version, Created: now.UTC().Truncate(time.Second), Since: from.Since.UTC(), Until: from.Until.UTC(), Addresses: x.addresses}
	if err := x.hide(cfg, &head, &from); err != nil {
		return failure{err}
	}
	done, err := x.write(c, head, from)
	if err != nil {
		return failure{fmt.Errorf("exporting the journal: %w", err)}
	}
	tellExported(c.ErrOrStderr(), &done)
	if done.Damaged > 0 {
		return failure{fmt.Errorf("blocks and records that cannot be read and are left out: %d", done.Damaged)}
	}
	return missed.fault("parts")
}

// hide has local parts go as --addresses says.
func (x *exportFlags) hide(cfg *config.Config, head *journal.ExportHeader, from *journal.Exporting) error {
	p := &judge.Privacy{}
	switch x.addresses {
	case "keep":
		return nil
	case "drop":
		p.How = record.AddressesDropped
		from.ChangeConfig = func([]byte) ([]byte, error) { return nil, nil }
	case "hash":
		key := privacy.NewKey()
		if x.keyFile == "" {
			head.Secret = hex.EncodeToString(key)
		} else {
			var err error
			if key, err = privacy.MakeKey(x.keyFile); err != nil {
				return err
			}
		}
		p.How, p.Pseudonyms = record.AddressesHashed, judge.NewPseudonyms(key, cfg.RecipientDelimiter)
		id := p.Pseudonyms.ID()
		head.Key = hex.EncodeToString(id[:])
		from.ChangeConfig = func(text []byte) ([]byte, error) { return privacy.Text(p, text) }
	}
	from.Change = p.Record
	return nil
}

// write writes to the place that the flags name. A file that is not whole does not stay.
func (x *exportFlags) write(c *cobra.Command, head journal.ExportHeader, from journal.Exporting) (done journal.Exported, err error) {
	out := c.OutOrStdout()
	if x.output != "" {
		f, err := os.OpenFile(x.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
		if err != nil {
			return done, err
		}
		defer func() {
			if err = errors.Join(err, f.Close()); err != nil {
				err = errors.Join(err, os.Remove(x.output))
			}
		}()
		out = f
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	w, err := journal.NewExportWriter(buffered, head)
	if err != nil {
		return done, err
	}
	done, err = journal.Export(context.WithoutCancel(c.Context()), from, w)
	return done, errors.Join(err, buffered.Flush())
}

// isTerminal reports whether w is a device of characters that shows them.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

func newExportID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

func tellExported(w io.Writer, done *journal.Exported) {
	fmt.Fprintf(w, "%s, %s\n", several(int(done.Entries), "message", "messages"), several(int(done.Configs), "configuration", "configurations"))
	if n := done.Nameless + done.Unkept; n > 0 {
		fmt.Fprintf(w, "messages whose configuration is not kept, which self-test passes over: %d\n", n)
	}
}
