package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"alignd/explain"
	"alignd/journal"
	"alignd/judge"
	"alignd/record"
	"alignd/replay"
)

// kindNames say what would become of a message, as JSON does.
var kindNames = [...]string{
	replay.Unchanged: "unchanged", replay.WouldRefuse: "would_refuse", replay.WouldDefer: "would_defer", replay.WouldLetIn: "would_let_in",
	replay.WouldMark: "would_mark", replay.WouldUnmark: "would_unmark", replay.CannotTell: "cannot_tell", replay.NotCounted: "not_counted",
}

// explainOne shows both verdicts of one message.
func (f *replayFlags) explainOne(c *cobra.Command, s *replaySource, o *replay.RunOptions) error {
	if len(f.failIf) > 0 {
		return errors.New("--explain is about one message, and --fail-if about all: give one of them")
	}
	r, err := s.find(c.Context(), f.explain)
	switch {
	case err != nil:
		return fmt.Errorf("reading the journal: %w", err)
	case r == nil:
		return fmt.Errorf("there is no message with token, queue id or Message-ID %q", f.explain)
	}
	j := o.Judge(r)
	if f.json {
		return printJudged(c.OutOrStdout(), r, &j)
	}
	return showJudged(c.OutOrStdout(), r, &j)
}

// named are the queries for what a person has in hand: a Message-ID that names a mailbox
// may be kept under a pseudonym, and which delimiters split it depends on the
// configuration that hashed it.
func (s *replaySource) named(id string) []journal.Query {
	list := []journal.Query{queryFor(id, 1)}
	if s.key != nil && strings.Contains(id, "@") {
		for _, delimiters := range []string{"", "."} {
			list = append(list, journal.Query{MessageID: judge.NewPseudonyms(s.key, delimiters).MessageID(id), Limit: 1})
		}
	}
	return list
}

// find returns the newest message with that token, queue id or Message-ID.
func (s *replaySource) find(ctx context.Context, id string) (found *record.Record, err error) {
	queries := s.named(id)
	if s.export != nil {
		return s.findExported(ctx, queries)
	}
	for _, q := range queries {
		err = s.reader.Search(context.WithoutCancel(ctx), q, func(e *journal.Entry) error {
			found = e.Record
			return nil
		})
		if found != nil || err != nil {
			break
		}
	}
	return found, err
}

// findExported reads all, and once: an export may be a pipe, and has the blocks of many hosts
// one behind the other.
func (s *replaySource) findExported(ctx context.Context, queries []journal.Query) (found *record.Record, err error) {
	err = s.scan(ctx, time.Time{}, time.Time{}, func(b journal.Block) error {
		items, err := b.Items()
		if err != nil {
			return err
		}
		for _, i := range items {
			e, err := i.Entry()
			if err != nil {
				return err
			}
			if found != nil && e.Record.Evidence.Time.Before(found.Evidence.Time) {
				continue
			}
			if slices.ContainsFunc(queries, func(q journal.Query) bool { return q.Matches(e) }) {
				found = e.Record
			}
		}
		return nil
	})
	return found, err
}

// printJudged writes one object: what check --json says of the record with either
// verdict.
func printJudged(out io.Writer, r *record.Record, j *replay.Judgement) error {
	after := *r
	after.Verdict = j.Verdict
	line, err := json.Marshal(struct {
		Kind     string          `json:"kind"`
		Causes   []replay.Cause  `json:"causes"`
		ByState  bool            `json:"depends_on_state"`
		BySample bool            `json:"depends_on_sample"`
		Before   json.RawMessage `json:"before"`
		After    json.RawMessage `json:"after"`
	}{kindNames[j.Kind], orEmpty(j.Causes), j.ByState, j.BySample, explain.JSON(r), explain.JSON(&after)})
	if err != nil {
		return err
	}
	return writeLine(out, line)
}

// showJudged tells a person, in two columns and with the reasons below.
func showJudged(out io.Writer, r *record.Record, j *replay.Judgement) error {
	ev := &r.Evidence
	fmt.Fprintf(out, "message %s, queue id %s, %s\n", printable(cmp.Or(ev.Token, "-")), printable(cmp.Or(ev.QueueID, "-")), ev.Time.UTC().Format(time.RFC3339))
	fmt.Fprintf(out, "client %s, Author Domain %s, dmarc=%s\n\n", explain.Client(r), printable(cmp.Or(r.AuthorDomain(), "-")), explain.DMARC(r))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tthen\tunder the new configuration\t")
	old, now := explain.VerdictRows(&r.Verdict), explain.VerdictRows(&j.Verdict)
	for i := range old {
		if old[i][1] == "" && now[i][1] == "" {
			continue
		}
		mark := ""
		if old[i][1] != now[i][1] {
			mark = "<- differs"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", old[i][0], printable(cmp.Or(old[i][1], "-")), printable(cmp.Or(now[i][1], "-")), mark)
	}
	w.Flush()
	fmt.Fprintf(out, "\nthen because: %s\n", printable(r.Verdict.Reason))
	if j.Kind != replay.NotCounted {
		fmt.Fprintf(out, " now because: %s\n", printable(j.Verdict.Reason))
	}
	fmt.Fprintf(out, "\n%s", strings.ReplaceAll(kindNames[j.Kind], "_", " "))
	for _, c := range j.Causes {
		fmt.Fprintf(out, "\n  %s: %s", c.Kind, c.What)
	}
	fmt.Fprintln(out)
	for _, n := range []struct {
		yes  bool
		text string
	}{
		{j.OverLimit, "it was over a limit; limits are not replayed"},
		{j.ByState, "this rests on how often the message was tried"},
		{j.BySample, "this depends on the sample of pct or a rollout"},
	} {
		if n.yes {
			fmt.Fprintf(out, "  %s\n", n.text)
		}
	}
	return nil
}
