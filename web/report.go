package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"alignd/internal/terminal"
	"alignd/journal/state"
)

// Report is a report of the outbox.
type Report struct {
	// Raw is what alignd report show --json prints of its mail; nil where what it told is
	// forgotten.
	Raw json.RawMessage `json:"report"`
	// Targets are the addresses that it goes to.
	Targets []ReportTarget `json:"targets"`
	// Mail is that to one of them; nil where what it told is forgotten.
	Mail *ReportMail `json:"mail"`
	// Why there is no mail.
	Why string `json:"why,omitempty"`
}

// ReportTarget is where a report to an address stands.
type ReportTarget struct {
	Address string `json:"target"`
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Next    string `json:"next,omitempty"`
	Changed string `json:"changed"`
	Tries   int    `json:"tries"`
}

// ReportMail is a mail as it leaves, but for the signatures: only the daemon may read the
// keys.
type ReportMail struct {
	From   string       `json:"envelope_from"`
	To     string       `json:"envelope_to"`
	Octets int          `json:"octets"`
	Signed []string     `json:"signed_by"` // SELECTOR._domainkey.DOMAIN
	Fields []MailField  `json:"header"`
	Parts  []ReportPart `json:"parts"`
}

// MailField is a header field, unfolded.
type MailField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ReportPart is a part of a mail, decoded.
type ReportPart struct {
	Type     string `json:"type"`
	Name     string `json:"name,omitempty"`
	Encoding string `json:"encoding,omitempty"`
	Octets   int    `json:"octets"` // as it is sent
	Text     string `json:"text"`
	// Cut: the text is longer than a page shows.
	Cut bool `json:"cut"`
}

// oneReport is what of the JSON of alignd report show is shown.
type oneReport struct {
	Reports []struct {
		OrgName string `json:"org_name"`
		Email   string
		ID      string `json:"report_id"`
		Begin   string
		End     string
		Domain  string
		Policy  struct{ P, SP, NP, ADKIM, ASPF string }
		Records []struct {
			SourceIP    string `json:"source_ip"`
			Count       uint64
			Disposition string
			DKIM, SPF   string
			HeaderFrom  string `json:"header_from"`
			Reasons     []struct{ Type, Comment string }
		}
	}
	Failures []struct {
		Failure  string `json:"auth_failure"`
		Domain   string `json:"reported_domain"`
		SourceIP string `json:"source_ip"`
		From     string `json:"original_mail_from"`
		Arrival  string `json:"arrival_date"`
	}
}

// report is one that we send: as a table, and as the mail that leaves.
func (a *asked) report() (*page, error) {
	id := a.get("id")
	n, err := strconv.Atoi(cmp.Or(a.get("n"), "0"))
	if err != nil || n < 0 {
		return nil, wrong("%q is no number of an address", a.get("n"))
	}
	found, err := a.opt.Backend.Report(a.ctx, id, n)
	if errors.Is(err, state.ErrUnknown) {
		return nil, said{404, "There is no such report in the outbox: " + err.Error()}
	}
	if err != nil {
		return nil, err
	}
	p := &page{Title: "Report " + terminal.Line(id), Command: "alignd report mail " + shellWord(id), Data: found}
	if n > 0 && n < len(found.Targets) && a.person.Auditor() { // others have no address that could be typed
		p.Command += " --to " + shellWord(found.Targets[n].Address)
	}
	p.Rows = &table{Caption: "Rows", Live: true, Empty: "It has no rows.", Columns: columns("Source", "#Messages", "Disposition", "DKIM", "SPF", "From", "Why otherwise")}
	var r oneReport
	if found.Raw != nil {
		if err := json.Unmarshal(found.Raw, &r); err != nil {
			return nil, err
		}
	}
	p.Blocks = append(r.heads(), block{Heading: "To whom", Table: targetTable(id, found.Targets)})
	if len(r.Reports) > 0 {
		all := r.fill(p.Rows, a.format == asHTML)
		if all > len(p.Rows.Rows) {
			p.Rows.Caption += fmt.Sprintf("; %d of %d", len(p.Rows.Rows), all)
		}
		p.Blocks = append(p.Blocks, block{Heading: "As a table", Table: p.Rows})
	} else {
		p.Rows = p.Blocks[len(p.Blocks)-1].Table
	}
	if found.Mail == nil {
		p.Blocks = append(p.Blocks, block{Heading: "The mail", Note: terminal.Line(found.Why)})
		return p, nil
	}
	p.Blocks = append(p.Blocks, found.Mail.blocks()...)
	return p, nil
}

