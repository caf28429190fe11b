// Package chart draws bars as SVG, on the server: no script, no style attributes (the
// content policy of the pages forbids both), nothing loaded. Each chart stands in front of
// a table that says the same; it is a picture of it, with a title and a description for
// those who do not see it. Text that it is given is escaped.
package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Series is one part of each bar.
type Series struct {
	Name   string
	Class  int // of the colour: 0 to 4
	Values []uint64
}

// Bars are stacked bars, side by side.
type Bars struct {
	Title, Description string
	Labels             []string // one a bar
	Series             []Series // as many values each as labels
}

// Size of a drawing, in its own units; it grows and shrinks with the page.
const (
	width, height = 960, 240
	left, right   = 62, 6
	top, bottom   = 24, 34
)

// SVG is the drawing; empty where there is nothing to draw.
func (b *Bars) SVG() template.HTML {
	n := len(b.Labels)
	if n == 0 {
		return ""
	}
	most := b.most()
	step := niceStep(most)
	ceiling := max(step, (most+step-1)/step*step)
	var w strings.Builder
	fmt.Fprintf(&w, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title><desc>%s</desc>`, width, height,
		esc(b.Title), esc(b.Title), esc(b.Description))
	y := func(v uint64) float64 { return height - bottom - float64(v)/float64(ceiling)*(height-top-bottom) }
	for v := uint64(0); v <= ceiling; v += step {
		fmt.Fprintf(&w, `<line class="axis" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, width-right, y(v), y(v), left-6, y(v)+4, short(v))
	}
	slot := float64(width-left-right) / float64(n)
	every := (n + 11) / 12
	for i, label := range b.Labels {
		x, below := left+float64(i)*slot, uint64(0)
		fmt.Fprintf(&w, `<g><title>%s</title>`, esc(b.tell(i)))
		for _, s := range b.Series {
			v := s.at(i)
			if v == 0 {
				continue
			}
			fmt.Fprintf(&w, `<rect class="s%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, s.Class, x+slot*0.1, y(below+v), slot*0.8, y(below)-y(below+v))
			below += v
		}
		w.WriteString(`</g>`)
		if i%every == 0 {
			fmt.Fprintf(&w, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x+slot/2, height-bottom+16, esc(label))
		}
	}
	b.key(&w)
	w.WriteString(`</svg>`)
	return template.HTML(w.String()) //nolint:gosec // all text in it went through esc
}

// key names the colours.
func (b *Bars) key(w *strings.Builder) {
	x := left
	w.WriteString(`<g class="key">`)
	for _, s := range b.Series {
		fmt.Fprintf(w, `<rect class="s%d" x="%d" y="3" width="11" height="11"/><text x="%d" y="13">%s</text>`, s.Class, x, x+16, esc(s.Name))
		x += 34 + 7*len([]rune(s.Name))
	}
	w.WriteString(`</g>`)
}

func (s *Series) at(i int) uint64 {
	if i < len(s.Values) {
		return s.Values[i]
	}
	return 0
}

// tell is a bar in words.
func (b *Bars) tell(i int) string {
	parts := []string{b.Labels[i]}
	for _, s := range b.Series {
		parts = append(parts, fmt.Sprintf("%s %d", s.Name, s.at(i)))
	}
	return strings.Join(parts, ", ")
}

func (b *Bars) most() (most uint64) {
	for i := range b.Labels {
		var sum uint64
		for _, s := range b.Series {
			sum += s.at(i)
		}
		most = max(most, sum)
	}
	return most
}

// niceStep is 1, 2 or 5 times a power of ten, so that there are some four lines.
func niceStep(most uint64) uint64 {
	for step := uint64(1); ; step *= 10 {
		for _, by := range []uint64{1, 2, 5} {
			if step*by*5 >= most || step > 1<<58 {
				return step * by
			}
		}
	}
}

// short is a number as an axis has it.
func short(v uint64) string {
	switch {
	case v >= 1_000_000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(v)/1e6), ".0") + "M"
	case v >= 10_000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(v)/1e3), ".0") + "k"
	}
	return fmt.Sprint(v)
}

func esc(s string) string { return template.HTMLEscapeString(s) }
