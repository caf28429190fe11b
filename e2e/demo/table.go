package main

import (
	"fmt"
	"io"
	"strings"

	"alignd/e2e/cases"
	"alignd/e2e/mta"
	"alignd/e2e/play"
)

// row is one message: what is wanted of it, or what came.
type row struct {
	title                                          string // of a wanted row only
	spf, dkim, arc, dmarc, policy, delivery, reply string
}

var headings = row{title: "message", spf: "SPF", dkim: "DKIM", arc: "ARC", dmarc: "DMARC", policy: "policy", delivery: "delivery", reply: "SMTP reply"}

func (r row) cells() []string {
	return []string{r.title, r.spf, r.dkim, r.arc, r.dmarc, r.policy, r.delivery, r.reply}
}

// parseExpectations reads the file of wanted rows. name is for errors.
func parseExpectations(text, name string) ([]row, error) {
	var rows []row
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != len(headings.cells()) {
			return nil, fmt.Errorf("%s:%d: %d columns, want %d", name, n, len(cells), len(headings.cells()))
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, row{title: cells[0], spf: cells[1], dkim: cells[2], arc: cells[3],
			dmarc: cells[4], policy: cells[5], delivery: cells[6], reply: cells[7]})
	}
	return rows, nil
}

// table joins what the client saw with alignd's log: the nth message has the
// nth line "message judged".
func table(outcomes []play.Outcome, judged []map[string]string) []row {
	var rows []row
	for i, o := range outcomes {
		r := row{reply: o.Reply.String()}
		if i < len(judged) {
			j := judged[i]
			r.spf, r.dkim, r.arc, r.dmarc = j["spf"], j["dkim"], sealed(j), j["dmarc"]
			r.policy, r.delivery = j["policy"], j["delivery"]
		}
		rows = append(rows, r)
	}
	return rows
}

// sealed is the result of ARC with the newest Sealer, and whether the site trusts it.
func sealed(j map[string]string) string {
	text := j["arc"]
	if sealer := j["arc_sealer"]; sealer != "" {
		text += "(" + sealer + ")"
	}
	if j["trusted_sealer"] != "" {
		text += " trusted"
	}
	return text
}

// compare returns an error that names each difference.
func compare(want, got []row) error {
	var lines []string
	if len(want) != len(got) {
		lines = append(lines, fmt.Sprintf("%d messages expected, %d sent", len(want), len(got)))
	}
	for i := range min(len(want), len(got)) {
		w, g := want[i].cells(), got[i].cells()
		for col := 1; col < len(w); col++ {
			if !cases.Match(w[col], g[col]) {
				lines = append(lines, fmt.Sprintf("%s: %s: want %q, got %q", want[i].title, headings.cells()[col], w[col], g[col]))
			}
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("not as expected:\n  %s", strings.Join(lines, "\n  "))
}

// printTable prints aligned columns, with the wanted rows' titles.
func printTable(w io.Writer, want, got []row) {
	rows := []row{headings}
	for i, r := range got {
		if i < len(want) {
			r.title = want[i].title
		}
		rows = append(rows, r)
	}
	widths := make([]int, len(headings.cells()))
	for _, r := range rows {
		for i, cell := range r.cells() {
			widths[i] = max(widths[i], len(cell))
		}
	}
	fmt.Fprintln(w)
	for n, r := range rows {
		fmt.Fprintln(w, padded(r.cells(), widths))
		if n == 0 {
			fmt.Fprintln(w, ruler(widths))
		}
	}
}

func padded(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		fmt.Fprintf(&b, "%-*s  ", widths[i], cell)
	}
	return strings.TrimRight(b.String(), " ")
}

func ruler(widths []int) string {
	var cells []string
	for _, w := range widths {
		cells = append(cells, strings.Repeat("-", w))
	}
	return padded(cells, widths)
}

// printHeaders shows the header of the delivered message that had forged
// results: what came in, and what is in the mailbox.
func printHeaders(w io.Writer, want []row, outcomes []play.Outcome) {
	for i, o := range outcomes {
		if o.Delivered == nil || !strings.Contains(string(o.Sent), "Authentication-Results:") {
			continue
		}
		if i < len(want) {
			fmt.Fprintf(w, "\nThe header of %q as delivered:\n\n", want[i].title)
		}
		header, _, _ := strings.Cut(string(o.Delivered), "\r\n\r\n")
		for line := range strings.Lines(header) {
			fmt.Fprintln(w, "  "+strings.TrimRight(line, "\r\n"))
		}
		printDifference(w, o)
		return
	}
}

func printDifference(w io.Writer, o play.Outcome) {
	diff, err := cases.Diff(o.Sent, o.Delivered, mta.Hostname)
	if err != nil {
		fmt.Fprintln(w, "\n"+err.Error())
		return
	}
	fmt.Fprint(w, "\nWhat alignd changed in it (+ added, - removed):\n\n")
	for _, line := range diff {
		fmt.Fprintln(w, "  "+line)
	}
}
