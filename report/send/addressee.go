package send

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"alignd/journal/state"
	"alignd/report/aggregate"
)

// Addressee is who would get a report.
type Addressee struct {
	Address string `json:"address"`
	// Why says why it will not, or what it depends on; empty where it will.
	Why string `json:"reason,omitempty"`
}

// Addressees are those of a draft, without a question to DNS, and the policy that the
// report is about, in words.
func (s *Sender) Addressees(ctx context.Context, d *state.Draft) (policy string, list []Addressee, err error) {
	data, err := s.state.About(ctx, d)
	if err != nil {
		return "", nil, err
	}
	var a about
	if err := json.Unmarshal(data, &a); err != nil {
		return "", nil, fmt.Errorf("report on %s: %w", d.Domain, err)
	}
	list = []Addressee{}
	for _, uri := range a.RUA {
		address, host, ok := mailbox(uri)
		if !ok || len(list) >= maxTargets || slices.ContainsFunc(list, func(x Addressee) bool { return x.Address == address }) {
			continue
		}
		x := Addressee{Address: address, Why: s.optedOut(address, host)}
		if no, err := s.state.Suppressed(ctx, address, s.now()); err != nil {
			return "", nil, err
		} else if x.Why == "" && no.Target != "" {
			x.Why = suppressed(&no)
		}
		if x.Why == "" && organization(host) != organization(a.Scope.Domain) {
			x.Why = host + " has to agree (RFC 9990 section 4), which is asked when the report is made"
		}
		list = append(list, x)
	}
	return PolicyWords(&a.Scope), list, nil
}

func suppressed(no *state.Suppression) string {
	return "until " + no.Until.Format(time.DateOnly) + ": " + no.Reason
}

// PolicyOf is the policy that a report is about which was cut, in words.
func PolicyOf(p *state.Part) string {
	var k kept
	if err := json.Unmarshal(p.About, &k); err != nil || k.Report == nil {
		return ""
	}
	return PolicyWords(&k.Report.Scope)
}

// PolicyWords tell apart the reports on one domain and day.
func PolicyWords(s *aggregate.Scope) string {
	p := &s.Policy
	words := []string{"p=" + string(p.P)}
	for _, tag := range []struct{ name, value string }{
		{"sp", string(p.SP)}, {"np", string(p.NP)}, {"t", p.Testing},
	} {
		if tag.value != "" {
			words = append(words, tag.name+"="+tag.value)
		}
	}
	if p.StrictDKIM {
		words = append(words, "adkim=s")
	}
	if p.StrictSPF {
		words = append(words, "aspf=s")
	}
	if p.Pct != 100 {
		words = append(words, fmt.Sprintf("pct=%d", p.Pct))
	}
	return strings.Join(append(words, string(s.Discovery)), " ")
}
