package web

import (
	"fmt"
	"strings"
)

// pageOctets is about how many octets of tables a page has; ours. With names as long as
// DNS has them some hundreds of rows are a megabyte.
const pageOctets = 200_000

// fit leaves out rows of what would make a page too large: a table has half of what those
// above it left.
func (p *page) fit() {
	var tables []*table
	sum := 0
	for i := range p.Blocks {
		for _, t := range []*table{p.Blocks[i].Table, p.Blocks[i].Behind} {
			if t != nil {
				tables = append(tables, t)
				for _, row := range t.Rows {
					sum += octetsOf(row)
				}
			}
		}
	}
	if sum <= pageOctets {
		return
	}
	room := pageOctets
	for _, t := range tables {
		room -= t.cut(room / 2)
	}
}

// cut leaves the first rows, those that have room, and returns what they take.
func (t *table) cut(room int) (taken int) {
	for i, row := range t.Rows {
		n := octetsOf(row)
		if taken+n > room {
			t.Caption += fmt.Sprintf("; the first %d of these %d, as they are long: CSV and JSON have more", i, len(t.Rows))
			t.Rows = t.Rows[:i]
			break
		}
		taken += n
	}
	return taken
}

// octetsOf is about what a row takes in a page.
func octetsOf(row []cell) (sum int) {
	const ofCell, escaped = 40, 4
	for i := range row {
		c := &row[i]
		sum += ofCell + len(c.Href) + len(c.Chart)
		for _, s := range []string{c.Text, c.Note, c.Title} {
			sum += len(s)
			for _, x := range []byte(s) {
				if strings.IndexByte(`&<>"'+`, x) >= 0 {
					sum += escaped
				}
			}
		}
	}
	return sum
}
