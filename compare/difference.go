package compare

import (
	"slices"
	"strings"

	"alignd/evidence"
	"alignd/policy"
)

// Right says who is right.
type Right string

// The answers. Either: the standard leaves it to the site. Untold: the evidence does not
// tell.
const (
	Ours   Right = "alignd"
	Theirs Right = "theirs"
	Either Right = "either"
	Untold Right = "not to be told"
)

// Difference is a Pair whose words are not the same, and what is to be said of it.
type Difference struct {
	Pair
	Rule    string // the id of the rule that explains it
	Cause   string
	Right   Right
	Section string // "RFC 7208 section 4.6.4"; empty where there is none
}

// Differences are all of a message.
func Differences(ev *evidence.Message, v *policy.Verdict) []Difference {
	pairs := Pairs(ev, v)
	if !slices.ContainsFunc(pairs, func(p Pair) bool { return !p.Same() }) {
		return nil
	}
	about := situation{ev: ev, d: policy.Decisive(ev, v), pairs: pairs}
	var list []Difference
	for i := range pairs {
		if !pairs[i].Same() {
			list = append(list, about.explain(&pairs[i]))
		}
	}
	return list
}

// Text is the list on one line: "dmarc:fail/pass,spf:softfail/fail", theirs first, each
// kind once. Where filters of several ids differ from us, "@" and the id follow.
func Text(list []Difference) string {
	several := slices.ContainsFunc(list, func(d Difference) bool { return d.With != list[0].With })
	var items []string
	for i := range list {
		d := &list[i]
		item := d.Method + ":" + plain(d.Theirs) + "/" + plain(d.Ours)
		if several {
			item += "@" + d.With
		}
		if !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	return strings.Join(items, ",")
}

// plain is a word without what divides the items.
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		if r == ',' || r == '/' || r == ':' || r == '@' || r <= ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, word)
}

// Who says who is right, with the section.
func (d *Difference) Who() string {
	switch {
	case d.Right == Theirs:
		return "the other filter, by " + d.Section
	case d.Right == Either:
		return "either: " + d.Section + " leaves it to the site"
	case d.Right == Untold && d.Section != "":
		return "not to be told from the record; see " + d.Section
	case d.Right == Untold:
		return "not to be told from the record"
	}
	return string(d.Right) + ", by " + d.Section
}
