package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/policy"
)

// mostStories is how many messages of one id are told; ours. MTAs use queue ids again.
const mostStories = 5

// message tells the story of a message, as alignd explain does.
func (a *asked) message() (*page, error) {
	list, err := a.named()
	if err != nil {
		return nil, err
	}
	id := a.get("id")
	p := &page{Title: "Message " + terminal.Line(brief(id)), Command: "alignd explain " + shellWord(id), Rows: messageTable(nil)}
	var objects []json.RawMessage
	for i, e := range list {
		shown := e
		if !a.person.Auditor() {
			shown = private(e)
		}
		objects = append(objects, explain.EntryJSON(shown))
		p.Rows.Rows = append(p.Rows.Rows, messageRow(shown))
		if len(list) > 1 {
			p.Blocks = append(p.Blocks, block{Heading: fmt.Sprintf("%d of %d: %s", i+1, len(list), e.Record.Evidence.Time.UTC().Format(time.DateTime))})
		}
		p.Blocks = append(p.Blocks, numbered(a.story(e, shown), i+1)...)
	}
	p.Data = map[string]any{"messages": objects}
	return p, nil
}

// numbered has the places of the second story and further ones told apart.
func numbered(list []block, n int) []block {
	if n == 1 {
		return list
	}
	for i := range list {
		b := &list[i]
		if b.ID != "" {
			b.ID += fmt.Sprintf("-%d", n)
		}
		for k := range b.Links {
			if strings.HasPrefix(b.Links[k].Href, "#") {
				b.Links[k].Href += fmt.Sprintf("-%d", n)
			}
		}
	}
	return list
}

// named are the messages that the parameter id names, with whatever addresses they have.
func (a *asked) named() ([]*journal.Entry, error) {
	id := a.get("id")
	if id == "" {
		return nil, wrong("Name a message: its queue id, token or Message-ID.")
	}
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var list []*journal.Entry
	for _, q := range a.opt.Backend.Named(id) {
		q.Limit = mostStories
		err := r.Search(a.ctx, q, func(e *journal.Entry) error {
			list = append(list, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, said{http.StatusNotFound, fmt.Sprintf("The journal has no message with queue id, token or Message-ID %q.", id)}
}

// story is the way of a message as a picture, and all that is known of it. e has the
// addresses, shown what may be shown of them.
func (a *asked) story(e, shown *journal.Entry) []block {
	r := shown.Record
	ev, v := &r.Evidence, &r.Verdict
	id := cmp.Or(ev.Token, ev.QueueID, a.get("id"))
	list := []block{{Way: way(shown), Links: []link{
		{"Judge again under today's configuration", to("/message/again", "id", id)},
		{"More from this domain", to("/messages", "domain", journal.AuthorOf(r))},
		{"Who sends as it", to("/senders", "domain", journal.AuthorOf(r))},
	}}}
	rules, note := a.opt.Backend.RulesOf(a.ctx, e.Record)
	question := whyLink(v)
	why := len(question) > 0
	if why {
		list = append([]block{{Links: question}}, list...)
		list = append(list, a.whyNot(e, shown, rules)...)
	}
	for _, c := range []*evidence.SPFCheck{ev.SPF.MailFrom, ev.SPF.HELO} {
		if c != nil && (c == ev.ReportedSPF() || c.Record != "") {
			list = append(list, block{Heading: spfHeading(c, ev), Note: "The record, and the way to the directive that decided.", Tree: spfTree(c)})
		}
	}
	list = append(list, signatures(ev), chain(ev, v))
	list = append(list, alignments(ev)...)
	list = append(list, considered(e, shown, rules, note))
	list = slices.DeleteFunc(list, func(b block) bool {
		return b.Heading != "" && b.Tree == nil && b.Table == nil && b.Points == nil && b.Note == "" && b.Lines == nil && b.Links == nil && b.Chart == ""
	})
	for _, s := range storyOf(e, shown, rules, note) {
		if s.Name == "Rules" || why && strings.HasSuffix(s.Name, "if one of these were so") {
			continue // told above
		}
		b := block{Heading: s.Name}
		for _, l := range s.Lines {
			switch l.Form {
			case explain.Point:
				b.Points = append(b.Points, l.Text)
			default:
				b.Lines = append(b.Lines, explained{l.Name, l.Text, l.Form == explain.Folded})
			}
		}
		list = append(list, b)
	}
	return list
}

func spfHeading(c *evidence.SPFCheck, ev *evidence.Message) string {
	if c == ev.SPF.HELO && ev.MailFrom != "" {
		return "SPF of HELO"
	}
	return "SPF"
}

// storyOf tells all but the rules of what may be shown. Rules are told of the message as
// it was, since without addresses it would not be known which hold; finish hides them.
func storyOf(e, shown *journal.Entry, rules *policy.Rules, told string) []explain.Section {
	list := explain.Record(shown, rules, told)
	if e == shown {
		return list
	}
	own := map[string]bool{}
	for _, name := range []string{"Message", "Checks", "DNS", "Verdict", "Outcome"} {
		own[name] = true
	}
	var merged []explain.Section
	for _, s := range explain.Record(e, rules, told) {
		if !own[s.Name] {
			for i := range s.Lines {
				s.Lines[i].Text = withoutLocals(s.Lines[i].Text)
			}
			merged = append(merged, s)
			continue
		}
		if i := slices.IndexFunc(list, func(x explain.Section) bool { return x.Name == s.Name }); i >= 0 {
			merged = append(merged, list[i])
		}
	}
	return merged
}

// withoutLocals leaves of what stands between angle brackets what is a domain. An address
// that has none, or spaces in it, is not found by how it looks.
func withoutLocals(text string) string {
	first, last := strings.IndexByte(text, '<'), strings.LastIndexByte(text, '>')
	if first < 0 || last < first+2 {
		return text
	}
	var kept []string
	for address := range strings.SplitSeq(text[first+1:last], ">, <") {
		kept = append(kept, address[max(0, strings.LastIndexByte(address, '@')):])
		if !strings.Contains(address, "@") {
			kept[len(kept)-1] = "@"
		}
	}
	return text[:first+1] + strings.Join(kept, ">, <") + text[last:]
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
