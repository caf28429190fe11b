package web

import "testing"

// No part of a cell is calculated, whatever a spreadsheet takes for the end of one.
func TestNoCellIsAFormula(t *testing.T) {
	for _, row := range []struct{ name, cell, want string }{
		{name: "plain", cell: "a.example", want: "a.example"},
		{name: "nothing", cell: "-", want: ""},
		{name: "empty", cell: "", want: ""},
		{name: "a formula", cell: "=1+1", want: "'=1+1"},
		{name: "after spaces", cell: "  @SUM(1)", want: "'  @SUM(1)"},
		{name: "after a quote", cell: "\"=1+1", want: "'\"=1+1"},
		{name: "of another width", cell: "＝1+1", want: "'＝1+1"},
		{name: "in a cell after ;", cell: "a;=1+1", want: "a;'=1+1"},
		{name: "in a cell after ; and quotes", cell: "a\";\"=1+1", want: "a\";'\"=1+1"},
		{name: "in a cell after a tab", cell: "a\t-2+3;b", want: "a\t'-2+3;b"},
		{name: "several", cell: "=a;=b;c;+d", want: "'=a;'=b;c;'+d"},
		{name: "; in a sentence", cell: "no key; p= is empty", want: "no key; p= is empty"},
	} {
		if got := noFormula(row.cell); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
