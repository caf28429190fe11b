package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"alignd/internal/terminal"
)

// reportStatus is what of the JSON of alignd report status is shown.
type reportStatus struct {
	Counting []struct {
		Domain   string `json:"policy_domain"`
		Day      string
		Rows     int64
		Messages int64
		Sent     bool `json:"will_be_sent"`
		Reason   string
	}
	CountingAll int64 `json:"counting_all"`
	Outbox      []outboxItem
	States      map[string]int `json:"outbox_states"` // of all of the outbox
	Suppressed  []struct {
		Target, Until, Reason string
		Holds                 bool
		Times                 int
	}
	Failures []struct {
		Domain     string `json:"policy_domain"`
		Since, Due string
		Messages   int64
	}
}

// outboxItem is a report to one address.
type outboxItem struct {
	ID      string `json:"report_id"`
	Domain  string `json:"policy_domain"`
	Day     string
	Target  string
	State   string
	Reason  string
	Next    string
	Changed string
	Tries   int
}

// kind says of which sort it is, by its id.
func (x *outboxItem) kind() string {
	if strings.HasPrefix(x.ID, "failure") {
		return "failure"
	}
	return "aggregate"
}

// outboxOnPage is how many rows of a table the page shows; ours. CSV and JSON have all.
const outboxOnPage = 100

// noReports says what turns them on.
const noReports = "No reports are sent: reports.from is not set. An address there (reports: {from: dmarc@example.net}) turns them on, and reports.to says to whom they go; alignd report dns tells what they need in DNS."

// reports are those that we owe, where they are, and those of others.
func (a *asked) reports() (*page, error) {
	p := &page{Command: "alignd report status"}
	var raw json.RawMessage
	if a.cfg.Reports.From == "" {
		p.Blocks = append(p.Blocks, block{Heading: "What we send", Alert: noReports})
	} else {
		var s reportStatus
		var err error
		if raw, err = a.opt.Backend.ReportStatus(a.ctx, a.get("domain"), a.get("state")); err != nil {
			return nil, err
		}
		if !a.person.Auditor() { // before texts are cut, which an "@" may be behind
			if raw, err = hiddenJSON(a.ctx, raw); err != nil {
				return nil, err
			}
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		p.Rows = a.outbox(&s)
		p.Blocks = append(p.Blocks, block{Heading: "What we send", Stats: s.standing(), Links: s.links()}, block{Table: p.Rows},
			block{Heading: "Suppressions", Note: "An address that does not exist gets none for a while, each further time for twice as long.", Table: s.suppressions(a.format)},
			block{Heading: "Not sent yet", Table: s.counted(a.format)})
		if len(a.cfg.Reports.Failure.To) > 0 || len(s.Failures) > 0 {
			p.Blocks = append(p.Blocks, block{Table: s.held()})
		}
	}
	others, found, err := a.others()
	if err != nil {
		return nil, err
	}
	p.Blocks = append(p.Blocks, others...)
	if p.Rows == nil { // the CSV then has what there is
		p.Rows = others[1].Table
	}
	p.Data = map[string]any{"status": orObject(raw), "elsewhere": found}
	return p, nil
}

func orObject(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("{}")
	}
	return raw
}

// standing is the outbox by state.
func (s *reportStatus) standing() (list []stat) {
	for _, w := range slices.Sorted(maps.Keys(s.States)) {
		if s.States[w] == 0 {
			continue
		}
		class, _ := meaning(w)
		list = append(list, stat{Name: terminal.Line(w), Value: fmt.Sprint(s.States[w]), Class: class, Href: to("/reports", "state", w)})
	}
	return list
}

func (s *reportStatus) links() []link {
	return []link{{"All", "/reports"}, {"Aggregate reports", "/reports?kind=aggregate"}, {"Failure reports", "/reports?kind=failure"}, {"Those of others", "/reports/others"}}
}

