package web

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"alignd/domain"
	"alignd/internal/terminal"
)

// SurveyAsk is what a survey of a domain is asked: who sends as it, and which entries there
// are for the failing mail.
type SurveyAsk struct {
	Domain string    `json:"domain"`
	Source string    `json:"source,omitempty"` // an infrastructure that comes first
	Since  time.Time `json:"since"`
	Trust  []string  `json:"trust,omitempty"` // whom the admin knows, as alignd sources --trust
}

const surveyNote = "Looks for what speaks for the failing mail of this domain, and measures what an entry would do to all mail of 30 days. It reads the journal, which may take a while."

// suggestionForm asks for the survey that finds entries to paste, which reads the journal.
func (a *asked) suggestionForm(name, source string) block {
	return block{ID: "entry", Heading: "An entry that lets it in", Note: surveyNote,
		Form: &form{Action: "/sender/measure", Submit: "Suggest an entry, with its effect", Post: true, Token: a.formToken,
			Fields: []field{{Name: "domain", Value: name, Hidden: true}, {Name: "source", Value: source, Hidden: true}}}}
}

// trustForm asks once more, with somebody whom the admin knows. It has no name filled in:
// whoever sends can have his own in a message.
func (a *asked) trustForm(ask *SurveyAsk) block {
	return block{ID: "trust", Heading: "Somebody you know",
		Note: "Where you know that a vendor, a sealer, a list or a gateway is honest, name it: the domain of its signature or seal, its List-Id, its host name. Whoever sends may write any name, so go by a contract and not by this table.",
		Form: &form{Action: "/sender/measure", Submit: "Suggest again", Post: true, Token: a.formToken,
			Fields: []field{{Name: "domain", Value: ask.Domain, Hidden: true}, {Name: "source", Value: ask.Source, Hidden: true},
				{Name: "trust", Label: "Domains, with blanks between", Value: strings.Join(ask.Trust, " ")}}}}
}

// measure begins a survey of a domain, as alignd sources makes it.
func (a *asked) measure() (*page, error) {
	a.query = a.form
	name, err := a.domainAsked()
	if err != nil || name == "" {
		return nil, wrong("Name a domain.")
	}
	ask := &SurveyAsk{Domain: name, Source: a.get("source"), Since: a.now.AddDate(0, 0, -30)}
	command := "alignd sources"
	for _, text := range strings.Fields(a.get("trust")) {
		known, err := domain.Normalize(text)
		if err != nil {
			return nil, wrong("domain %q: %s", text, err)
		}
		ask.Trust = append(ask.Trust, known)
		command += " --trust " + shellWord(known)
	}
	j := &job{Title: "Entries for " + terminal.Line(name), Command: command + " " + shellWord(name), show: func(a *asked, result any) *page {
		return a.surveyed(result.(json.RawMessage), ask)
	}}
	err = a.start(j, func(ctx context.Context, p Progress) (any, error) { return a.opt.Backend.Survey(ctx, ask, p) })
	if err != nil {
		return nil, err
	}
	return nil, redirect{to("/job", "id", j.ID)}
}

// survey is what of the JSON of alignd sources is shown; docs/sources.md has its keys.
type survey struct {
	Messages    int
	Sources     []surveySource
	Suggestions []suggested
}

type surveySource struct {
	Infrastructure string
	Messages       int
	Pass, Fail     int
	DKIM           []count
	SPF            []count
	Suggested      []string
	NotSuggested   string `json:"not_suggested"`
}

type suggested struct {
	ID, Entry string
	Because   []string
	Effect    struct {
		LetIn          int `json:"let_in"`
		Unproven       int
		AuthorDomains  []count `json:"author_domains"`
		Infrastructure []count
		Others         []count
		Samples        []string
	}
}

type count struct {
	Name  string
	Count int
}

