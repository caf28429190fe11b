package send

import (
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/report/aggregate"
)

// Who has to agree before reports go there is a question of Organizational Domains, not
// of what a name looks like (RFC 9990 section 4).
func TestWhoHasToAgree(t *testing.T) {
	zone := `
_dmarc.corp.example. TXT "v=DMARC1; p=none"
_dmarc.bank.example. TXT "v=DMARC1; p=none; psd=y; rua=mailto:r@giant.bank.example"
_dmarc.apart.corp.example. TXT "v=DMARC1; p=none; psd=n"
_dmarc.down.example. SERVFAIL
news.corp.example._report._dmarc.agrees.example. TXT "v=DMARC1"
news.corp.example._report._dmarc.down.example. TXT "v=DMARC1"
`
	for _, row := range []struct {
		name, policy, rua string
		discovery         evidence.Discovery
		gets, later       bool
	}{
		{name: "the Policy Domain itself", policy: "news.corp.example", rua: "r@news.corp.example", gets: true},
		{name: "its organization", policy: "news.corp.example", rua: "r@corp.example", gets: true},
		{name: "beside it in the organization", policy: "news.corp.example", rua: "r@reports.corp.example", gets: true},
		{name: "below it", policy: "corp.example", rua: "r@a.b.corp.example", gets: true},
		{name: "below it, and of another organization", policy: "corp.example", rua: "r@apart.corp.example"},
		{name: "below a public suffix", policy: "bank.example", rua: "r@giant.bank.example"},
		{name: "the public suffix itself", policy: "bank.example", rua: "r@bank.example", gets: true},
		{name: "another organization", policy: "news.corp.example", rua: "r@other.example"},
		{name: "another organization that agrees", policy: "news.corp.example", rua: "r@agrees.example", gets: true},
		{name: "DNS does not say which organization", policy: "corp.example", rua: "r@x.down.example", later: true},
		{name: "it does not, but the host agrees", policy: "news.corp.example", rua: "r@down.example", gets: true},
		{name: "by the list, below a private suffix", policy: "one.github.io", rua: "r@two.github.io", discovery: evidence.PSL},
		{name: "by the list, one organization", policy: "news.corp.example", rua: "r@corp.example", discovery: evidence.PSL, gets: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.discovery == "" {
				row.discovery = evidence.TreeWalk
			}
			s := New(nil, Settings{DNS: zoneOf(t, zone), PSLGuard: true})
			list := s.targetsOf(t.Context(), &about{Scope: aggregate.Scope{Domain: row.policy, Discovery: row.discovery}, RUA: []string{"mailto:" + row.rua}})
			if len(list) != 1 || (list[0].refused == "") != row.gets || list[0].later != row.later || !strings.HasSuffix(row.rua, list[0].address) {
				t.Errorf("%+v", list)
			}
		})
	}
}
