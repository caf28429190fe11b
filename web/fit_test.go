package web

import (
	"fmt"
	"strings"
	"testing"
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
	_, text, _ := s.get("/reports")
	if len(text) > 300_000 || !strings.Contains(text, "000aaa") || !strings.Contains(text, "as they are long") {
		t.Errorf("/reports has %d octets", len(text))
	}
	if _, text, _ := s.get("/reports.csv"); !strings.Contains(text, "299aaa") {
		t.Error("CSV has not all")
	}
}
