package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/journal/state"
	"alignd/web/access"
)

// shownReports is a backend with an outbox of its own.
type shownReports struct {
	*backend
	status string
	report *Report
}

func (b *shownReports) ReportStatus(_ context.Context, _, _ string) (json.RawMessage, error) {
	return json.RawMessage(b.status), nil
}
func (b *shownReports) Report(context.Context, string, int) (*Report, error) { return b.report, nil }

const outboxOfAll = `{"counting_all":7,"counting":[{"policy_domain":"c.example","day":"2026-11-28","rows":1,"messages":2,"will_be_sent":true}],"outbox_states":{"sent":9,"put off":1,"given up":1,"waiting":0},"outbox":[
 {"report_id":"a1","policy_domain":"x.example","day":"2026-11-27","target":"r@x.example","state":"sent","changed":"2026-11-28T01:00:00Z","tries":1},
 {"report_id":"a2","policy_domain":"y.example","day":"2026-11-27","target":"r@y.example","state":"put off","reason":"450 later","next":"2026-11-28T03:00:00Z","tries":2},
 {"report_id":"failure3","policy_domain":"x.example","day":"2026-11-28","target":"f@x.example","state":"given up","reason":"550 no","tries":1}],
 "suppressed":[{"target":"gone@z.example","until":"2026-12-05T00:00:00Z","holds":true,"times":2,"reason":"550 5.1.1 no such user"},
 {"target":"back@z.example","until":"2026-11-05T00:00:00Z","holds":false,"times":1,"reason":"550 5.1.1 not yet"}],
 "failures":[{"policy_domain":"held.example","since":"2026-11-28T00:00:00Z","due":"2026-11-29T00:00:00Z","messages":7}]}`

// The outbox is shown by state, kind and domain, with reasons; suppressions with until
// when and why; failure reports that are held.
func TestReportsByState(t *testing.T) {
	s := serve(t, &shownReports{backend: plant(t, usual(5)...), status: outboxOfAll}, asAuditor)
	for _, row := range []struct {
		path      string
		has, lack []string
	}{
		{path: "/reports", has: []string{"the newest 3 of 11", "1 of 7", "r@x.example", "put off", "450 later", "550 no", "2026-11-28 03:00:00", "gone@z.example", "2026-12-05 00:00:00", "5.1.1 no such user", "back@z.example", "held.example", "/reports?state=put&#43;off"}},
		{path: "/reports?state=put+off", has: []string{"450 later"}, lack: []string{"550 no", "r@x.example"}},
		{path: "/reports?kind=failure", has: []string{"550 no"}, lack: []string{"450 later"}},
		{path: "/reports.csv?domain=x.example", has: []string{"r@x.example", "f@x.example", "aggregate", "failure"}, lack: []string{"y.example"}},
		{path: "/reports.json", has: []string{`"suppressed"`, `"failures"`}},
		{path: "/reports?state=nothing", has: []string{"No report of the outbox is so."}},
	} {
		status, text, _ := s.Get(row.path)
		for _, w := range row.has {
			if status != 200 || !strings.Contains(text, w) {
				t.Errorf("%s: %d, no %q", row.path, status, w)
			}
		}
		for _, w := range row.lack {
			if strings.Contains(text, w) {
				t.Errorf("%s: has %q", row.path, w)
			}
		}
	}
}

// Without reports the page says so, and what to set.
func TestNoReportsAreSaidToBeOff(t *testing.T) {
	b := plant(t, usual(5)...)
	cfg, err := config.Parse(nil, "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.cfg = cfg
	s := serve(t, b, nil)
	for path, want := range map[string]string{"/reports": "reports.from is not set", "/reports.json": `"status":{}`, "/reports.csv": "Reporter"} {
		if status, text, _ := s.Get(path); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.300s", path, status, text)
		}
	}
}

