package explain

import (
	"fmt"
	"strings"

	"alignd/internal/terminal"
	"alignd/policy"
)

// Rules tells of each rule that was considered why it matched or not, and what would have
// to be different. told says that they are other rules than those that judged; it is
// empty where they are not.
func (e *Teller) Rules(rules *policy.Rules, told string) {
	if e.v.Step == policy.StepLimit || e.v.Step == policy.StepInternal || !e.v.Reached() {
		return // no rule was asked
	}
	e.Section("Rules")
	if told != "" {
		e.Line("note", "%s", told)
	}
	list := policy.Consider(e.ev, rules)
	if len(list) == 0 {
		e.Line("", "there are none but the options that handle each policy")
	}
	for i := range list {
		e.considered(&list[i])
	}
	e.ways(policy.Ways(e.ev, rules))
}

func (e *Teller) considered(x *policy.Considered) {
	kind, rule, fate, why := RuleText(x)
	if x.Count == 0 && x.At.File != "" {
		rule += fmt.Sprintf(" (%s)", x.At)
	}
	if x.Author != "" && len(e.ev.DMARC) > 1 {
		fate += " for " + x.Author
	}
	e.Line(kind, "%s %s: %s", rule, fate, why)
}

// RuleText is what is told of a rule that was considered: its kind, its id or how many it
// stands for, what became of it, and why.
func RuleText(x *policy.Considered) (kind, rule, fate, why string) {
	switch {
	case x.Count == 1:
		rule = "one"
	case x.Count > 1:
		rule = fmt.Sprint(x.Count)
	default:
		rule = x.ID
	}
	fate = string(x.Fate)
	if plural, differs := severalFates[x.Fate]; differs && x.Count > 1 {
		fate = plural
	}
	reasons := make([]string, 0, 1+len(x.Unmet))
	if x.Why != "" {
		reasons = append(reasons, x.Why)
	}
	for i := range x.Unmet {
		reasons = append(reasons, unmetText(&x.Unmet[i]))
	}
	return kindWords[x.Kind], rule, fate, strings.Join(reasons, "; ")
}

// severalFates are the fates of several rules, where the verb differs.
var severalFates = map[policy.Fate]string{policy.Unmatched: "do not match", policy.Held: "hold"}

// kindWords fit the column of names.
var kindWords = map[policy.RuleKind]string{
	policy.KindNetwork: "not judged", policy.KindException: "exception", policy.KindSealer: "sealer", policy.KindDomain: "domain",
	policy.KindProfile: "profile", policy.KindStage: "rollout", policy.KindSignal: "signal", policy.KindOwn: "own domains",
}

func unmetText(u *policy.Unmet) string {
	text := u.Key + " wants " + strings.Join(u.Wanted, " or ")
	switch {
	case len(u.Facts) > 0:
		return text + ", and the " + string(u.Facts[0]) + " is not known"
	case len(u.Had) > 0:
		return text + ", and it is " + strings.Join(u.Had, ", ")
	}
	return text + ", and " + u.None
}

// ways tells what would have to be different, each line by itself.
func (e *Teller) ways(list []policy.Way) {
	title := ""
	for i := range list {
		w := &list[i]
		next := "It would have been treated milder, if one of these were so"
		if w.Passes {
			next = w.Author + " would have passed DMARC, if one of these were so"
		}
		if next != title {
			title = next
			e.Section(title)
		}
		e.add(Line{Text: terminal.Line(w.Text), Form: Point})
	}
}
