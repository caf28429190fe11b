package main

import "alignd/internal/terminal"

// printable makes text from outside safe to be shown, on one line.
func printable(s string) string { return terminal.Line(s) }
