package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Fan draws lines from several things to one: whole where they count, broken where not.
type Fan struct {
	Title, Description string
	Spokes             []Spoke
	To, Below          string
	Class              int // of the colour of To
}

// Spoke is one of the things. Along is said at its line.
type Spoke struct {
	Text, Below, Along string
	Class              int
	Joined             bool
}

// Size of a fan, in units of the drawing.
const (
	fanLeft, fanRight = 340, 640 // where the boxes end and begin
	fanBox, fanStep   = 48, 60
	fanText           = 48 // characters in a box
	mostSpokes        = 10
)

// SVG is the drawing; empty where there is nothing to draw.
func (f *Fan) SVG() template.HTML {
	n := min(len(f.Spokes), mostSpokes)
	if n == 0 {
		return ""
	}
	tall := max(n*fanStep, fanBox+12)
	middle := tall / 2
	var w strings.Builder
	fmt.Fprintf(&w, `<svg class="fan" viewBox="0 0 %d %d" role="img" aria-label="%s"><title>%s</title><desc>%s</desc>`, width, tall, esc(f.Title), esc(f.Title), esc(f.Description))
	for i := range n {
		s := &f.Spokes[i]
		y := i*fanStep + fanStep/2
		how := "apart"
		if s.Joined {
			how = "joined"
		}
		fmt.Fprintf(&w, `<path class="%s l%d" d="M%d %d H%d L%d %d"/>`, how, s.Class, fanLeft, y, fanRight-80, fanRight, middle)
		fmt.Fprintf(&w, `<text class="t%d" x="%d" y="%d">%s</text>`, s.Class, fanLeft+10, y-6, esc(shorten(s.Along, 34)))
		box(&w, 2, y-fanBox/2, fanLeft-2, s.Text, s.Below, s.Class)
	}
	box(&w, fanRight, middle-fanBox/2, width-fanRight-2, f.To, f.Below, f.Class)
	w.WriteString(`</svg>`)
	return template.HTML(w.String()) //nolint:gosec // all text in it went through esc
}

// box has two lines of text.
func box(w *strings.Builder, x, y, wide int, text, below string, class int) {
	fmt.Fprintf(w, `<g><title>%s</title><rect class="box" x="%d" y="%d" width="%d" height="%d" rx="5"/><rect class="s%d" x="%d" y="%d" width="5" height="%d"/>`,
		esc(text+" "+below), x, y, wide, fanBox, class, x, y, fanBox)
	fmt.Fprintf(w, `<text class="front" x="%d" y="%d">%s</text><text x="%d" y="%d">%s</text></g>`, x+14, y+20, esc(shorten(text, fanText)), x+14, y+38, esc(shorten(below, fanText)))
}

func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
