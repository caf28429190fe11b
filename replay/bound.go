package replay

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bound is a condition under which a replay has failed, such as would_refuse>10 or
// cannot_tell>=1%: a counter compared with a number, or with a share of Total.
type Bound struct {
	Text    string
	counter string
	compare string
	limit   float64
	percent bool
}

var boundForm = regexp.MustCompile(`^\s*([a-z_]+)\s*(>=|<=|==|!=|=|>|<)\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*$`)

// ParseBound reads a bound.
func ParseBound(text string) (Bound, error) {
	m := boundForm.FindStringSubmatch(text)
	if m == nil {
		return Bound{}, fmt.Errorf("%q is no bound such as would_refuse_passing>0 or cannot_tell>1%%", text)
	}
	if !slices.Contains(counterNames, m[1]) {
		return Bound{}, fmt.Errorf("%q: there is no counter %s; there are %s", text, m[1], strings.Join(counterNames, ", "))
	}
	if m[2] == "=" {
		return Bound{}, fmt.Errorf("%q: write == for equal", text)
	}
	limit, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return Bound{}, fmt.Errorf("%q: %w", text, err)
	}
	return Bound{Text: text, counter: m[1], compare: m[2], limit: limit, percent: m[4] != ""}, nil
}

// Percent reports whether the bound is about a share.
func (b Bound) Percent() bool { return b.percent }

// Exceeded reports whether the bound holds for c, so that the replay has failed, and
// what the counter is, in percent where the bound is. Of no messages it is 0 percent.
func (b Bound) Exceeded(c *Counters) (value float64, exceeded bool) {
	n, _ := c.Named(b.counter)
	value = float64(n)
	if b.percent {
		if value *= 100; c.Total > 0 {
			value /= float64(c.Total)
		}
	}
	switch b.compare {
	case ">":
		return value, value > b.limit
	case ">=":
		return value, value >= b.limit
	case "<":
		return value, value < b.limit
	case "<=":
		return value, value <= b.limit
	case "==":
		return value, value == b.limit
	}
	return value, value != b.limit
}
