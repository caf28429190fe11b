package spf

import (
	"fmt"
	"slices"
)

// Lint lists what is allowed in a record but unwise or without effect, for
// those who publish it; one sentence each, in the order of the terms.
func (r *Record) Lint() []string {
	var notes []string
	note := func(t *Term, why string) {
		notes = append(notes, fmt.Sprintf("%q: %s", clip(t.Text), why))
	}
	hasAll := slices.ContainsFunc(r.Terms, func(t Term) bool { return t.Kind == All })
	var all *Term // once it was passed
	questions := 0
	for i := range r.Terms {
		t := &r.Terms[i]
		switch {
		case all != nil && !t.Kind.Modifier():
			note(t, "never reached behind "+all.Text)
		case hasAll && t.Kind == Redirect:
			note(t, "has no effect in a record with all (RFC 7208 section 6.1)")
		case t.Kind == All && t.Qualifier == '+':
			note(t, "authorizes every host")
		case t.Kind == PTR:
			note(t, "should not be published (RFC 7208 section 5.5)")
		case t.Kind == UnknownModifier && looksLikeMechanism(t.Text):
			note(t, "is an unknown modifier and ignored; a mechanism takes a colon")
		}
		if t.Kind == All && all == nil {
			all = t
		}
		if t.Kind.CausesQuestions() && all == nil && !(hasAll && t.Kind == Redirect) {
			questions++
		}
	}
	if questions > DefaultLimits.Terms {
		notes = append(notes, fmt.Sprintf("%d terms that cause DNS questions, the limit is %d (RFC 7208 section 4.6.4)",
			questions, DefaultLimits.Terms))
	}
	return notes
}

// looksLikeMechanism tells "ip4=192.0.2.1" from other unknown modifiers.
func looksLikeMechanism(text string) bool {
	return mechanism(text[:nameLength(text)]) != UnknownModifier
}