// outbox are the reports that were cut, in the states, domains and kinds that are asked for.
func (a *asked) outbox(s *reportStatus) *table {
	t := &table{Caption: "Outbox, newest first", Columns: columns("Policy Domain", "Day", "~Kind", "To", "State", "~Since", "~#Tries", "~Next", "Reason", "Report"), Empty: "The outbox is empty.", Live: true}
	state, kind, name := a.get("state"), a.get("kind"), a.get("domain")
	matching := 0
	for i := range s.Outbox {
		x := &s.Outbox[i]
		if state != "" && x.State != state || kind != "" && x.kind() != kind || name != "" && x.Domain != name {
			continue
		}
		if matching++; len(t.Rows) == rowsOfFile || len(t.Rows) == outboxOnPage && a.format == asHTML {
			continue
		}
		reason := x.Reason
		if reason == "" && x.Domain == "" {
			reason = "the report itself is forgotten"
		}
		if a.format == asHTML {
			reason = brief(reason)
		}
		t.Rows = append(t.Rows, []cell{linked(x.Domain, "/reports", "domain", x.Domain), plain(x.Day), plain(x.kind()), plain(x.Target), word(x.State), plain(readable(x.Changed)), number(x.Tries), plain(readable(x.Next)), plain(reason),
			linked(x.ID, "/report", "id", x.ID)})
	}
	if matching > len(t.Rows) {
		t.Caption += fmt.Sprintf("; %d of %d", len(t.Rows), matching)
	}
	all := 0
	for _, n := range s.States {
		all += n
	}
	if name+state == "" && all > len(s.Outbox) {
		t.Caption += fmt.Sprintf("; the newest %d of %d, alignd report status has all", len(s.Outbox), all)
	}
	if state+kind+name != "" {
		t.Empty = "No report of the outbox is so."
	}
	return t
}

func (s *reportStatus) counted(f format) *table {
	t := &table{Caption: "Being counted", Columns: columns("Policy Domain", "Day", "#Rows", "#Messages", "Will be sent", "Why not"), Empty: "Nothing is counted."}
	for i := range s.Counting {
		x := &s.Counting[i]
		if len(t.Rows) == 50 && f == asHTML {
			break
		}
		t.Rows = append(t.Rows, []cell{linked(x.Domain, "/domain", "name", x.Domain), plain(x.Day), number(x.Rows), number(x.Messages), plain(yesNo(x.Sent)), plain(x.Reason)})
	}
	if s.CountingAll > int64(len(t.Rows)) {
		t.Caption += fmt.Sprintf("; %d of %d", len(t.Rows), s.CountingAll)
	}
	return t
}

// suppressions are addresses that get none, and those whose time is over but is doubled
// should it happen again.
func (s *reportStatus) suppressions(f format) *table {
	t := &table{Caption: "Get none for a while", Columns: columns("Address", "Holds", "Until", "#Times", "Why"), Empty: "Nobody is kept from getting reports."}
	for _, holds := range []bool{true, false} {
		for i := range s.Suppressed {
			if x := &s.Suppressed[i]; x.Holds == holds && (len(t.Rows) < outboxOnPage || f != asHTML) {
				t.Rows = append(t.Rows, []cell{plain(x.Target), plain(yesNo(x.Holds)), plain(readable(x.Until)), number(x.Times), plain(brief(x.Reason))})
			}
		}
	}
	if n := len(s.Suppressed); n > len(t.Rows) {
		t.Caption += fmt.Sprintf("; %d of %d", len(t.Rows), n)
	}
	return t
}

// held are failure reports that gather further messages until they leave.
func (s *reportStatus) held() *table {
	t := &table{Caption: "Failure reports that are held (alignd report preview --failure DOMAIN prints them)", Columns: columns("Policy Domain", "Since", "Leaves", "#Messages"), Empty: "None are held."}
	for i := range s.Failures {
		x := &s.Failures[i]
		if len(t.Rows) == outboxOnPage {
			t.Caption += fmt.Sprintf("; %d of %d", outboxOnPage, len(s.Failures))
			break
		}
		t.Rows = append(t.Rows, []cell{linked(x.Domain, "/domain", "name", x.Domain), plain(readable(x.Since)), plain(readable(x.Due)), number(x.Messages)})
	}
	return t
}

// readable is a time of RFC 3339 as the pages write it; what is none stays.
func readable(s string) string {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC().Format(time.DateTime)
	}
	return s
}
