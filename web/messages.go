package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
)

// Bounds of lists; ours.
const (
	rowsOfPage = 100
	rowsOfFile = 5_000  // of CSV and JSON
	maxSkip    = 10_000 // how far back pages go; --since and --until go on
)

// filter is a column that messages are searched by: a flag of alignd log.
type filter struct {
	name, label, hint string
	choices           []string
}

var filters = []filter{
	{name: "since", label: "Since", hint: "7d, 6h, 2026-01-31"},
	{name: "until", label: "Until", hint: "1d, 2026-02-01"},
	{name: "domain", label: "Author Domain", hint: "example.com"},
	{name: "client", label: "Client", hint: "192.0.2.0/24"},
	{name: "mail-from", label: "MAIL FROM", hint: "domain or address"},
	{name: "dmarc", label: "DMARC", choices: []string{"", "pass", "fail", "none", "temperror", "permerror"}},
	{name: "delivery", label: "Delivery", choices: []string{"", "deliver", "tag", "hold", "defer", "refuse"}},
	{name: "would", label: "Held back", choices: []string{"", "tag", "hold", "defer", "refuse"}},
	{name: "spf", label: "SPF", choices: []string{"", "pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"}},
	{name: "dkim", label: "DKIM", choices: []string{"", "pass", "fail", "neutral", "policy", "temperror", "permerror"}},
	{name: "arc", label: "ARC", choices: []string{"", "none", "pass", "fail"}},
	{name: "disposition", label: "Disposition", choices: []string{"", "accept", "quarantine", "reject", "tempfail"}},
	{name: "answer", label: "Heard by the MTA", choices: append([]string{""}, journal.Answers...)},
	{name: "rule", label: "Rule", hint: "id of an entry"},
	{name: "queue-id", label: "Queue id"},
}

// messages searches the journal, as alignd log does.
func (a *asked) messages() (*page, error) {
	if id := a.get("id"); id != "" {
		return nil, elsewhere{to("/message"+string(a.format), "id", id)}
	}
	q, err := a.opt.Backend.Query(a.get, a.now)
	if err != nil {
		return nil, wrong("%s", strings.TrimPrefix(err.Error(), "--"))
	}
	skip, _ := strconv.Atoi(a.get("skip"))
	skip = min(max(skip, 0), maxSkip)
	most := rowsOfPage
	if a.format != asHTML {
		most = rowsOfFile
	}
	list, more, err := a.search(q, skip, most)
	if err != nil {
		return nil, err
	}
	p := &page{Command: a.logCommand(skip), Rows: messageTable(list)}
	p.Rows.Empty = "No message is like that."
	p.Rows.Live = true
	var objects []json.RawMessage
	if a.format == asJSON {
		for _, e := range list {
			objects = append(objects, explain.EntryJSON(e))
		}
	}
	p.Data = map[string]any{"messages": orEmpty(objects), "more": more}
	p.Blocks = []block{{Form: a.messageForm()}, {Table: p.Rows, Links: a.turn(skip, len(list), more)}}
	return p, nil
}

// search finds entries, without the first ones. more says that there are others.
func (a *asked) search(q journal.Query, skip, most int) (list []*journal.Entry, more bool, err error) {
	if err := a.opt.Backend.AsKept(&q); err != nil {
		return nil, false, wrong("%s", err)
	}
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	q.Limit = skip + most + 1
	err = r.Search(a.ctx, q, func(e *journal.Entry) error {
		if skip > 0 {
			skip--
			return nil
		}
		if !a.person.Auditor() {
			e = private(e)
		}
		list = append(list, e)
		return nil
	})
	if len(list) > most {
		list, more = list[:most], true
	}
	return list, more, err
}

// private is an entry without local parts of addresses.
func private(e *journal.Entry) *journal.Entry {
	c := *e
	c.Record = dropping.Record(e.Record)
	return &c
}

func (a *asked) skipped(err error) {
	if len(a.unread) < 5 {
		a.unread = append(a.unread, err.Error())
	}
}

func messageTable(list []*journal.Entry) *table {
	t := &table{Caption: "Messages, newest first", List: true, Columns: columns("Time", "Author Domain", "Client", "DMARC", "Delivery", "MTA was told", "Rule",
		"MAIL FROM", "SPF", "DKIM", "ARC", "Held back", "Reason", "Disposition", "Queue id")}
	for _, e := range list {
		t.Rows = append(t.Rows, messageRow(e))
	}
	return t
}

