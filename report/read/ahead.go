package read

import (
	"encoding/xml"
	"slices"
	"strings"
)

// lookahead holds tokens of the decoder that were read before their turn.
type lookahead struct {
	queue  []tokenAt
	last   tokenAt // the one that was taken last
	taken  int     // tokens
	looked int     // tokens, in search of ends
}

type tokenAt struct {
	token xml.Token
	err   error
	line  int
	end   int64 // where it ends, in octets
}

// Bounds, ours: how far is looked for the end of an element, and how many tokens are looked
// at in all for each one that is read. An end beyond them counts as left out.
const (
	mostAhead      = 4096
	maxAhead       = 256 << 10 // octets
	mostLooksAhead = 16
)

// read takes the next token from the decoder.
func (p *aggregateParser) read() tokenAt {
	token, err := p.dec.RawToken() // ends are matched here, as reporters leave some out
	p.src.since = 0
	line, _ := p.dec.InputPos()
	return tokenAt{token, err, line, p.dec.InputOffset()}
}

// next gives the next token. It is good until the one after it is read.
func (p *aggregateParser) next() (xml.Token, error) {
	a := &p.ahead
	a.taken++
	if len(a.queue) > 0 {
		a.last, a.queue[0] = a.queue[0], tokenAt{}
		a.queue = a.queue[1:]
	} else {
		a.last = p.read()
	}
	return a.last.token, a.last.err
}

func (p *aggregateParser) line() int { return p.ahead.last.line }

// isClosed reports whether the end of the innermost element comes before that of one around
// it. Another element begins before both.
func (p *aggregateParser) isClosed(begins string) bool {
	a, inner := &p.ahead, &p.path[len(p.path)-1]
	if inner.closed {
		return true
	}
	begun := map[string]int{begins: 1}
	for i := 0; i < mostAhead && a.looked < mostLooksAhead*a.taken+mostAhead; i++ {
		a.looked++
		if i == len(a.queue) {
			if p.dec.InputOffset()-a.last.end > maxAhead {
				return false
			}
			t := p.read()
			t.token = xml.CopyToken(t.token)
			a.queue = append(a.queue, t)
		}
		switch t := a.queue[i].token.(type) {
		case nil:
			return false
		case xml.StartElement:
			begun[strings.ToLower(t.Name.Local)]++
		case xml.EndElement:
			switch name := strings.ToLower(t.Name.Local); {
			case begun[name] > 0:
				begun[name]--
			case name == inner.name:
				inner.closed = true
				return true
			case slices.ContainsFunc(p.path, func(e element) bool { return e.name == name }):
				return false
			}
		}
	}
	return false
}
