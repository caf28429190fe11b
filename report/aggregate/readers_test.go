package aggregate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/internal/readers"
)

// mailed are parts as they leave, and what others should read in each.
type mailed struct {
	schema Schema
	parts  []Part
	mails  []string
}

// mailAll writes the mails of reports, those of many rows in parts.
func mailAll(t *testing.T, reports []*Report, schema Schema) *mailed {
	t.Helper()
	m := &mailed{schema: schema}
	for i, rep := range reports {
		parts, err := split(rep, schema, func(part int) string { return fmt.Sprintf("id%dx%d", i, part) }, bounds{8, MaxSize, 40})
		if err != nil {
			t.Fatal(err)
		}
		for j := range parts {
			var b bytes.Buffer
			env := Envelope{Domain: "here.test", From: "dmarc@here.test", Name: "Here", To: "r@" + rep.Scope.Domain, Date: day.Add(26 * time.Hour)}
			if err := WriteMail(&b, &parts[j], env); err != nil {
				t.Fatal(err)
			}
			m.parts, m.mails = append(m.parts, parts[j]), append(m.mails, b.String())
		}
	}
	return m
}

// rows are the lines that a reader should show of part i.
func (m *mailed) rows(i int) (lines []string) {
	for _, row := range m.parts[i].Report.Rows {
		word := row.Disposition
		if word == Pass && m.schema == RFC7489 {
			word = None
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s\t%d", row.Source, word, aligned(row.DKIM), aligned(row.SPF), row.Count))
	}
	slices.Sort(lines)
	return lines
}

// cannotRead says what keeps a reader from reading part i; docs/reports.md tells of it.
func (m *mailed) cannotRead(reader string, i int) string {
	has := func(f func(Counted) bool) bool { return slices.ContainsFunc(m.parts[i].Report.Rows, f) }
	switch {
	case reader == "Perl Mail::DMARC" && m.schema == RFC9990:
		return "elements with a namespace"
	case reader == "npm dmarc-report-parser" && has(func(c Counted) bool { return len(c.Reasons) > 0 }):
		return "a reason"
	case reader == "npm dmarc-report-parser" && m.schema == RFC9990 && has(func(c Counted) bool { return c.Disposition == Pass }):
		return "the disposition pass"
	}
	return ""
}

// TestOthersReadOurReports has readers of Debian and of npm read the mails of reports as they
// leave, with what hostile senders write and with long reports in parts: each must count the
// same.
func TestOthersReadOurReports(t *testing.T) {
	for _, schema := range []Schema{RFC9990, RFC7489} {
		m := mailAll(t, count(world(400)), schema)
		for _, p := range readers.Reports() {
			t.Run(string(schema)+" "+p.Name, func(t *testing.T) { m.compare(t, p) })
		}
		t.Run(string(schema)+" dmarc-cat", m.compareCat)
	}
}

func leftOut(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("ALIGND_E2E") != "" {
		t.Fatal(err)
	}
	t.Skipf("left out: %v", err)
}

func (m *mailed) compare(t *testing.T, p *readers.Program) {
	s, err := p.Start()
	if errors.Is(err, readers.ErrMissing) {
		leftOut(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	answers, err := s.Ask(m.mails)
	if err != nil {
		t.Fatal(err)
	}
	read, unread := 0, map[string]int{}
	for i := range answers {
		shown, ok := answers[i][p.Name]
		if why := m.cannotRead(p.Name, i); why != "" {
			if ok && len(shown) > 0 {
				t.Errorf("part %d: it reads %s now: %q", i, why, shown)
			}
			unread[why]++
			continue
		}
		slices.Sort(shown)
		if want := m.rows(i); !slices.Equal(shown, want) {
			t.Fatalf("part %d is read as\n%s\nwant\n%s\n%q", i, strings.Join(shown, "\n"), strings.Join(want, "\n"), answers[i]["refused"])
		}
		read++
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d reports read with equal counts; not read: %v", read, len(answers), unread)
}

// compareCat does so with dmarc-cat, whose table has source and count only of what is counted.
func (m *mailed) compareCat(t *testing.T) {
	cat, err := exec.LookPath("dmarc-cat")
	if err != nil {
		leftOut(t, fmt.Errorf("needs dmarc-cat; make test installs it: %w", err))
	}
	for i, part := range m.parts {
		z, err := gzip.NewReader(bytes.NewReader(part.GZIP))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(cat, "-N", "-j", "1", "-t", "xml", "-")
		cmd.Stdin = z
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("part %d: %v\n%s", i, err, out)
		}
		_, table, _ := strings.Cut(string(out), "RSPF")
		var got, want []string
		for line := range strings.Lines(table) {
			if f := strings.Fields(line); len(f) > 2 {
				got = append(got, f[0]+" "+f[1])
			}
		}
		for _, row := range part.Report.Rows {
			want = append(want, fmt.Sprintf("%s %d", row.Source, row.Count))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("part %d is read as\n%s\nwant %q", i, out, want)
		}
	}
	t.Logf("%d reports read with equal counts", len(m.parts))
}
