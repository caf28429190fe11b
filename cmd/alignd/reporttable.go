package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"alignd/report/read"
)

// reportTable adds aggregate reports up for a person, worst first, and lists
// failure reports and problems.
type reportTable struct {
	out      io.Writer
	by       string
	rows     map[string]*reportRow
	texts    int // octets in rows
	reports  int
	failures []string
	problems []string
	more     int // failures and problems that were not kept
}

// reportRow is one line.
type reportRow struct {
	key                            string
	names                          []string // header_from
	messages, pass, dkim, spf, hit int64
}

// Most lines of a table, and most failures and problems listed; ours. Further
// sources are added up in one line.
const (
	maxReportRows  = 20_000
	maxReportLines = 1_000
	maxReportNames = 3
	maxReportText  = 255     // octets of one
	maxReportTexts = 4 << 20 // octets of all keys and names; further names are left out
	otherRows      = "(others)"
)

func newReportTable(out io.Writer, by string) (*reportTable, error) {
	switch by {
	case "source", "day", "reporter", "domain":
		return &reportTable{out: out, by: by, rows: map[string]*reportRow{}}, nil
	}
	return nil, fmt.Errorf("--by %q: one of source, day, reporter, domain", by)
}

// Aggregate implements read.Sink.
func (t *reportTable) Aggregate(head *read.Aggregate, records *read.Records) error {
	t.reports++
	for rec, err := range records.All() {
		if err != nil {
			return err
		}
		t.add(head, rec)
	}
	return nil
}

func (t *reportTable) add(head *read.Aggregate, rec *read.Record) {
	key := rec.SourceIP
	switch t.by {
	case "day":
		key, _, _ = strings.Cut(head.Begin, "T")
	case "reporter":
		key = head.OrgName
	case "domain":
		key = cmp.Or(rec.HeaderFrom, head.Domain)
	}
	row := t.row(cmp.Or(shortLine(key), "?"))
	if rec.Count != nil {
		row.count(rec, *rec.Count)
	}
	if rec.HeaderFrom == "" || len(row.names) >= maxReportNames || t.texts >= maxReportTexts {
		return
	}
	if name := shortLine(rec.HeaderFrom); !slices.Contains(row.names, name) {
		row.names = append(row.names, name)
		t.texts += len(name)
	}
}

// row is the line of a key, or of all further ones.
func (t *reportTable) row(key string) *reportRow {
	row := t.rows[key]
	if row == nil && (len(t.rows) >= maxReportRows || t.texts >= maxReportTexts) {
		key = otherRows
		row = t.rows[key]
	}
	if row == nil {
		row = &reportRow{key: key}
		t.rows[key] = row
		t.texts += len(key)
	}
	return row
}

// shortLine is what may be shown of a text.
func shortLine(s string) string { return strings.Clone(printable(s[:min(len(s), maxReportText)])) }

func (r *reportRow) count(rec *read.Record, n int64) {
	n = min(n, math.MaxInt64-r.messages) // anybody can write any number
	r.messages += n
	if rec.DKIM == "pass" || rec.SPF == "pass" {
		r.pass += n
	}
	if rec.DKIM == "pass" {
		r.dkim += n
	}
	if rec.SPF == "pass" {
		r.spf += n
	}
	if rec.Disposition == "quarantine" || rec.Disposition == "reject" {
		r.hit += n
	}
}

// Failure implements read.Sink.
func (t *reportTable) Failure(f *read.Failure) error {
	if len(t.failures) >= maxReportLines {
		t.more++
		return nil
	}
	t.failures = append(t.failures, strings.Join([]string{
		shortLine(cmp.Or(f.ArrivalDate, "?")), shortLine(cmp.Or(f.ReportedDomain, "?")), shortLine(cmp.Or(f.SourceIP, "?")),
		shortLine(cmp.Or(f.AuthFailure, f.FeedbackType)), shortLine(f.OriginalMailFrom)}, "\t"))
	return nil
}

// Problem implements read.Sink.
func (t *reportTable) Problem(p read.Problem) {
	if len(t.problems) >= maxReportLines {
		t.more++
		return
	}
	where := p.File
	if p.Part != "" {
		where += " (" + p.Part + ")"
	}
	t.problems = append(t.problems, printable(where)+": "+printable(p.Problem))
}

func (t *reportTable) end() error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if t.reports > 0 {
		fmt.Fprintf(w, "%s\tmessages\tDMARC pass\tDKIM\tSPF\tquarantined or rejected\tFrom\n", t.by)
		rows := slices.Collect(maps.Values(t.rows))
		slices.SortFunc(rows, func(a, b *reportRow) int {
			return cmp.Or(cmp.Compare(b.messages-b.pass, a.messages-a.pass), cmp.Compare(b.messages, a.messages), cmp.Compare(a.key, b.key))
		})
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%s\n", r.key, r.messages, share(r.pass, r.messages), share(r.dkim, r.messages),
				share(r.spf, r.messages), r.hit, strings.Join(slices.Sorted(slices.Values(r.names)), " "))
		}
	}
	for i, f := range t.failures {
		if i == 0 {
			fmt.Fprintf(w, "\nfailure reports:\narrived\tdomain\tsource\tfailure\tMAIL FROM\n")
		}
		fmt.Fprintln(w, f)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, p := range t.problems {
		if i == 0 {
			fmt.Fprintln(t.out, "\nproblems:")
		}
		fmt.Fprintln(t.out, "  "+p)
	}
	if t.more > 0 {
		fmt.Fprintf(t.out, "and %d further failures and problems\n", t.more)
	}
	return nil
}

func share(part, of int64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(of))
}