// heads say what the report is about.
func (r *oneReport) heads() (list []block) {
	for i := range r.Reports {
		x := &r.Reports[i]
		policy := "p=" + x.Policy.P
		for _, t := range [][2]string{{"sp", x.Policy.SP}, {"np", x.Policy.NP}, {"adkim", x.Policy.ADKIM}, {"aspf", x.Policy.ASPF}} {
			if t[1] != "" {
				policy += " " + t[0] + "=" + t[1]
			}
		}
		list = append(list, block{Lines: []explained{{Name: "about", Text: terminal.Line(x.Domain)}, {Name: "by", Text: terminal.Line(x.OrgName + " " + x.Email)},
			{Name: "from", Text: terminal.Line(x.Begin)}, {Name: "to", Text: terminal.Line(x.End)}, {Name: "policy", Text: terminal.Line(policy)}}})
	}
	for i := range r.Failures {
		x := &r.Failures[i]
		list = append(list, block{Note: "A failure report (RFC 9991).", Lines: []explained{{Name: "about", Text: terminal.Line(x.Domain)}, {Name: "what failed", Text: terminal.Line(x.Failure)},
			{Name: "source", Text: terminal.Line(x.SourceIP)}, {Name: "MAIL FROM", Text: terminal.Line(x.From)}, {Name: "came", Text: terminal.Line(x.Arrival)}}})
	}
	return list
}

// fill puts the rows of a report into a table, and says how many there are.
func (r *oneReport) fill(t *table, asPage bool) (all int) {
	for i := range r.Reports {
		x := &r.Reports[i]
		all += len(x.Records)
		for k := range x.Records {
			row := &x.Records[k]
			if len(t.Rows) == rowsOfFile || len(t.Rows) == 500 && asPage {
				break
			}
			var why []string
			for _, reason := range row.Reasons {
				why = append(why, reason.Type+" "+reason.Comment)
			}
			t.Rows = append(t.Rows, []cell{linked(row.SourceIP, "/messages", "client", row.SourceIP, "domain", row.HeaderFrom), number(row.Count), word(cmp.Or(row.Disposition, "-")), word(row.DKIM), word(row.SPF),
				plain(row.HeaderFrom), plain(strings.Join(why, "; "))})
		}
	}
	return all
}

func targetTable(id string, list []ReportTarget) *table {
	t := &table{Columns: columns("Address", "State", "Since", "#Tries", "Next", "Reason", "Mail"), Empty: "Nobody."}
	for i := range list {
		x := &list[i]
		t.Rows = append(t.Rows, []cell{plain(x.Address), word(x.State), plain(readable(x.Changed)), number(x.Tries), plain(readable(x.Next)), plain(x.Reason), linked(fmt.Sprintf("number %d", i+1), "/report", "id", id, "n", fmt.Sprint(i))})
	}
	return t
}

// blocks are the mail as it leaves: header, parts, and what is in them.
func (m *ReportMail) blocks() []block {
	note := "As it leaves, without a signature: reports.dkim names no key."
	if len(m.Signed) > 0 {
		note = "As it leaves; the daemon, which alone may read the keys, puts the signature of " + strings.Join(m.Signed, " and of ") + " on top."
	}
	b := block{Heading: "The mail", Note: terminal.Line(note + " It is made of what is kept each time, so after a change of reports.from or reports.organization it shows the new ones."), Lines: []explained{
		{Name: "MAIL FROM", Text: terminal.Line(m.From)}, {Name: "RCPT TO", Text: terminal.Line(m.To)}, {Name: "octets", Text: fmt.Sprint(m.Octets)}}}
	for _, f := range m.Fields {
		b.Lines = append(b.Lines, explained{Name: terminal.Line(f.Name) + ":", Text: terminal.Line(f.Value)})
	}
	parts := &table{Caption: "Parts", Columns: columns("Type", "Name", "Encoding", "#Octets"), Empty: "None."}
	list := []block{b, {Table: parts}}
	for i := range m.Parts {
		x := &m.Parts[i]
		parts.Rows = append(parts.Rows, []cell{plain(x.Type), plain(x.Name), plain(cmp.Or(x.Encoding, "7bit")), number(x.Octets)})
		shown := block{Heading: fmt.Sprintf("Part %d, decoded", i+1), Note: terminal.Line(x.Type + " " + x.Name), Pre: printableLines(strings.ReplaceAll(x.Text, "\r\n", "\n"))}
		if x.Cut {
			shown.Note += fmt.Sprintf(", its first %d octets", len(x.Text))
		}
		list = append(list, shown)
	}
	return list
}
