package spf

import (
	"strings"

	"github.com/miekg/dns"
)

// maxExplanation is the longest explanation text, in octets; what is longer
// is cut. Our own number: it has to fit in an SMTP reply line of 512 octets
// (RFC 5321 section 4.5.3.1.5) with room for codes and our own words.
const maxExplanation = 400

// explain fetches and expands the exp= text of the record that gave a fail
// (RFC 7208 section 6.2). It is empty when there is none or anything about it
// is wrong; its lookups count against no limit but the message's own.
func (e *evaluation) explain(rec *Record, current string) string {
	if rec.Exp == nil {
		return ""
	}
	e.explaining = true
	name, ok, stop := e.name(rec.Exp.Target, current)
	if stop != nil || !ok {
		return ""
	}
	answer, stop := e.lookup(name, dns.TypeTXT)
	if stop != nil || answer == nil || len(answer.TXT) != 1 {
		return ""
	}
	text, stop := e.explanation(answer.TXT[0], current)
	if stop != nil {
		return ""
	}
	return text
}

// explanation expands an explain-string: *( macro-string / SP ). A syntax
// error anywhere makes it empty.
func (e *evaluation) explanation(source, current string) (string, *halt) {
	if len(source) > maxPublished {
		return "", nil
	}
	var all []piece
	for rest := source; rest != ""; {
		word, tail, space := strings.Cut(rest, " ")
		pieces, why := parseMacroString(word, inText)
		if why != "" {
			return "", nil
		}
		if all = append(all, pieces...); space {
			all = append(all, piece{literal: " "})
		}
		rest = tail
	}
	var text []byte
	for _, p := range all {
		var stop *halt
		if text, stop = e.expand(text, p, current); stop != nil {
			return "", stop
		}
		if len(text) > maxExplanation {
			text = text[:maxExplanation]
			break
		}
	}
	return string(printable(text)), nil
}

// printable replaces what is not printable US-ASCII: macros bring in what the
// client sent.
func printable(text []byte) []byte {
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '?'
		}
	}
	return text
}
