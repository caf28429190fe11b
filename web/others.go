package web

import (
	"cmp"
	"fmt"
	"time"

	"alignd/journal/state"
)

// others are the reports that others send about own domains, beside what came here.
func (a *asked) others() ([]block, *state.Elsewhere, error) {
	st, err := a.opt.Backend.State(a.ctx)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	found, err := st.Elsewhere(a.ctx, state.ElsewhereQuery{Since: a.now.Truncate(24*time.Hour).AddDate(0, 0, -30)})
	if err != nil {
		return nil, nil, err
	}
	by := &table{Caption: "Reporters", Columns: columns("Reporter", "#Reports", "#Messages", "Last"), Empty: "Nobody reported: alignd report import stores what comes."}
	for _, r := range found.Reporters {
		by.Rows = append(by.Rows, []cell{plain(r.Name), number(r.Reports), number(r.Messages), plain(dayOrNone(r.Last))})
	}
	t := &table{Caption: "Sources, those with the most failing mail first", Columns: columns("Author Domain", "Network", "#Messages", "#Pass", "#Rejected", "#Quarantined", "Signed by", "SPF of", "Reporters"), Empty: "None."}
	for i := range found.Sources {
		x := &found.Sources[i]
		if len(t.Rows) == 200 {
			break
		}
		t.Rows = append(t.Rows, []cell{linked(x.Author, "/senders", "domain", x.Author), linked(cmp.Or(x.Network, "(others)"), "/messages", "client", x.Network), number(x.Messages), number(x.Pass),
			number(x.Rejected), number(x.Quarantined), plain(joinedBriefly(x.Signers)), plain(joinedBriefly(x.Senders)), plain(joinedBriefly(x.Reporters))})
	}
	return []block{{Heading: "What others report about own domains", Note: "Of 30 days. Links lead to what came here ourselves.", Table: by}, {Table: t}}, found, nil
}

func joinedBriefly(list []string) string {
	text := ""
	for i, s := range list {
		if i == 3 {
			return text + fmt.Sprintf(" +%d", len(list)-3)
		}
		if i > 0 {
			text += " "
		}
		text += s
	}
	return text
}
