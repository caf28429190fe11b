package web

import (
	"context"
	"encoding/csv"
	"io"
	"strings"
	"unicode/utf8"
)

// writeCSV writes a table as RFC 4180 has it. What a spreadsheet would take for a formula
// gets an apostrophe in front. It ends where ctx does.
func writeCSV(ctx context.Context, w io.Writer, t *table) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = c.Name
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for _, row := range t.Rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range line {
			line[i] = ""
			if i < len(row) {
				line[i] = noFormula(row[i].Text)
			}
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func noFormula(s string) string {
	if s == "-" {
		return ""
	}
	s = asText(s)
	// Where ; is between cells, as in much of Europe, or a tab, there are more of them.
	for _, between := range []string{";", "\t"} {
		parts := strings.Split(s, between)
		for i := 1; i < len(parts); i++ {
			parts[i] = asText(parts[i])
		}
		s = strings.Join(parts, between)
	}
	return s
}

// asText has an apostrophe in front of what a spreadsheet would calculate.
func asText(s string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \t\r\n\u00a0\"'"))
	if s != "" && !strings.HasPrefix(s, "'") && strings.ContainsRune("=+-@|%\t\r＝＋－＠", first) {
		return "'" + s
	}
	return s
}
