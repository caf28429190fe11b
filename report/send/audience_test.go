package send

import (
	"testing"

	"alignd/journal/state"
)

func TestWhoGetsReports(t *testing.T) {
	passed := map[string]bool{"shop.example": true}
	for _, row := range []struct {
		name                     string
		to                       Audience
		own, shop, named, victim bool // get one
	}{
		{name: "deserving", to: Audience{Deserving: true}, own: true, shop: true},
		{name: "all", to: Audience{All: true}, own: true, shop: true, named: true, victim: true},
		{name: "own alone, behind a gateway", own: true},
		{name: "named", to: Audience{Domains: []string{"named.example"}}, own: true, named: true},
		{name: "none", to: Audience{None: true}},
	} {
		s := New(nil, Settings{From: "dmarc@sends.example", To: row.to, Own: func(d string) bool { return d == "here.test" }})
		for domain, want := range map[string]bool{"here.test": row.own, "sends.example": row.own, "shop.example": row.shop, "named.example": row.named, "victim.example": row.victim} {
			if why := s.why(&state.Draft{Domain: domain, Wanted: 1}, passed); (why == "") != want {
				t.Errorf("%s: %s: %q", row.name, domain, why)
			}
		}
		if why := s.why(&state.Draft{Domain: "here.test"}, passed); why == "" {
			t.Errorf("%s: a report about reports alone", row.name)
		}
	}
}
