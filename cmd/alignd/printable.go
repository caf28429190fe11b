package main

import (
	"strings"

	"alignd/internal/terminal"
)

// printable makes text from outside safe to be shown, on one line.
func printable(s string) string { return terminal.Line(s) }

// printableLines does so line by line.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = terminal.Line(line)
	}
	return strings.Join(lines, "\n")
}