func messageRow(e *journal.Entry) []cell {
	r := e.Record
	ev, v := &r.Evidence, &r.Verdict
	author, client := journal.AuthorOf(r), explain.Client(r)
	from, held := cmp.Or(ev.MailFrom, "<>"), cell{}
	if would := v.Monitor.Delivery; would != "" && would != v.Delivery {
		held = word(string(would))
	}
	return []cell{
		linked(ev.Time.UTC().Format(time.DateTime), "/message", "id", cmp.Or(ev.Token, ev.QueueID, ev.MessageID)),
		linked(brief(cmp.Or(author, "-")), "/messages", "domain", author),
		linked(client, "/messages", "client", strings.TrimPrefix(client, "-")),
		word(explain.DMARC(r)), word(cmp.Or(string(v.Delivery), "none")), told(e), ruleCell(v.Rule),
		linked(brief(from), "/messages", "mail-from", ev.MailFromDomain),
		word(spfOf(r)), word(dkimOf(r)), word(cmp.Or(string(ev.ARC.Result), "-")), held, plain(brief(v.Reason)), word(cmp.Or(string(v.Disposition), "none")), plain(brief(ev.QueueID)),
	}
}

// told is what the MTA was told, and whether it heard that.
func told(e *journal.Entry) cell {
	o := &e.Record.Outcome
	c := cell{Class: "none", Sign: "·"}
	switch {
	case o.Reply.Code >= 500:
		c.Class, c.Sign = meaning("refuse")
		c.Text = o.Reply.String()
	case o.Reply.Code >= 400:
		c.Class, c.Sign = meaning("defer")
		c.Text = o.Reply.String()
	case o.Delivered:
		c.Class, c.Sign = meaning(cmp.Or(string(e.Record.Verdict.Delivery), "deliver"))
		c.Text = deliveredAs[e.Record.Verdict.Delivery]
	case o.End == record.EndAborted:
		c.Text = "nothing: it gave the message up"
	default:
		c.Text = "nothing"
	}
	switch e.Answer {
	case journal.AnswerLost:
		c.Class, c.Sign, c.Text = "mark", "?", "not heard: "+c.Text
	case journal.AnswerUnknown:
		c.Class, c.Sign, c.Text = "mark", "?", "perhaps not heard: "+c.Text
	}
	c.Text = terminal.Line(brief(c.Text))
	c.Title = c.Text // a narrow column cuts it
	return c
}

// deliveredAs says how a message was let through.
var deliveredAs = map[policy.Delivery]string{"": "let it through", policy.Deliver: "let it through", policy.DeliverTag: "let it through, marked", policy.DeliverHold: "hold it"}

func ruleCell(id string) cell {
	if id == "" {
		return plain("-")
	}
	return linked(brief(id), "/messages", "rule", id)
}

// brief is as much of a text as a row of many takes.
func brief(s string) string {
	const most = 160
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func spfOf(r *record.Record) string {
	if c := r.Evidence.ReportedSPF(); c != nil {
		return string(c.Result)
	}
	return "-"
}

func dkimOf(r *record.Record) string {
	found := "-"
	for i := range r.Evidence.DKIM { // a pass says the most, the first one else
		if s := string(r.Evidence.DKIM[i].Result); i == 0 || s == "pass" {
			found = s
		}
	}
	return found
}

func (a *asked) messageForm() *form {
	f := &form{Action: "/messages", Submit: "Search", Fields: []field{{Name: "id", Label: "Queue id, token or Message-ID", Value: ""}}}
	for _, x := range filters {
		f.Fields = append(f.Fields, field{Name: x.name, Label: x.label, Hint: x.hint, Choices: x.choices, Value: a.get(x.name)})
	}
	return f
}

// turn are the links to older and newer messages. All pages of a search end at one time,
// so that what comes meanwhile shifts none.
func (a *asked) turn(skip, shown int, more bool) (list []link) {
	page := func(text string, skip int) {
		q := url.Values{}
		for name, values := range a.query {
			if slices.ContainsFunc(filters, func(f filter) bool { return f.name == name }) && values[0] != "" {
				q.Set(name, a.get(name))
			}
		}
		if q.Get("until") == "" {
			q.Set("until", a.now.Format(time.RFC3339Nano))
		}
		if skip > 0 {
			q.Set("skip", strconv.Itoa(skip))
		}
		list = append(list, link{text, "/messages?" + q.Encode()})
	}
	if skip > 0 {
		page("← newer", max(0, skip-rowsOfPage))
	}
	if more && skip+shown < maxSkip {
		page("older →", skip+shown)
	}
	return list
}

// logCommand is the command line that lists the same.
func (a *asked) logCommand(skip int) string {
	b := []string{"alignd log"}
	for _, f := range filters {
		if v := a.get(f.name); v != "" {
			b = append(b, "--"+f.name+" "+shellWord(v))
		}
	}
	if skip > 0 {
		b = append(b, fmt.Sprintf("--limit %d | tail -n +%d", skip+rowsOfPage, skip+1))
	}
	return strings.Join(b, " ")
}

// shellWord quotes a word for a shell.
func shellWord(s string) string {
	s = terminal.Line(s)
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// deliveredAnyway reports whether a verdict let the message through unmarked.
func deliveredAnyway(v *policy.Verdict) bool { return v.Delivery == policy.Deliver || v.Delivery == "" }
