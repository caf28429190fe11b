package web

import (
	"context"
	"encoding/json"
	"fmt"

	"alignd/internal/terminal"
)

// suggestionForm asks for the survey that finds entries to paste, which reads the journal.
func (a *asked) suggestionForm(name, source string) block {
	return block{ID: "entry", Heading: "An entry that lets it in",
		Note: "Looks for what speaks for the failing mail of this domain, and measures what an entry would do to all mail of 30 days. It reads the journal, which may take a while.",
		Form: &form{Action: "/sender/measure", Submit: "Suggest an entry, with its effect", Post: true, Token: a.formToken,
			Fields: []field{{Name: "domain", Value: name, Hidden: true}, {Name: "source", Value: source, Hidden: true}}}}
}

// measure begins a survey of a domain, as alignd sources makes it.
func (a *asked) measure() (*page, error) {
	a.query = a.form
	name, err := a.domainAsked()
	if err != nil || name == "" {
		return nil, wrong("Name a domain.")
	}
	source, since := a.get("source"), a.now.AddDate(0, 0, -30)
	j := &job{Title: "Entries for " + terminal.Line(name), Command: "alignd sources " + shellWord(name), show: func(a *asked, result any) *page {
		return a.surveyed(result.(json.RawMessage), name, source)
	}}
	err = a.start(j, func(ctx context.Context, p Progress) (any, error) { return a.opt.Backend.Survey(ctx, name, since, p) })
	if err != nil {
		return nil, err
	}
	return nil, elsewhere{to("/job", "id", j.ID)}
}

// survey is what of the JSON of alignd sources is shown; docs/sources.md has its keys.
type survey struct {
	Messages int
	Sources  []struct {
		Infrastructure string
		Messages       int
		Pass, Fail     int
		DKIM           []count
		SPF            []count
		Suggested      []string
		NotSuggested   string `json:"not_suggested"`
	}
	Suggestions []struct {
		ID, Entry string
		Because   []string
		Effect    struct {
			LetIn          int     `json:"let_in"`
			AuthorDomains  []count `json:"author_domains"`
			Infrastructure []count
			Others         []count
			Samples        []string
		}
	}
}

type count struct {
	Name  string
	Count int
}

// surveyed shows entries to paste, with what each does.
func (a *asked) surveyed(raw json.RawMessage, name, source string) *page {
	var s survey
	p := &page{Data: raw}
	if err := json.Unmarshal(raw, &s); err != nil {
		p.Blocks = []block{{Alert: terminal.Line(err.Error())}}
		return p
	}
	t := &table{Caption: "Who sends as " + terminal.Line(name), Columns: columns("Sent from", "#Messages", "#Pass", "#Fail", "Signed by", "SPF of", "Suggested", "Why not"), Empty: "No message of it."}
	for i := range s.Sources {
		x := &s.Sources[i]
		if len(t.Rows) == 20 && a.format == asHTML {
			t.Caption += fmt.Sprintf(", 20 of %d", len(s.Sources))
			break
		}
		t.Rows = append(t.Rows, []cell{linked(x.Infrastructure, "/sender", "domain", name, "source", x.Infrastructure), number(x.Messages), number(x.Pass), number(x.Fail),
			plain(inWords(x.DKIM)), plain(inWords(x.SPF)), plain(fmt.Sprint(len(x.Suggested))), plain(x.NotSuggested)})
	}
	p.Rows = t
	for i := range s.Suggestions {
		x := &s.Suggestions[i]
		b := block{Heading: "Entry " + terminal.Line(x.ID), Entry: printableLines(x.Entry), Note: "Can be a file of /etc/alignd/conf.d; then alignd config check, and alignd reload."}
		for _, why := range x.Because {
			b.Points = append(b.Points, terminal.Line("Because "+why))
		}
		b.Points = append(b.Points, fmt.Sprintf("It would have let in %d messages of 30 days.", x.Effect.LetIn),
			terminal.Line("Their Author Domains: "+inWords(x.Effect.AuthorDomains)), terminal.Line("Sent from: "+inWords(x.Effect.Infrastructure)),
			terminal.Line("Others who have the same proofs: "+inWords(x.Effect.Others)))
		for _, id := range x.Effect.Samples {
			b.Links = append(b.Links, link{"Sample " + terminal.Line(id), to("/message", "id", id)})
		}
		if a.person.auditor() {
			b.Links = append(b.Links, link{"Open in What if", to("/whatif", "entry", x.Entry)})
		}
		p.Blocks = append(p.Blocks, b)
	}
	if len(s.Suggestions) == 0 {
		p.Blocks = append(p.Blocks, block{Note: "No entry is suggested; the table says why."})
	}
	p.Blocks = append(p.Blocks, block{Table: t, Links: []link{{"Back to the pair", to("/sender", "domain", name, "source", source)}}})
	return p
}

func inWords(list []count) string {
	if len(list) == 0 {
		return "none"
	}
	text := ""
	for i, c := range list {
		if i == 5 {
			return text + fmt.Sprintf(" and %d more", len(list)-5)
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", c.Name, c.Count)
	}
	return text
}