// A report is shown as the mail that leaves, with its addresses for auditors alone. What is
// forgotten is said to be.
func TestAReportAsMail(t *testing.T) {
	b := &shownReports{backend: plant(t, usual(5)...), report: &Report{
		Raw:     json.RawMessage(`{"reports":[{"org_name":"Org","email":"local1@own.example","domain":"x.example","policy":{"p":"reject","sp":"none"},"records":[{"source_ip":"192.0.2.1","count":5,"disposition":"reject","header_from":"x.example"}]}]}`),
		Targets: []ReportTarget{{Address: "local2@x.example", State: "sent"}, {Address: "local3@y.example", State: "given up", Reason: "550 no local3@y.example"}},
		Mail: &ReportMail{From: "local4@own.example", To: "local2@x.example", Octets: 1234, Signed: []string{"s1._domainkey.own.example"},
			Fields: []MailField{{Name: "From", Value: `"Org" <local1@own.example>`}, {Name: "Subject", Value: "Report Domain: x.example"}},
			Parts:  []ReportPart{{Type: "text/plain", Text: "words\r\nfor people"}, {Type: "application/gzip", Name: "a.xml.gz", Encoding: "base64", Octets: 900, Text: "<feedback><email>local1@own.example</email>", Cut: true}}},
	}}
	for _, role := range []access.Role{access.Viewer, access.Auditor} {
		s := serve(t, b, func(o *Options) { o.Access.Role = role })
		for _, path := range []string{"/report?id=a", "/report.json?id=a", "/report.csv?id=a"} {
			status, text, _ := s.Get(path)
			if status != 200 || role == access.Viewer && strings.Contains(text, "local") {
				t.Errorf("%s, %s: %d %.100q", role, path, status, text[max(0, strings.Index(text, "local")-50):])
			}
			if path != "/report?id=a" {
				continue
			}
			for _, want := range []string{"Report Domain: x.example", "application/gzip", "a.xml.gz", "base64", "&lt;feedback&gt;", "s1._domainkey.own.example", "sp=none", "192.0.2.1", "/report?id=a&amp;n=1", "its first"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q", role, want)
				}
			}
			if role == access.Auditor && !strings.Contains(text, "local2@x.example") {
				t.Error("an auditor is shown no address")
			}
		}
		if status, _, _ := s.Get("/report?id=a&n=x"); status != 400 {
			t.Errorf("a number that is none: %d", status)
		}
	}
	b.report = &Report{Targets: []ReportTarget{{Address: "f@x.example", State: "sent"}}, Why: "what it told is forgotten"}
	if status, text, _ := serve(t, b, nil).Get("/report?id=failure1"); status != 200 || !strings.Contains(text, "forgotten") {
		t.Errorf("forgotten: %d %.300s", status, text)
	}
}

// A viewer sees no local part of an address that a cut leaves without its "@".
func TestReasonsAreHiddenBeforeTheyAreCut(t *testing.T) {
	b := &shownReports{backend: plant(t, usual(1)...)}
	s := serve(t, b, nil)
	for room := range 12 {
		reason := strings.Repeat("x", 160-5-room) + " <secretlocal@mx.example.net> is unknown"
		b.status = fmt.Sprintf(`{"outbox":[{"report_id":"a","policy_domain":"x.example","target":"r@x.example","state":"given up","reason":%q}],"suppressed":[{"target":"r@x.example","holds":true,"reason":%q}]}`, reason, reason)
		if status, text, _ := s.Get("/reports"); status != 200 || strings.Contains(text, "secret") {
			t.Errorf("%d octets are left: %d, a viewer sees the local part", room, status)
		}
	}
}

// noReport is a backend whose report cannot be read.
type noReport struct {
	*backend
	err error
}

func (b *noReport) Report(context.Context, string, int) (*Report, error) { return nil, b.err }

// A report that is not there is another thing than a store that is away.
func TestAReportThatCannotBeRead(t *testing.T) {
	b := &noReport{backend: plant(t, usual(1)...)}
	s := serve(t, b, nil)
	for _, row := range []struct {
		err  error
		want int
	}{{fmt.Errorf("report x: %w", state.ErrUnknown), 404}, {errors.New("the database is away"), 500}} {
		b.err = row.err
		if status, text, _ := s.Get("/report?id=x"); status != row.want || !strings.Contains(text, row.err.Error()) {
			t.Errorf("%v: %d", row.err, status)
		}
	}
}

// The command that is named prints the mail that is shown.
func TestAMailToAnotherAddressHasItsCommand(t *testing.T) {
	b := &shownReports{backend: plant(t, usual(1)...), report: &Report{Targets: []ReportTarget{{Address: "one@a.example"}, {Address: "two@b.example"}}}}
	for path, want := range map[string]string{"/report?id=x": "alignd report mail x<", "/report?id=x&n=1": "alignd report mail x --to two@b.example<", "/report?id=x&n=2": "alignd report mail x<"} {
		if _, text, _ := serve(t, b, asAuditor).Get(path); !strings.Contains(text, "<code>"+want) {
			t.Errorf("%s: no %q", path, want)
		}
	}
	if _, text, _ := serve(t, b, nil).Get("/report?id=x&n=1"); strings.Contains(text, "--to") || strings.Contains(text, "two@") {
		t.Error("a viewer is told of an address")
	}
}
