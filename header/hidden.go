package header

import "bytes"

// Hidden calls yield with the name and the value of each line inside field at that
// begins like a field itself: behind a bare CR, or any line break that is no fold.
// RFC 5322 section 2.2 allows none, MTAs hand them on, and many readers (those that
// take CR, LF and CRLF alike for the end of a line) show such a line as a field.
func (h *Fields) Hidden(yield func(at int, name, value []byte)) {
	for _, i := range h.torn {
		s := &h.spans[i]
		hiddenIn(h.buf[s.start:s.end], func(name, value []byte) { yield(int(i), name, value) })
	}
}

// hiddenIn is Hidden for one field.
func hiddenIn(raw []byte, yield func(name, value []byte)) {
	line := nextLine(raw)
	for len(line) > 0 {
		after := nextLine(line)
		text := line[:len(line)-len(after)]
		if colon := bytes.IndexByte(text, ':'); colon > 0 {
			yield(trimRight(text[:colon]), bytes.TrimRight(text[colon+1:], "\r\n"))
		}
		line = after
	}
}

// nextLine is what follows the first line break in text that is no fold.
func nextLine(text []byte) []byte {
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], '\r')
		if i < 0 {
			return nil // Add has made each LF a CRLF
		}
		at += i + 1
		if at < len(text) && text[at] == '\n' {
			at++
		}
		if at == len(text) || text[at] != ' ' && text[at] != '\t' {
			return text[at:]
		}
	}
}