// surveyed shows entries to paste, with what each does: those for the pair that was asked
// about first.
func (a *asked) surveyed(raw json.RawMessage, ask *SurveyAsk) *page {
	var s survey
	p := &page{Data: raw}
	if err := json.Unmarshal(raw, &s); err != nil {
		p.Blocks = []block{{Alert: terminal.Line(err.Error())}}
		return p
	}
	var pair *surveySource
	for i := range s.Sources {
		if s.Sources[i].Infrastructure == ask.Source {
			pair = &s.Sources[i]
		}
	}
	p.Blocks = append(p.Blocks, a.outcome(ask, pair))
	isOfPair := func(x *suggested) bool { return pair != nil && slices.Contains(pair.Suggested, x.ID) }
	for _, first := range []bool{true, false} {
		for i := range s.Suggestions {
			if x := &s.Suggestions[i]; isOfPair(x) == first {
				p.Blocks = append(p.Blocks, a.entryBlock(x, isOfPair(x)))
			}
		}
	}
	p.Rows = a.surveyTable(&s, ask.Domain)
	p.Blocks = append(p.Blocks, a.trustForm(ask), block{Heading: "All that send as it", Table: p.Rows})
	return p
}

// outcome says in a sentence what was found for the pair that was asked about.
func (a *asked) outcome(ask *SurveyAsk, pair *surveySource) block {
	b := block{Links: []link{{"Back to the pair", to("/sender", "domain", ask.Domain, "source", ask.Source)}}}
	from := terminal.Line(ask.Domain + " from " + ask.Source)
	switch {
	case ask.Source == "":
		b.Links = []link{{"All senders of it", to("/senders", "domain", ask.Domain)}}
	case pair == nil:
		b.Note = "No message of " + from + " is among those of 30 days."
	case len(pair.Suggested) > 0:
		b.Note = fmt.Sprintf("%s: %d messages, %d fail. The entry below lets them in.", from, pair.Messages, pair.Fail)
	case pair.NotSuggested != "":
		b.Note = terminal.Line(fmt.Sprintf("%s: %d messages, %d fail. No entry is suggested: %s.", from, pair.Messages, pair.Fail, pair.NotSuggested))
	default:
		b.Note = fmt.Sprintf("%s: %d messages, %d fail. Nothing is to be let in.", from, pair.Messages, pair.Fail)
	}
	return b
}

// entryBlock is an entry, what speaks for it, and what it does.
func (a *asked) entryBlock(x *suggested, ofPair bool) block {
	b := block{Heading: "Entry " + terminal.Line(x.ID), Entry: printableLines(x.Entry), Note: "Can be a file of /etc/alignd/conf.d; then alignd config check, and alignd reload."}
	if !ofPair {
		b.Note = "This one is for another source of the domain. " + b.Note
	}
	b.Stats = []stat{{Name: "messages it would have let in, in 30 days", Value: fmt.Sprint(x.Effect.LetIn), Class: "good"},
		{Name: "of them without the proofs", Value: fmt.Sprint(x.Effect.Unproven), Class: map[bool]string{true: "good", false: "bad"}[x.Effect.Unproven == 0]}}
	for _, why := range x.Because {
		b.Points = append(b.Points, terminal.Line("Because "+why))
	}
	b.Points = append(b.Points, terminal.Line("Author Domains of what it lets in: "+inWords(x.Effect.AuthorDomains)),
		terminal.Line("Sent from: "+inWords(x.Effect.Infrastructure)), terminal.Line("Others who have the same proofs: "+inWords(x.Effect.Others)))
	for _, id := range x.Effect.Samples {
		b.Links = append(b.Links, link{"Sample " + terminal.Line(id), to("/message", "id", id)})
	}
	if a.person.Auditor() {
		b.Links = append([]link{{"Open in What if", to("/whatif", "entry", x.Entry)}}, b.Links...)
	}
	return b
}

func (a *asked) surveyTable(s *survey, name string) *table {
	t := &table{Caption: "Who sends as " + terminal.Line(name), Columns: columns("Sent from", "#Messages", "#Pass", "#Fail", "Signed by", "SPF of", "Suggested", "Why not"), Empty: "No message of it."}
	for i := range s.Sources {
		x := &s.Sources[i]
		if len(t.Rows) == 20 && a.format == asHTML {
			t.Caption += fmt.Sprintf(", 20 of %d", len(s.Sources))
			break
		}
		t.Rows = append(t.Rows, []cell{linked(x.Infrastructure, "/sender", "domain", name, "source", x.Infrastructure), number(x.Messages), number(x.Pass), number(x.Fail),
			plain(inWords(x.DKIM)), plain(inWords(x.SPF)), plain(strings.Join(x.Suggested, " ")), plain(x.NotSuggested)})
	}
	return t
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
