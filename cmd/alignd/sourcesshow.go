package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"alignd/replay/sources"
)

// showSources tells a person who sends.
func showSources(out io.Writer, opt sources.Options, r *sources.Report, others *elsewhere, limit int) error {
	who := "domains"
	if opt.Domain != "" {
		who = printable(opt.Domain)
	}
	if r.Messages == 0 {
		fmt.Fprintf(out, "No message of %s since %s.\n", who, opt.Since.UTC().Format(time.RFC3339))
		return others.show(out, limit)
	}
	fmt.Fprintf(out, "Who sends as %s: messages %d, from %s to %s UTC\n\n", who, r.Messages, day(r.First), day(r.Last))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join([]string{"AUTHOR DOMAIN", "SENT FROM", "MESSAGES", "PASS", "FAIL", "FIRST", "LAST", "LAST ACTION", "SIGNED BY", "SPF OF", "SEALED BY", "LISTS"}, "\t"))
	shown := r.Sources
	if limit > 0 && len(shown) > limit {
		shown = shown[:limit]
	}
	for _, s := range shown {
		fields := []string{
			mark(s.Author, s.Own, "own"), mark(s.Infrastructure, s.New, "new"), fmt.Sprint(s.Messages), partOf(s.Pass, s.Messages), partOf(s.Fail, s.Messages),
			day(s.First), day(s.Last), string(s.LastAction), names(s.Signers), names(s.Senders), names(s.Sealers), names(s.Lists),
		}
		for i := range fields {
			fields[i] = cmp.Or(printable(fields[i]), "-")
		}
		fmt.Fprintln(w, strings.Join(fields, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if n := len(r.Sources) - len(shown); n > 0 {
		fmt.Fprintf(out, "\nNot shown: %d more (--limit 0 shows all).\n", n)
	}
	if r.Rest.Pairs > 0 {
		fmt.Fprintf(out, "\nCounted together, as there were too many: messages %d, %d pass and %d fail.\n", r.Rest.Messages, r.Rest.Pass, r.Rest.Fail)
	}
	showSuggestions(out, opt, r.Suggestions)
	showReasons(out, shown)
	return others.show(out, limit)
}

// showSuggestions tells what entries there are to paste, and what each does.
func showSuggestions(out io.Writer, opt sources.Options, list []*sources.Suggestion) {
	for i, s := range list {
		if i == 0 {
			fmt.Fprintf(out, "\nSuggestions. Each can be a file of /etc/alignd/conf.d; then alignd config check, and alignd reload.\n")
		}
		fmt.Fprintf(out, "\n%s\n", strings.TrimSuffix(printableLines(s.Entry), "\n"))
		for _, why := range s.Because {
			fmt.Fprintf(out, "# because: %s\n", printable(why))
		}
		e := &s.Effect
		fmt.Fprintf(out, "# lets in: messages %d since %s (%s)\n", e.LetIn, day(opt.Since), printable(strings.Join(e.Samples, " ")))
		fmt.Fprintf(out, "#   of them without the proofs of the entry: %d\n", e.Unproven)
		fmt.Fprintf(out, "#   their Author Domains: %s\n", printable(withCounts(e.Authors)))
		fmt.Fprintf(out, "#   sent from: %s\n", printable(withCounts(e.Infrastructures)))
		fmt.Fprintf(out, "#   others who have the same proofs: %s\n", printable(cmp.Or(withCounts(e.Others), "none")))
	}
}

// showReasons tells why nothing is suggested for failing mail, a reason once for each
// Author Domain.
func showReasons(out io.Writer, list []*sources.Source) {
	const most = 20
	type key struct{ author, why string }
	from := map[key][]string{}
	var order []key
	for _, s := range list {
		if s.NotSuggested == "" {
			continue
		}
		k := key{s.Author, s.NotSuggested}
		if from[k] == nil {
			order = append(order, k)
		}
		from[k] = append(from[k], s.Infrastructure)
	}
	for i, k := range order {
		if i == 0 {
			fmt.Fprintf(out, "\nNot suggested\n")
		}
		if i == most {
			fmt.Fprintf(out, "  and %d more reasons (--json has all).\n", len(order)-most)
			break
		}
		where := from[k]
		text := strings.Join(where[:min(3, len(where))], ", ")
		if len(where) > 3 {
			text += fmt.Sprintf(" and %d more", len(where)-3)
		}
		fmt.Fprintf(out, "  %s from %s: %s.\n", printable(k.author), printable(text), printable(k.why))
	}
}

func withCounts(list []sources.Count) string {
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprintf("%s %d", c.Name, c.Count))
	}
	return strings.Join(all, ", ")
}

func mark(text string, marked bool, mark string) string {
	if marked {
		return text + " (" + mark + ")"
	}
	return text
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func partOf(n, of int) string {
	if n == 0 || of == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%d %%)", n, (100*n+of/2)/of)
}

