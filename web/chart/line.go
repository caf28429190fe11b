package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Line is a small drawing that stands in a row of a table: all of something, and the part
// of it that is bad. Text says it in words.
type Line struct {
	Text     string
	All, Bad []uint64 // as many
}

// Size of a line, and how many points it has at most: beyond, neighbours are added up.
const (
	lineWidth, lineHeight = 90, 20
	linePoints            = 30
)

// SVG is the drawing; empty where there is nothing to draw.
func (l *Line) SVG() template.HTML {
	all, bad := joined(l.All), joined(l.Bad)
	most := uint64(1)
	for _, v := range all {
		most = max(most, v)
	}
	if len(all) == 0 {
		return ""
	}
	var w strings.Builder
	fmt.Fprintf(&w, `<svg class="line" viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title>`, lineWidth, lineHeight, esc(l.Text), esc(l.Text))
	draw(&w, "s0", all, most)
	draw(&w, "s1", bad, most)
	w.WriteString(`</svg>`)
	return template.HTML(w.String()) //nolint:gosec // all text in it went through esc
}

func draw(w *strings.Builder, class string, values []uint64, most uint64) {
	fmt.Fprintf(w, `<path class="%s" d="`, class)
	for i, v := range values {
		x := 1
		if len(values) > 1 {
			x += i * (lineWidth - 2) / (len(values) - 1)
		}
		y := lineHeight - 1 - int(float64(v)/float64(most)*(lineHeight-2))
		to := 'L'
		if i == 0 {
			to = 'M'
		}
		fmt.Fprintf(w, "%c%d,%d", to, x, y)
	}
	w.WriteString(`"/>`)
}

// joined adds up neighbours until there are few enough; the last one is of as many as the
// others, so the first may be of less.
func joined(values []uint64) []uint64 {
	each := (len(values) + linePoints - 1) / linePoints
	if each <= 1 {
		return values
	}
	list := make([]uint64, (len(values)+each-1)/each)
	for i, v := range values {
		list[len(list)-1-(len(values)-1-i)/each] += v
	}
	return list
}
