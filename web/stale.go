package web

import (
	"errors"
	"strings"

	"alignd/config"
)

// Told is why something failed, as it may be shown to all who look: of a configuration that
// is faulty only where.
func Told(err error) string { return strings.Join(staleLines(err), ", ") }

// staleLines tell where a file of the configuration is faulty, and no more: faults quote
// what stands there, which may not be for all who look. Why it cannot be read at all is told.
func staleLines(err error) (lines []string) {
	problems := config.Problems{}
	if !errors.As(err, &problems) {
		return strings.Split(err.Error(), "\n")
	}
	for i := range problems[:min(len(problems), 20)] {
		lines = append(lines, problems[i].Position.String()+": a fault; alignd config check tells it")
	}
	return lines
}
