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
	minor             bool
}

var filters = []filter{
	{name: "since", label: "Since", hint: "7d, 6h, 2026-01-31"},
	{name: "until", label: "Until", hint: "1d, 2026-02-01", minor: true},
	{name: "domain", label: "Author Domain", hint: "example.com"},
	{name: "client", label: "Client", hint: "192.0.2.0/24"},
	{name: "mail-from", label: "MAIL FROM", hint: "domain or address"},
	{name: "dmarc", label: "DMARC", choices: []string{"", "pass", "fail", "none", "temperror", "permerror"}},
	{name: "delivery", label: "Delivery", choices: []string{"", "deliver", "tag", "hold", "defer", "refuse"}},
	{name: "would", label: "Held back", choices: []string{"", "tag", "hold", "defer", "refuse"}, minor: true},
	{name: "spf", label: "SPF", choices: []string{"", "pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"}, minor: true},
	{name: "dkim", label: "DKIM", choices: []string{"", "pass", "fail", "neutral", "policy", "temperror", "permerror"}, minor: true},
	{name: "arc", label: "ARC", choices: []string{"", "none", "pass", "fail"}, minor: true},
	{name: "disposition", label: "Disposition", choices: []string{"", "accept", "quarantine", "reject", "tempfail"}, minor: true},
	{name: "answer", label: "Heard by the MTA", choices: append([]string{""}, journal.Answers...), minor: true},
	{name: "rule", label: "Rule", hint: "id of an entry", minor: true},
	{name: "queue-id", label: "Queue id", minor: true},
}

// messages searches the journal, as alignd log does.
func (a *asked) messages() (*page, error) {
	if id := a.get("id"); id != "" {
		return nil, redirect{to("/message"+string(a.format), "id", id)}
	}
	q, err := a.opt.Backend.Query(a.get, a.now)
	if err != nil {
		return nil, wrong("%s", strings.TrimPrefix(err.Error(), "--"))
	}
	at := a.section()
	list, more, err := a.search(q, at.skip, at.most)
	if err != nil {
		return nil, err
	}
	p := &page{Rows: messageTable(nil)}
	p.Rows.Empty = "No message is like that."
	p.Rows.Live = true
	var objects []json.RawMessage
	for _, e := range list {
		if err := a.ctx.Err(); err != nil {
			return nil, err
		}
		p.Rows.Rows = append(p.Rows.Rows, messageRow(e))
		if a.format == asJSON {
			objects = append(objects, explain.EntryJSON(e))
		}
	}
	if a.format == asHTML {
		at.shorten(p.Rows)
	}
	at.shown = len(p.Rows.Rows)
	at.more = more || at.skip+at.shown < at.from+len(list)
	p.Command = a.logCommand(&at)
	p.Data = map[string]any{"messages": orEmpty(objects), "more": more}
	p.Blocks = []block{{Form: a.messageForm()}, {Table: p.Rows, Links: a.turn(&at)}}
	return p, nil
}

// section is which of the messages of a search a page shows.
type section struct {
	from, skip  int // how many newer ones there are: of those that were read, and of those shown
	most, shown int
	more        bool // there are older ones
	back        bool // it ends where the page it was reached from begins
}

// section reads the parameters: skip is how many newer ones are left out, to is where a
// page ends that somebody turns back to. How many rows a page has depends on how long they
// are.
func (a *asked) section() (s section) {
	number := func(name string) int {
		n, _ := strconv.Atoi(a.get(name))
		return min(max(n, 0), maxSkip)
	}
	s.most, s.from = rowsOfPage, number("skip")
	if end := number("to"); end > 0 {
		s.back, s.from = true, max(0, end-rowsOfPage)
		s.most = end - s.from
	}
	if a.format != asHTML {
		s.most = rowsOfFile
	}
	s.skip = s.from
	return s
}

// messagesOctets is how many octets of rows a page of messages has; ours. The form and the
// links beside take of pageOctets, too.
const messagesOctets = 240_000

// shorten leaves out the rows that a page has no room for, those at the end, or at the
// beginning where somebody turned back; the links go on from what is left.
func (s *section) shorten(t *table) {
	if s.back {
		slices.Reverse(t.Rows)
	}
	rows := t.part()
	kept, _ := rows.fits(messagesOctets)
	kept = max(kept, min(1, len(t.Rows)))
	if s.back {
		s.skip += len(t.Rows) - kept
	}
	t.Rows = t.Rows[:kept]
	if s.back {
		slices.Reverse(t.Rows)
	}
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
	t := &table{Caption: "Messages, newest first", List: true, Columns: columns("Time", "Author Domain", "Client", "DMARC", "Delivery", "~MTA was told", "Rule",
		"~MAIL FROM", "~SPF", "~DKIM", "~ARC", "Held back", "Reason", "~Disposition", "~Queue id")}
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
		f.Fields = append(f.Fields, field{Name: x.name, Label: x.label, Hint: x.hint, Choices: x.choices, Value: a.get(x.name), Minor: x.minor})
	}
	return f
}

// turn are the links to older and newer messages. All pages of a search end at one time,
// so that what comes meanwhile shifts none.
func (a *asked) turn(s *section) (list []link) {
	page := func(text, name string, at int) {
		q := url.Values{}
		for name, values := range a.query {
			if slices.ContainsFunc(filters, func(f filter) bool { return f.name == name }) && values[0] != "" {
				q.Set(name, a.get(name))
			}
		}
		if q.Get("until") == "" {
			q.Set("until", a.now.Format(time.RFC3339Nano))
		}
		q.Set(name, strconv.Itoa(at))
		list = append(list, link{text, "/messages?" + q.Encode()})
	}
	if s.skip > 0 {
		page("← newer", "to", s.skip)
	}
	if end := s.skip + s.shown; s.more && end < maxSkip {
		page("older →", "skip", end)
	}
	return list
}

// logCommand is the command line that lists the same.
func (a *asked) logCommand(s *section) string {
	b := []string{"alignd log"}
	for _, f := range filters {
		if v := a.get(f.name); v != "" {
			b = append(b, "--"+f.name+" "+shellWord(v))
		}
	}
	if s.skip > 0 || s.more && s.shown < rowsOfPage {
		b = append(b, fmt.Sprintf("--limit %d", s.skip+s.shown))
	}
	if s.skip > 0 {
		b = append(b, fmt.Sprintf("| tail -n +%d", s.skip+1))
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
