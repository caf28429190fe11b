package policy

import (
	"fmt"
	"strings"
	"testing"

	"alignd/evidence"
)

// Identifiers say of SPF and each signature whether it is aligned (RFC 9989 section 4.4).
func TestIdentifiersTellWhatIsAligned(t *testing.T) {
	ev := &evidence.Message{MailFrom: "x@mail.bank.example",
		SPF: evidence.SPF{MailFrom: &evidence.SPFCheck{Domain: "mail.bank.example", Result: evidence.Pass}},
		DKIM: []evidence.Signature{{Domain: "bank.example", Result: evidence.Fail}, {Domain: "vendor.example", Result: evidence.Pass},
			{Domain: "news.bank.example", Result: evidence.Pass}}}
	dm := evidence.DMARC{AuthorDomain: "bank.example", OrgDomain: "bank.example", SPFAligned: true,
		Compared: []evidence.Organization{{Domain: "mail.bank.example", OrgDomain: "bank.example"}, {Domain: "vendor.example"}}}
	strict := dm
	strict.Published.StrictDKIM = true
	wide := dm
	wide.SPFAligned = false
	for _, row := range []struct {
		name string
		dm   evidence.DMARC
		wide bool
		want string
	}{
		{name: "relaxed", dm: dm, want: "mail.bank.example counts, bank.example aligned, vendor.example -, news.bank.example counts"},
		{name: "strict", dm: strict, want: "mail.bank.example counts, bank.example aligned, vendor.example -, news.bank.example -"},
		{name: "a record that matches everybody", dm: wide, wide: true, want: "mail.bank.example ignored, bank.example aligned, vendor.example -, news.bank.example counts"},
	} {
		ev.SPF.MailFrom.Wide = row.wide
		var got []string
		for _, x := range Identifiers(ev, &row.dm) {
			how := "-"
			switch {
			case x.Counts():
				how = "counts"
			case x.Ignored:
				how = "ignored"
			case x.Aligned:
				how = "aligned"
			}
			got = append(got, fmt.Sprint(x.Domain, " ", how))
		}
		if got := strings.Join(got, ", "); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}
