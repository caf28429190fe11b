package main

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"alignd/config"
	"alignd/replay"
)

// replayed is a replay as it is shown.
type replayed struct {
	*replay.Result
	cfg    *config.Config
	flags  *replayFlags
	bounds []checkedBound
}

// checkedBound is a bound and what became of it.
type checkedBound struct {
	Bound    string  `json:"bound"`
	Value    float64 `json:"value"`
	Percent  bool    `json:"percent"`
	Exceeded bool    `json:"exceeded"`
}

func check(bounds []replay.Bound, c *replay.Counters) []checkedBound {
	list := []checkedBound{}
	for _, b := range bounds {
		value, exceeded := b.Exceeded(c)
		list = append(list, checkedBound{b.Text, value, b.Percent(), exceeded})
	}
	return list
}

func (b checkedBound) shown() string {
	if b.Percent {
		return strconv.FormatFloat(b.Value, 'f', 2, 64) + " %"
	}
	return strconv.FormatFloat(b.Value, 'f', -1, 64)
}

// printReplay writes one object. docs/replay.md lists the keys.
func printReplay(out io.Writer, r *replayed) error {
	line, err := json.Marshal(r.object())
	if err != nil {
		return err
	}
	return writeLine(out, line)
}

// replayJSON is what is printed with --json.
type replayJSON struct {
	Config   string           `json:"config"`
	First    time.Time        `json:"first,omitzero"`
	Last     time.Time        `json:"last,omitzero"`
	At       string           `json:"at"`
	Enforced bool             `json:"enforced"`
	Counters replay.Counters  `json:"counters"`
	Flips    []replay.Flip    `json:"flips"`
	Unknown  []replay.Unknown `json:"cannot_tell"`
	By       replay.Dimension `json:"by,omitempty"`
	Groups   []replay.Group   `json:"groups,omitempty"`
	// Also are further dimensions, where several were asked for.
	Also   []replay.Grouping `json:"also,omitempty"`
	Bounds []checkedBound    `json:"bounds"`
}

func (r *replayed) object() *replayJSON {
	hash := r.cfg.Hash()
	object := &replayJSON{
		Config: hex.EncodeToString(hash[:]), First: r.First.UTC(), Last: r.Last.UTC(), At: r.flags.at, Enforced: r.flags.enforced, Counters: r.Counters,
		Flips: orEmpty(r.Flips), Unknown: orEmpty(r.Unknown), Bounds: r.bounds,
	}
	for i, g := range r.Groupings {
		if most := r.flags.groups; most > 0 {
			g.Groups = g.Groups[:min(len(g.Groups), most)]
		}
		if i == 0 {
			object.By, object.Groups = g.By, g.Groups
		} else {
			object.Also = append(object.Also, replay.Grouping{By: g.By, Groups: orEmpty(g.Groups)})
		}
	}
	for i := range object.Flips {
		object.Flips[i].Samples = orEmpty(object.Flips[i].Samples)
	}
	for i := range object.Unknown {
		object.Unknown[i].Samples = orEmpty(object.Unknown[i].Samples)
	}
	return object
}

// orEmpty is a list that JSON shows as one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// showReplay tells a person.
func showReplay(out io.Writer, r *replayed) error {
	w := bufio.NewWriter(out)
	c := &r.Counters
	fmt.Fprintf(w, "%d messages judged again", c.Total)
	if c.Total > 0 {
		fmt.Fprintf(w, ", of %s to %s", r.First.UTC().Format(time.RFC3339), r.Last.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
	r.notes(w)
	fmt.Fprintln(w)
	r.counts(w)
	for i := range r.Flips {
		f := &r.Flips[i]
		fmt.Fprintf(w, "\n%s -> %s: %d (DMARC pass %d, fail %d)\n", f.From, f.To, f.Count, f.Passing, f.Failing)
		showSamples(w, f.Samples)
	}
	for i := range r.Unknown {
		u := &r.Unknown[i]
		fmt.Fprintf(w, "\ncannot tell, %s: %s: %d\n", u.Kind, u.What, u.Count)
		showSamples(w, u.Samples)
	}
	for i := range r.Groupings {
		r.groups(w, &r.Groupings[i])
	}
	if len(r.bounds) > 0 {
		fmt.Fprintln(w)
	}
	for _, b := range r.bounds {
		word := "within"
		if b.Exceeded {
			word = "EXCEEDED"
		}
		fmt.Fprintf(w, "bound %s: %s, %s\n", printable(b.Bound), b.shown(), word)
	}
	return w.Flush()
}

// notes tell what the counts leave out.
func (r *replayed) notes(w io.Writer) {
	for _, n := range r.Counters.Notes() {
		fmt.Fprintf(w, "note: %d %s\n", n.Count, n.Text)
	}
	if n := r.Counters.Unreadable; n > 0 {
		fmt.Fprintf(w, "note: %d records or blocks cannot be read\n", n)
	}
}

func (r *replayed) counts(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	c := &r.Counters
	line := func(name string, n uint64, more string, of uint64) {
		share := 0.0
		if c.Total > 0 {
			share = 100 * float64(n) / float64(c.Total)
		}
		fmt.Fprintf(w, "%s\t%d\t%.2f %%\t", name, n, share)
		if of > 0 {
			fmt.Fprintf(w, "%s %d\t", more, of)
		}
		fmt.Fprintln(w)
	}
	line("unchanged", c.Unchanged, "by another rule or with another reply", c.DecidedOtherwise)
	line("would refuse", c.WouldRefuse, "that pass DMARC", c.RefusePassing)
	line("would defer", c.WouldDefer, "", 0)
	line("would let in", c.WouldLetIn, "that fail DMARC", c.LetInFailing)
	line("would mark", c.WouldMark, "that pass DMARC", c.MarkPassing)
	line("would unmark", c.WouldUnmark, "", 0)
	line("cannot tell", c.CannotTell, "", 0)
	w.Flush()
}

func showSamples(out io.Writer, list []replay.Sample) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range list {
		s := &list[i]
		client := "-"
		if s.Client.IsValid() {
			client = s.Client.String()
		}
		rest := ""
		if s.ByState {
			rest += " (depends on earlier tries)"
		}
		if s.BySample {
			rest += " (depends on the sample)"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\tdmarc=%s\t%s -> %s\t%s\n", s.Time.Format(time.RFC3339), printable(cmp.Or(s.Token, s.QueueID, "-")),
			printable(cmp.Or(s.Domain, "-")), client, cmp.Or(string(s.DMARC), "-"), printable(s.OldRule), printable(s.Rule), printable(s.Reason+rest))
	}
	w.Flush()
}

// maxGroupsShown is how many groups people are shown without --groups; JSON has all.
const maxGroupsShown = 50

func (r *replayed) groups(out io.Writer, all *replay.Grouping) {
	fmt.Fprintf(out, "\nby %s\n", all.By)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  refuse\tpassing\tdefer\tlet in\tfailing\tmark\tunmark\tcannot tell\t"+string(all.By))
	most := min(len(all.Groups), cmp.Or(r.flags.groups, maxGroupsShown))
	for i := range all.Groups[:most] {
		g := &all.Groups[i]
		fmt.Fprintf(w, "  %d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", g.WouldRefuse, g.RefusePassing, g.WouldDefer, g.WouldLetIn, g.LetInFailing,
			g.WouldMark, g.WouldUnmark, g.CannotTell, printable(cmp.Or(g.Value, "-")))
	}
	w.Flush()
	if more := len(all.Groups) - most; more > 0 {
		fmt.Fprintf(out, "  and %d more (--json has all)\n", more)
	}
}
