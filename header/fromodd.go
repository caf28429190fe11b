package header

import "bytes"

// strange notes that the element is not to the letter of RFC 5322 at at.
func (s *scanner) strange(at int) {
	if !s.odd || at < s.oddAt {
		s.odd, s.oddAt = true, at
	}
}

// cutAtComma looks at an element up to end that is not to the letter of RFC 5322. Some
// readers (GMime) lose their way at the first place that is not, and go on behind the
// next comma then, even of a quoted string or comment; from there to the end of the field
// they see what others take for quoted or not. What stands before that place they drop.
func (p *addressList) cutAtComma(end int) {
	if !p.odd || p.cutOff {
		return
	}
	at, next := -1, p.start
	pieces(p.text[p.start:end], func(piece, _ []byte) {
		if i := bytes.IndexByte(piece, ','); at < 0 && i > 0 && piece[0] != '=' && next+i > p.oddAt {
			at = next + i
		}
		next += len(piece)
	})
	if at >= 0 {
		p.cutOff = true
		p.search(p.text[at:], false)
	}
}

// cutName looks at a display name that holds a bracket outside of quotes, before
// cut. Some readers (Python's email.utils) end the element there.
func (p *addressList) cutName(cut int) {
	if cut > p.start {
		p.search(p.text[p.start:cut], false)
	}
}
