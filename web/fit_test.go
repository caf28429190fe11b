package web

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"alignd/replay"
)

// Names as long as DNS has them make no page larger than 300 KB, and CSV has all.
func TestLongNamesMakeNoLargePage(t *testing.T) {
	var out, suppressed, counted []string
	for i := range 300 {
		name := fmt.Sprintf("%03d", i) + strings.Repeat(strings.Repeat("a", 61)+".", 4)[:240] + ".example"
		out = append(out, fmt.Sprintf(`{"report_id":"%s.%d","policy_domain":%q,"target":"%s@%s","state":"given up","reason":%q}`, name, i, name, strings.Repeat("l", 64), name, strings.Repeat("<", 500)))
		suppressed = append(suppressed, fmt.Sprintf(`{"target":"l@%s","holds":true,"reason":%q}`, name, strings.Repeat("<", 500)))
		counted = append(counted, fmt.Sprintf(`{"policy_domain":%q,"rows":7,"messages":8}`, name))
	}
	b := &shownReports{backend: plant(t, usual(1)...), status: `{"outbox":[` + strings.Join(out, ",") + `],"suppressed":[` + strings.Join(suppressed, ",") + `],"counting":[` + strings.Join(counted, ",") + `]}`}
	s := serve(t, b, asAuditor)
	_, text, _ := s.Get("/reports")
	if len(text) > 300_000 || !strings.Contains(text, "000aaa") || !strings.Contains(text, "as they are long") {
		t.Errorf("/reports has %d octets", len(text))
	}
	if _, text, _ := s.Get("/reports.csv"); !strings.Contains(text, "299aaa") {
		t.Error("CSV has not all")
	}
}

// manyGroups has results of jobs with as many groups as there may be, of names as long as
// DNS has them.
type manyGroups struct{ *backend }

func (b *manyGroups) Replay(_ context.Context, ask *ReplayAsk, _ Progress) (*Replayed, error) {
	r := &Replayed{Since: ask.Since, Replay: Replay{By: replay.ByDomain}}
	for i := range 300 {
		r.Groups = append(r.Groups, replay.Group{Value: fmt.Sprintf("%03d", i) + strings.Repeat(strings.Repeat("'", 61)+".", 4)[:240] + ".example", Counters: replay.Counters{Total: 1, WouldRefuse: 1}})
	}
	r.Also = []replay.Grouping{{By: replay.ByClient, Groups: r.Groups}, {By: replay.ByRule, Groups: r.Groups}}
	return r, nil
}

// Results side by side are no larger, and each of them has its part of the page.
func TestLongTablesSideBySideMakeNoLargePage(t *testing.T) {
	s := serve(t, &manyGroups{plant(t, usual(1)...)}, asAuditor)
	var jobs []string
	for range 2 {
		_, _, header := s.Post("/whatif", "/whatif/try", url.Values{"text": {testConfig}, "since": {"1d"}})
		jobs = append(jobs, s.ended(header.Get("Location")))
	}
	against := jobs[0] + "&against=" + strings.TrimPrefix(jobs[1], "/job?id=")
	_, text, _ := s.Get(against)
	columns := strings.Split(text, "Alone, with samples")
	if len(text) > 300_000 || len(columns) != 3 {
		t.Fatalf("%d octets, %d columns", len(text), len(columns)-1)
	}
	for i, c := range columns[1:] {
		if !strings.Contains(c, "000&#39;") || !strings.Contains(c, "as they are long") {
			t.Errorf("column %d has no groups, or does not say that they are cut", i)
		}
	}
	if _, text, _ := s.Get(strings.Replace(against, "/job?", "/job.json?", 1)); strings.Count(text, `"299'''`) != 6 {
		t.Errorf("JSON has not all")
	}
}
