package main

import (
	"fmt"
	"os"
	"strings"
)

// Between these the page is generated.
const (
	begins = "<!-- made by make compare -->"
	ends   = "<!-- end of what make compare makes -->"
)

// page is the generated part.
func page(rows []row, filters []filter) string {
	var b strings.Builder
	b.WriteString("| filter | version and configuration |\n|---|---|\n")
	for _, f := range filters {
		fmt.Fprintf(&b, "| %s | %s |\n", f.name(), f.version())
	}
	b.WriteString("\n")
	summary(&b, rows, filters)
	var run []int
	b.WriteString("\n| case |")
	for i, f := range filters {
		if _, not := f.(notRun); !not {
			run = append(run, i)
			fmt.Fprintf(&b, " %s |", f.name())
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(run)) + "\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| [%s](../testdata/cases/%s/README) |", r.name, r.folder)
		for _, i := range run {
			fmt.Fprintf(&b, " %s |", cell(r.said[i], r.said[0]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cell is a result, with what is not as in other in bold.
func cell(r, other result) string {
	var parts []string
	for _, m := range methods {
		word, told := r.words[m]
		switch {
		case !told:
			word = "-"
		case word != other.words[m]:
			word = "**" + word + "**"
		}
		parts = append(parts, word)
	}
	done := r.done
	if done != other.done {
		done = "**" + done + "**"
	}
	return strings.Join(parts, " / ") + ": " + done
}

// summary counts in how many messages each filter says what alignd says.
func summary(b *strings.Builder, rows []row, filters []filter) {
	b.WriteString("| as alignd, of messages that it tells of |")
	for _, m := range methods {
		fmt.Fprintf(b, " %s |", m)
	}
	b.WriteString(" done |\n|---|" + strings.Repeat("---|", len(methods)+1) + "\n")
	for i, f := range filters[1:] {
		if _, not := f.(notRun); not {
			fmt.Fprintf(b, "| %s |%s\n", f.name(), strings.Repeat(" not run |", len(methods)+1))
			continue
		}
		fmt.Fprintf(b, "| %s |", f.name())
		for _, m := range methods {
			same, told := 0, 0
			for _, r := range rows {
				if word, ok := r.said[i+1].words[m]; ok {
					told++
					if word == r.said[0].words[m] {
						same++
					}
				}
			}
			fmt.Fprintf(b, " %d of %d |", same, told)
		}
		same := 0
		for _, r := range rows {
			if r.said[i+1].done == r.said[0].done {
				same++
			}
		}
		fmt.Fprintf(b, " %d of %d |\n", same, len(rows))
	}
}

// replaceTable puts text between the marks of a page.
func replaceTable(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), begins)
	_, after, ok2 := strings.Cut(rest, ends)
	if !ok || !ok2 {
		return fmt.Errorf("%s has not the marks %q and %q", file, begins, ends)
	}
	return os.WriteFile(file, []byte(before+begins+"\n\n"+text+"\n"+ends+after), 0o644)
}
