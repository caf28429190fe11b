package web

import (
	"fmt"
	"math"
	"strings"
)

// Bounds of pages in octets; ours. A page has 300 KB at most, and some 20 KB are of what
// is on every page, of forms and of charts.
const (
	pageOctets = 270_000
	// leastRoom is with how much of it left the parts below are left out.
	leastRoom = 4_000
	// longText is how long a note, an alert or a heading may be where a page is too large.
	longText = 2_000
)

// fit leaves out what would make a page too large: each part of it has half of what those
// above it left. With names as long as DNS has them some hundreds of rows are a megabyte.
func (p *page) fit() {
	if octetsOfBlocks(p.Blocks) > pageOctets {
		room := pageOctets
		p.Blocks = fitted(p.Blocks, &room)
	}
}

func octetsOfBlocks(list []block) (sum int) {
	for i := range list {
		b := &list[i]
		sum += b.octets()
		for _, part := range b.parts() {
			_, n := part.fits(math.MaxInt)
			sum += n
		}
		for _, column := range b.Beside {
			sum += octetsOfBlocks(column)
		}
	}
	return sum
}

// fitted are the blocks that there is room for, cut where they are long.
func fitted(list []block, room *int) []block {
	for i := range list {
		if *room < leastRoom {
			return append(list[:i:i], block{Note: fmt.Sprintf("%s of this page are left out, as it is long: JSON has them.", plural(len(list)-i, "further part"))})
		}
		b := &list[i]
		for _, text := range []*string{&b.Heading, &b.Note, &b.Alert} {
			if len(*text) > longText {
				*text = strings.ToValidUTF8((*text)[:longText], "") + "…"
			}
		}
		*room -= b.octets()
		short := false
		for _, part := range b.parts() {
			kept, n := part.fits(*room / 2)
			if *room -= n; kept < part.n {
				part.cut(kept)
				short = short || !part.tells
			}
		}
		if short {
			b.Note = strings.TrimSpace(b.Note + " Not all of it is shown, as it is long: JSON has it.")
		}
		for k := range b.Beside {
			half := *room / 2
			*room -= half
			b.Beside[k] = fitted(b.Beside[k], &half)
			*room += half
		}
	}
	return list
}

// part is something of a block that there may be less of.
type part struct {
	n      int           // how many there are
	octets func(int) int // of one of them
	cut    func(int)     // leaves so many
	tells  bool          // cut tells how many there are
}

// fits is how many have room, and what they take.
func (p *part) fits(room int) (kept, taken int) {
	for kept = range p.n {
		n := p.octets(kept)
		if taken+n > room {
			return kept, taken
		}
		taken += n
	}
	return p.n, taken
}

func partOf[T any](list *[]T, octets func(*T) int) part {
	return part{n: len(*list), octets: func(i int) int { return octets(&(*list)[i]) }, cut: func(n int) { *list = (*list)[:n] }}
}

// octets of a block without its parts, about.
func (b *block) octets() (sum int) {
	sum = 120 + escaped(b.ID, b.Heading, b.Note, b.Alert) + len(b.Chart)
	if b.Form != nil {
		for i := range b.Form.Fields {
			f := &b.Form.Fields[i]
			if sum += 150 + escaped(f.Name, f.Label, f.Hint); !f.Text { // an editor has all of its text
				sum += escaped(f.Value)
			}
			for _, c := range f.Choices {
				sum += 30 + 2*escaped(c)
			}
		}
	}
	return sum
}

// parts are those that may be cut, in the order in which they are shown. Of an entry to
// paste there is all or nothing.
func (b *block) parts() []part {
	list := []part{
		partOf(&b.Stats, func(s *stat) int { return 130 + escaped(s.Class, s.Href, s.Value, s.Name, s.Note) }),
		partOf(&b.Way, func(s *step) int { return 150 + escaped(s.Class, s.Name, s.Sign, s.Word, s.Text) }),
	}
	for _, t := range []*table{b.Behind, b.Table} {
		if t != nil {
			list = append(list, t.part())
		}
	}
	list = append(list, partOf(&b.Points, func(s *string) int { return 10 + escaped(*s) }))
	if b.Tree != nil {
		list = append(list, b.treePart())
	}
	list = append(list, partOf(&b.Lines, func(l *explained) int { return 45 + escaped(l.Name, l.Text) }))
	const slice = 1000 // of a text, octets
	list = append(list, part{n: (len(b.Pre) + slice - 1) / slice, octets: func(i int) int { return escaped(b.Pre[i*slice : min(len(b.Pre), (i+1)*slice)]) },
		cut: func(n int) { b.Pre = strings.ToValidUTF8(b.Pre[:n*slice], "") + "…" }})
	if b.Entry != "" {
		list = append(list, part{n: 1, octets: func(int) int { return 60 + escaped(b.Entry) }, cut: func(int) { b.Entry = "" }})
	}
	return append(list, partOf(&b.Links, func(l *link) int { return 20 + escaped(l.Href, l.Text) }))
}

func (b *block) treePart() part {
	all := b.Tree.all()
	return part{n: len(all), octets: func(i int) int { return 120 + escaped(all[i].Text, all[i].Sign) }, cut: func(n int) {
		if n == 0 {
			b.Tree = nil
			return
		}
		b.Tree.keep(&n)
	}}
}

func (t *table) part() part {
	return part{n: len(t.Rows), octets: func(i int) int { return t.octets(t.Rows[i]) }, tells: true, cut: func(n int) {
		t.Caption += fmt.Sprintf("; the first %d of these %d, as they are long: CSV and JSON have more", n, len(t.Rows))
		t.Rows = t.Rows[:n]
	}}
}

// octets is about what a row takes in a page.
func (t *table) octets(row []cell) (sum int) {
	sum = len("<tr></tr>\n")
	for i := range row {
		c := &row[i]
		sum += len(`<td data-name=""></td>`) + escaped(t.Columns[i].Name, c.Href, c.Text, c.Note, c.Title) + len(c.Chart)
		for _, x := range []struct {
			there  bool
			markup string
		}{{t.Columns[i].Class() != "", ` class="number minor"`}, {c.Title != "", ` title=""`}, {c.Class != "", `<span class="word later"><span class="sign" aria-hidden="true">....</span> </span>`},
			{c.Href != "", `<a href=""></a>`}, {c.Note != "", ` <span class="small"></span>`}} {
			if x.there {
				sum += len(x.markup)
			}
		}
	}
	return sum
}

// escaped is how long texts are in HTML.
func escaped(texts ...string) (sum int) {
	const more = len("&#34;") - 1
	for _, s := range texts {
		sum += len(s)
		for i := range len(s) {
			switch s[i] {
			case '&', '<', '>', '"', '\'', '+':
				sum += more
			}
		}
	}
	return sum
}

// all are a branch and those below it, from above.
func (b *branch) all() []*branch {
	list := []*branch{b}
	for _, x := range b.Below {
		list = append(list, x.all()...)
	}
	return list
}

// keep leaves so many branches.
func (b *branch) keep(n *int) {
	*n--
	for i, x := range b.Below {
		if *n <= 0 {
			b.Below = b.Below[:i]
			return
		}
		x.keep(n)
	}
}