// names are the most frequent ones, as many as a line takes.
func names(list []sources.Count) string {
	const most = 2
	var some []string
	for _, c := range list[:min(most, len(list))] {
		some = append(some, c.Name)
	}
	text := strings.Join(some, " ")
	if n := len(list) - most; n > 0 {
		text += fmt.Sprintf(" +%d", n)
	}
	return text
}

// sourcesJSON is what --json prints; docs/sources.md has its keys.
type sourcesJSON struct {
	Domain   string       `json:"domain,omitempty"`
	Since    string       `json:"since"`
	First    string       `json:"first,omitempty"`
	Last     string       `json:"last,omitempty"`
	Messages int          `json:"messages"`
	Sources  []sourceJSON `json:"sources"`
	Rest     *restJSON    `json:"rest,omitempty"`

	Suggestions []suggestionJSON `json:"suggestions"`
	// Elsewhere is by the reports of others; without a state it is left out.
	Elsewhere *elsewhereJSON `json:"elsewhere,omitempty"`
}

type sourceJSON struct {
	AuthorDomain   string      `json:"author_domain"`
	Own            bool        `json:"own"`
	Infrastructure string      `json:"infrastructure"`
	Messages       int         `json:"messages"`
	Pass           int         `json:"pass"`
	Fail           int         `json:"fail"`
	Refused        int         `json:"refused"`
	Deferred       int         `json:"deferred"`
	Held           int         `json:"held"`
	Tagged         int         `json:"tagged"`
	First          string      `json:"first"`
	Last           string      `json:"last"`
	Days           int         `json:"days"`
	New            bool        `json:"new"`
	LastAction     string      `json:"last_action"`
	DKIM           []countJSON `json:"dkim"`
	SPF            []countJSON `json:"spf"`
	ARC            []countJSON `json:"arc"`
	Lists          []countJSON `json:"lists"`
	Suggested      []string    `json:"suggested,omitempty"`
	NotSuggested   string      `json:"not_suggested,omitempty"`
}

type suggestionJSON struct {
	ID           string     `json:"id"`
	AuthorDomain string     `json:"author_domain,omitempty"`
	Entry        string     `json:"entry"`
	Because      []string   `json:"because"`
	Effect       effectJSON `json:"effect"`
}

type effectJSON struct {
	LetIn          int         `json:"let_in"`
	Unproven       int         `json:"unproven"`
	AuthorDomains  []countJSON `json:"author_domains"`
	Infrastructure []countJSON `json:"infrastructure"`
	Others         []countJSON `json:"others"`
	Samples        []string    `json:"samples"`
}

type countJSON struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

type restJSON struct {
	Sources  int `json:"sources"`
	Messages int `json:"messages"`
	Pass     int `json:"pass"`
	Fail     int `json:"fail"`
}

func printSources(out io.Writer, opt sources.Options, r *sources.Report, others *elsewhere, limit int) error {
	o := sourcesJSON{Domain: opt.Domain, Since: timeText(opt.Since), First: timeText(r.First), Last: timeText(r.Last), Messages: r.Messages, Sources: []sourceJSON{}, Suggestions: []suggestionJSON{}}
	for i, s := range r.Sources {
		if limit > 0 && i >= limit {
			break
		}
		var suggested []string
		for _, x := range s.Suggestions {
			suggested = append(suggested, x.ID)
		}
		o.Sources = append(o.Sources, sourceJSON{
			AuthorDomain: s.Author, Own: s.Own, Infrastructure: s.Infrastructure, Messages: s.Messages, Pass: s.Pass, Fail: s.Fail,
			Refused: s.Refused, Deferred: s.Deferred, Held: s.Held, Tagged: s.Tagged,
			First: timeText(s.First), Last: timeText(s.Last), Days: s.Days(), New: s.New, LastAction: string(s.LastAction),
			DKIM: countsOf(s.Signers), SPF: countsOf(s.Senders), ARC: countsOf(s.Sealers), Lists: countsOf(s.Lists),
			Suggested: suggested, NotSuggested: s.NotSuggested,
		})
	}
	for _, x := range r.Suggestions {
		e := &x.Effect
		o.Suggestions = append(o.Suggestions, suggestionJSON{ID: x.ID, AuthorDomain: x.Author, Entry: x.Entry, Because: x.Because, Effect: effectJSON{
			LetIn: e.LetIn, Unproven: e.Unproven, AuthorDomains: countsOf(e.Authors), Infrastructure: countsOf(e.Infrastructures), Others: countsOf(e.Others), Samples: e.Samples}})
	}
	if r.Rest.Pairs > 0 {
		o.Rest = &restJSON{Sources: r.Rest.Pairs, Messages: r.Rest.Messages, Pass: r.Rest.Pass, Fail: r.Rest.Fail}
	}
	o.Elsewhere = others.json(limit)
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return writeLine(out, line)
}

func countsOf(list []sources.Count) []countJSON {
	all := make([]countJSON, 0, len(list))
	for _, c := range list {
		all = append(all, countJSON(c))
	}
	return all
}
