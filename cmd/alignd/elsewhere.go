package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"alignd/evidence"
	"alignd/journal/state"
	"alignd/record"
)

// elsewhereJSON is what others saw of mail as our domains, as JSON.
type elsewhereJSON struct {
	Since     string         `json:"since"`
	Reports   int64          `json:"reports"`
	Reporters []reporterJSON `json:"reporters"`
	state.OtherCounts
	LeftOut struct {
		Reports  int64 `json:"reports"`
		Messages int64 `json:"messages"`
	} `json:"left_out"`
	Sources []elsewhereSourceJSON `json:"sources,omitempty"`
	Days    []elsewhereDayJSON    `json:"days"`
}

type elsewhereDayJSON struct {
	Day     string `json:"day"`
	Reports int64  `json:"reports"`
	state.OtherCounts
}

type reporterJSON struct {
	Name     string `json:"name"`
	Proven   bool   `json:"proven"`
	Reports  int64  `json:"reports"`
	Messages int64  `json:"messages"`
	Last     string `json:"last"`
}

type elsewhereSourceJSON struct {
	AuthorDomain string   `json:"author_domain"`
	Network      string   `json:"network"`
	Addresses    []string `json:"addresses"`
	Count        int      `json:"address_count"`
	Here         int64    `json:"here"`
	state.OtherCounts
	Reporters []string `json:"reporters"`
	DKIM      []string `json:"dkim"`
	SPF       []string `json:"spf"`
	First     string   `json:"first"`
	Last      string   `json:"last"`
}

// elsewhere is what sources and stats show of the reports of others.
type elsewhere struct {
	*state.Elsewhere
	since time.Time
	here  map[hereKey]int64 // messages that we saw ourselves
}

// hereKey is one of the sources.
type hereKey struct {
	author  string
	network netip.Prefix
}

// askElsewhere asks the state. Without one, or with one that no version with such reports
// wrote yet, there is nothing to show. Reports are about days, so it is asked from the first
// day of UTC on that began since Since, at the latest from today on, as the page does.
func askElsewhere(ctx context.Context, s *state.State, q state.ElsewhereQuery, now time.Time) (*elsewhere, error) {
	q.Since = dayOf(now).AddDate(0, 0, 1-daysSince(q.Since, now))
	found, err := s.Elsewhere(ctx, q)
	if err != nil {
		return nil, err
	}
	e := &elsewhere{Elsewhere: found, since: q.Since, here: map[hereKey]int64{}}
	for i := range found.Sources {
		if x := &found.Sources[i]; x.Network != "" {
			if p, err := netip.ParsePrefix(x.Network); err == nil {
				e.here[hereKey{x.Author, p}] = 0
			}
		}
	}
	return e, nil
}

// note counts a message that came here from one of the sources in the same days.
func (e *elsewhere) note(r *record.Record) {
	if e == nil || len(e.here) == 0 || r.Evidence.Time.Before(e.since) {
		return
	}
	network := evidence.NetworkOf(r.Evidence.Client.IP().Unmap())
	for i, author := range r.Evidence.From.Domains {
		key := hereKey{author, network}
		if n, ok := e.here[key]; ok && (i == 0 || author != r.Evidence.From.Domains[0]) {
			e.here[key] = n + 1
		}
	}
}

func (e *elsewhere) hereOf(x *state.ElsewhereSource) int64 {
	p, _ := netip.ParsePrefix(x.Network)
	return e.here[hereKey{x.Author, p}]
}

// empty: nobody reported.
func (e *elsewhere) empty() bool {
	return e == nil || e.Reports == 0 && e.LeftOut.Reports == 0
}

