package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/journal/spool"
)

// The follower's numbers are ours.
const (
	// followEvery is how often the journal is asked. The spool tells within a second
	// that a record was answered, and the loader takes it within another.
	followEvery = 300 * time.Millisecond
	// followBack is how long after a message began its record may still come: a session
	// takes that long at most, and other hosts may load late.
	followBack = time.Hour
	// followRun is how many entries that were shown already, one after the other, end a
	// short look: stores hand the newest on first.
	followRun = 2000
	// followShare bounds what whole looks cost: one in so many parts of the time.
	followShare = 10
	// followPage is how many entries are shown at once, and put in order of time.
	followPage = 5000
	// followFirst is how many past entries are shown first, where --limit does not say,
	// and followMost how many it may say.
	followFirst, followMost = 10, 10_000
)

// follower shows entries as they come, newest last. What it has shown it knows by its
// entries, not by a time or a number: several hosts write to one store, a message that
// began early may end late, and files of a day are sealed and begun meanwhile.
type follower struct {
	reader journal.Reader
	query  journal.Query // Limit is how many are shown first
	show   func([]*journal.Entry) error
	// told hears once why the journal cannot be read for now, and "" when it can.
	told func(trouble string)
	now  func() time.Time

	seen    map[entryKey]time.Time // when each message began that may be handed on again
	trouble string
	unheard error // show could not
}

// entryKey is what no two entries of a store share: numbers are those of a spool, and
// tokens are absent where the MTA was not asked for the end of the message.
type entryKey struct {
	token  journal.Key
	number spool.Number
	began  int64
}

func keyOf(e *journal.Entry) entryKey {
	ev := &e.Record.Evidence
	return entryKey{journal.KeyOf(journal.ColumnToken, ev.Token), e.Number, ev.Time.UnixNano()}
}

// run follows until ctx ends. Only the first look may fail.
func (f *follower) run(ctx context.Context) error {
	f.seen = map[entryKey]time.Time{}
	if err := f.first(ctx); err != nil {
		return err
	}
	whole := f.now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		began := f.now()
		all := !began.Before(whole)
		err := f.look(ctx, all)
		if ctx.Err() != nil || f.unheard != nil {
			return f.unheard
		}
		f.tell(err)
		if took := f.now().Sub(began); all {
			whole = f.now().Add(took * (followShare - 1))
		}
	}
}

// since is the begin of what may still come.
func (f *follower) since() time.Time {
	back := f.now().Add(-followBack)
	if f.query.Since.After(back) {
		return f.query.Since
	}
	return back
}

// first shows the newest entries that are there, and takes all that may be handed on
// again for shown.
func (f *follower) first(ctx context.Context) error {
	q := f.query
	q.Since, q.Limit = f.since(), 0
	left := f.query.Limit
	var list []*journal.Entry
	past := func(e *journal.Entry) error {
		if left--; left >= 0 {
			list = append(list, e)
		}
		return nil
	}
	err := f.reader.Search(ctx, q, func(e *journal.Entry) error {
		f.seen[keyOf(e)] = e.Record.Evidence.Time
		return past(e)
	})
	if err != nil || ctx.Err() != nil {
		return quiet(ctx, err)
	}
	if left > 0 && (f.query.Since.IsZero() || f.query.Since.Before(q.Since)) {
		q.Since, q.Until, q.Limit = f.query.Since, q.Since, left
		if err := f.reader.Search(ctx, q, past); err != nil {
			return quiet(ctx, err)
		}
	}
	return f.show(inOrder(list))
}

// quiet is err, but where the person who asks has had enough.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// look shows what was not shown yet, also where the journal fails behind it. A short
// look, which is not whole, ends at entries that were.
func (f *follower) look(ctx context.Context, whole bool) error {
	q := f.query
	q.Since, q.Limit = f.since(), 0
	known := 0
	var fresh []*journal.Entry
	show := func() error {
		page := inOrder(fresh)
		if fresh = nil; len(page) > 0 {
			f.unheard = f.show(page)
		}
		return f.unheard
	}
	err := f.reader.Search(ctx, q, func(e *journal.Entry) error {
		key := keyOf(e)
		if _, shown := f.seen[key]; shown {
			if known++; known >= followRun && !whole {
				return journal.ErrEnough
			}
			return nil
		}
		known = 0
		f.seen[key] = e.Record.Evidence.Time
		if fresh = append(fresh, e); len(fresh) < followPage {
			return nil
		}
		return show()
	})
	if f.unheard == nil {
		_ = show()
	}
	if whole {
		for key, began := range f.seen {
			if began.Before(q.Since) {
				delete(f.seen, key)
			}
		}
	}
	return err
}

// inOrder puts entries in the order of their time.
func inOrder(list []*journal.Entry) []*journal.Entry {
	slices.Reverse(list) // those of one time came newest first
	slices.SortStableFunc(list, func(a, b *journal.Entry) int {
		return a.Record.Evidence.Time.Compare(b.Record.Evidence.Time)
	})
	return list
}

// tell says once that the journal cannot be read, and once that it can again.
func (f *follower) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if (text == "") != (f.trouble == "") {
		f.told(text)
	}
	f.trouble = text
}

// follow is the log with --follow.
func (f *journalFlags) followLog(c *cobra.Command, q journal.Query, show func(io.Writer, []*journal.Entry) error) error {
	switch {
	case f.until != "":
		return fmt.Errorf("--follow has no end, so --until says nothing (%s)", help(c))
	case !c.Flags().Changed("limit"):
		q.Limit = followFirst
	case q.Limit > followMost:
		return fmt.Errorf("--limit %d: with --follow it is how many past entries are shown first, at most %d", q.Limit, followMost)
	}
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := readConfig(config.Input{File: f.config})
	if err != nil {
		return err
	}
	if err := privacy.AsKept(cfg, &q); err != nil {
		return failure{err}
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(c.ErrOrStderr(), "alignd: %s\n", printable(fmt.Sprintf(format, args...)))
	}
	said := map[string]bool{}
	r, err := place.OpenReader(cfg, func(err error) { // a file that is damaged is so at each look
		if text := err.Error(); !said[text] && len(said) < 1000 {
			said[text] = true
			say("the journal is read in part: %s", text)
		}
	})
	if err != nil {
		return failure{err}
	}
	defer r.Close()
	follows := follower{reader: r, query: q, now: time.Now,
		show: func(list []*journal.Entry) error { return show(c.OutOrStdout(), list) },
		told: func(trouble string) {
			if trouble == "" {
				say("the journal can be read again")
				return
			}
			say("the journal cannot be read for now: %s", trouble)
		},
	}
	if err := follows.run(ctx); err != nil {
		return failure{fmt.Errorf("reading the journal: %w", err)}
	}
	return nil
}
