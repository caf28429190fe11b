// Package terminal makes text from outside safe to be shown to people.
package terminal

import (
	"strconv"
	"strings"
)

// Line replaces what a terminal could take as a command, and what would show a text
// otherwise than it is: controls, marks of direction, characters without width. It
// makes one line of it.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