// json is the object; limit is how many sources it has, 0 is all, below none.
func (e *elsewhere) json(limit int) *elsewhereJSON {
	if e == nil {
		return nil
	}
	o := &elsewhereJSON{Since: timeText(e.since), Reports: e.Reports, Reporters: []reporterJSON{}, OtherCounts: e.OtherCounts}
	o.LeftOut.Reports, o.LeftOut.Messages = e.LeftOut.Reports, e.LeftOut.Messages
	for _, r := range e.Reporters {
		o.Reporters = append(o.Reporters, reporterJSON{r.Name, r.Proven, r.Reports, r.Messages, timeText(r.Last)})
	}
	o.Days = []elsewhereDayJSON{}
	for i := range e.Days {
		o.Days = append(o.Days, elsewhereDayJSON{day(e.Days[i].Day), e.Days[i].Reports, e.Days[i].OtherCounts})
	}
	for i := range e.Sources {
		if limit < 0 || limit > 0 && i >= limit {
			break
		}
		x := &e.Sources[i]
		o.Sources = append(o.Sources, elsewhereSourceJSON{
			AuthorDomain: x.Author, Network: x.Network, Addresses: listOf(x.Addresses), Count: x.Count, Here: e.hereOf(x),
			OtherCounts: x.OtherCounts, Reporters: listOf(x.Reporters), DKIM: listOf(x.Signers), SPF: listOf(x.Senders),
			First: timeText(x.First), Last: timeText(x.Last),
		})
	}
	return o
}

// listOf is never null in JSON.
func listOf(list []string) []string { return append([]string{}, list...) }

// show writes who sends as us elsewhere.
func (e *elsewhere) show(out io.Writer, limit int) error {
	if e.empty() {
		return nil
	}
	fmt.Fprintln(out)
	e.summary(out)
	if len(e.Sources) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AUTHOR DOMAIN\tSENT FROM\tMESSAGES\tPASS\tFAIL\tREFUSED\tHERE\tREPORTERS\tLAST\tSIGNED BY\tSPF OF")
	shown := e.Sources
	if limit > 0 && len(shown) > limit {
		shown = shown[:limit]
	}
	for i := range shown {
		x := &shown[i]
		from := x.Network
		switch {
		case from == "":
			from = otherRows
		case len(x.Addresses) == 1:
			from = x.Addresses[0]
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", dash(x.Author), dash(from), x.Messages, partOf64(x.Pass, x.Messages),
			partOf64(x.Messages-x.Pass, x.Messages), x.Quarantined+x.Rejected, e.hereOf(x), dash(firstNames(x.Reporters)), day(x.Last), dash(firstNames(x.Signers)), dash(firstNames(x.Senders)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if n := len(e.Sources) - len(shown); n > 0 {
		fmt.Fprintf(out, "\nNot shown: %d more (--limit 0 shows all).\n", n)
	}
	return nil
}

// summary is one line, or two.
func (e *elsewhere) summary(out io.Writer) {
	if e.empty() {
		return
	}
	names := make([]string, 0, len(e.Reporters))
	for _, r := range e.Reporters {
		name := r.Name
		if !r.Proven {
			name += " (unproven)"
		}
		names = append(names, name)
	}
	fmt.Fprintf(out, "Elsewhere, by %d reports of others since %s (%s): messages %d, %s pass, %s quarantined or rejected\n", e.Reports, day(e.since),
		dash(firstNames(names)), e.Messages, partOf64(e.Pass, e.Messages), partOf64(e.Quarantined+e.Rejected, e.Messages))
	if e.LeftOut.Reports > 0 {
		fmt.Fprintf(out, "Left out, as nobody can tell who sent them: %d reports with messages %d (--unproven counts them)\n", e.LeftOut.Reports, e.LeftOut.Messages)
	}
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

// firstNames are as many as a line takes.
func firstNames(list []string) string {
	const most = 2
	text := strings.Join(list[:min(most, len(list))], " ")
	if n := len(list) - most; n > 0 {
		text += fmt.Sprintf(" +%d", n)
	}
	return text
}

func partOf64(n, of int64) string {
	if n == 0 || of == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%d %%)", n, int(100*float64(n)/float64(of)+0.5))
}
