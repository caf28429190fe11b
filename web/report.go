package web

import (
	"cmp"
	"encoding/json"
	"strings"

	"alignd/internal/terminal"
)

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
}

// report is one that we send: as a table, and as it is sent.
func (a *asked) report() (*page, error) {
	id := a.get("id")
	raw, xml, err := a.opt.Backend.Report(a.ctx, id)
	if err != nil {
		return nil, said{404, "There is no report of that name in the outbox: " + err.Error()}
	}
	var r oneReport
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	t := &table{Caption: "Rows", Live: true, Empty: "It has no rows.", Columns: columns("Source", "#Messages", "Disposition", "DKIM", "SPF", "From", "Why otherwise")}
	p := &page{Title: "Report " + terminal.Line(id), Command: "alignd report status", Rows: t, Data: raw}
	for i := range r.Reports {
		x := &r.Reports[i]
		p.Blocks = append(p.Blocks, block{Lines: []explained{{Name: "about", Text: terminal.Line(x.Domain)}, {Name: "by", Text: terminal.Line(x.OrgName + " " + x.Email)},
			{Name: "from", Text: terminal.Line(x.Begin)}, {Name: "to", Text: terminal.Line(x.End)}, {Name: "policy", Text: terminal.Line("p=" + x.Policy.P)}}})
		for k := range x.Records {
			row := &x.Records[k]
			if len(t.Rows) == rowsOfFile || len(t.Rows) == 500 && a.format == asHTML {
				break
			}
			var why []string
			for _, reason := range row.Reasons {
				why = append(why, reason.Type+" "+reason.Comment)
			}
			t.Rows = append(t.Rows, []cell{linked(row.SourceIP, "/messages", "client", row.SourceIP, "domain", x.Domain), number(row.Count), word(cmp.Or(row.Disposition, "-")), word(row.DKIM), word(row.SPF),
				plain(row.HeaderFrom), plain(strings.Join(why, "; "))})
		}
	}
	p.Blocks = append(p.Blocks, block{Table: t}, block{Heading: "As it is sent", Note: "The XML in the mail.", Pre: printableLines(xml)})
	return p, nil
}
