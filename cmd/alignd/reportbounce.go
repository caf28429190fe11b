package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/report/ours"
	"alignd/report/send"
)

func reportBounceCommand() *cobra.Command {
	var file string
	var recipients []string
	c := &cobra.Command{
		Use:   "bounce [flags] [MAILDIR...] [< MESSAGE]",
		Short: "Take a notification that a report could not be delivered",
		Long: `Take a notification (DSN, RFC 3464) that a report could not be delivered: its address
gets no reports for a while. On standard input, for a pipe of the MTA behind
reports.bounces, or from Maildirs: what is in new is read once and moved to cur when it
was stored; a notification is then marked as seen, other mail is not. What comes in
through the milter needs neither, but notifications of the local MTA pass no milter.

Exit status 0: taken, also where it is about a delay, or about no report of ours; 75, on
standard input: it could not be stored, so the MTA is to try again; 1: the same of a
Maildir, or files in it stay, as they cannot be opened or moved; 2: wrong usage.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && len(recipients) > 0 {
				return errors.New("--recipient is for standard input: what is in a Maildir says itself to whom it came")
			}
			if len(args) == 0 {
				return forMTA(func() error { return bounced(c, file, recipients, nil) })
			}
			return bounced(c, file, nil, args)
		},
	}
	configFlag(c, &file)
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "address that the notification was delivered to; may be repeated (default: what its header says)")
	return c
}

// bounced takes what is on standard input, or in Maildirs.
func bounced(c *cobra.Command, file string, recipients, dirs []string) error {
	b, done, err := openBouncer(c, file)
	if err != nil {
		return err
	}
	defer done()
	if len(dirs) == 0 {
		_, err = b.take(c.InOrStdin(), recipients)
	}
	for _, dir := range dirs {
		err = errors.Join(err, b.maildir(dir))
	}
	if err != nil {
		return failure{err}
	}
	return nil
}

// bouncer takes notifications.
type bouncer struct {
	ctx    context.Context
	sender *send.Sender
	out    io.Writer
}

func openBouncer(c *cobra.Command, file string) (b *bouncer, done func(), err error) {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return nil, nil, err
	}
	if cfg.Reports.From == "" {
		return nil, nil, failure{errNoReports}
	}
	if err := place.StateThere(cfg); err != nil {
		return nil, nil, failure{err}
	}
	st, err := openState(cfg, nil)
	if err != nil {
		return nil, nil, failure{err}
	}
	b = &bouncer{ctx: context.WithoutCancel(c.Context()), out: c.OutOrStdout()}
	settings, err := reportChoices(cfg, nil, nil)
	if err == nil {
		b.sender, err = ours.NewSender(b.ctx, st, settings)
	}
	if err != nil {
		st.Close()
		return nil, nil, failure{err}
	}
	return b, func() { st.Close() }, nil
}

// take reads a message. ours says that it is a notification about a report; an error,
// that it is to be read again.
func (b *bouncer) take(in io.Reader, recipients []string) (ours bool, err error) {
	x, err := b.sender.Bounce(b.ctx, in, recipients)
	switch {
	case errors.Is(err, send.ErrNoBounce):
		fmt.Fprintf(b.out, "left alone: %s\n", printable(err.Error()))
		return false, nil
	case err != nil:
		return false, err
	case !x.Permanent:
		fmt.Fprintf(b.out, "left alone: report %s to %s did not fail: %s\n", x.ID, printable(x.Target), printable(x.Status))
	default:
		fmt.Fprintf(b.out, "no reports to %s for a while (alignd report status says until when): %s\n", printable(x.Target), printable(x.Status))
	}
	return true, nil
}

// maildir reads what is new.
func (b *bouncer) maildir(dir string) error {
	box, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer box.close()
	if !box.isMaildir() {
		return fmt.Errorf("%s is no Maildir: it has no new and cur", dir)
	}
	names, err := box.files("new")
	if err != nil {
		return err
	}
	var stay strayFiles
	for _, name := range names {
		moved, err := b.file(box, name)
		if err != nil {
			return errors.Join(stay.fault(box), err)
		}
		stay.note(moved)
	}
	return stay.fault(box)
}

// file takes one. stays says why it cannot be opened or moved, which is about it alone; err,
// why nothing can be stored.
func (b *bouncer) file(box *folder, name string) (stays, err error) {
	path := "new/" + name
	f, err := box.open(path)
	if f == nil {
		return err, nil
	}
	defer f.Close()
	ours, err := b.take(f, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	flags := ""
	if ours {
		flags = "S"
	}
	_, stays = box.move(path, box, "cur/"+withFlags(name, flags))
	return stays, nil
}
