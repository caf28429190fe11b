package main

import (
	"strconv"
	"strings"
)

// printable replaces what a terminal could take as a command, and what would show a
// text otherwise than it is: controls, marks of direction, characters without width.
// It makes one line of it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
