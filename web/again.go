package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/policy"
	"alignd/replay"
)

// again judges a message under the configuration in force, as alignd replay --explain does.
func (a *asked) again() (*page, error) {
	list, err := a.named()
	if err != nil {
		return nil, err
	}
	r := list[0].Record
	j, err := a.opt.Backend.Again(r)
	if err != nil {
		return nil, err
	}
	shown := r
	if !a.person.Auditor() {
		shown, j.Verdict = dropping.Record(r), dropping.Verdict(j.Verdict)
	}
	id := a.get("id")
	t := &table{Columns: columns("Part", "Then", "Under today's configuration", "Remark")}
	then, now := explain.VerdictRows(&shown.Verdict), explain.VerdictRows(&j.Verdict)
	for i := range then {
		if then[i][1] == "" && now[i][1] == "" {
			continue
		}
		mark := cell{}
		if then[i][1] != now[i][1] {
			mark = cell{Text: "differs", Class: "mark", Sign: "≠"}
		}
		t.Rows = append(t.Rows, []cell{plain(then[i][0]), plain(cmp.Or(then[i][1], "-")), plain(cmp.Or(now[i][1], "-")), mark})
	}
	var causes []string
	for _, c := range j.Causes {
		causes = append(causes, terminal.Line(string(c.Kind)+": "+c.What))
	}
	after := *shown
	after.Verdict = j.Verdict
	kind := replayKinds[j.Kind]
	p := &page{Title: "Judged again", Command: "alignd replay --explain " + shellWord(id), Rows: t, Data: map[string]any{
		"kind": kind, "causes": orEmpty(j.Causes), "depends_on_state": j.ByState, "depends_on_sample": j.BySample,
		"before": json.RawMessage(explain.JSON(shown)), "after": json.RawMessage(explain.JSON(&after)),
	}}
	outcome := stat{Name: "under today's configuration", Value: strings.ReplaceAll(kind, "_", " "), Class: kindClass(j.Kind)}
	p.Blocks = []block{{Stats: []stat{outcome}, Way: []step{judged("Then", &shown.Verdict), judged("Today", &j.Verdict)}}, {Table: t, Points: append(causes, remarks(&j)...)}}
	because := block{Heading: "Because", Lines: []explained{{Name: "then", Text: terminal.Line(shown.Verdict.Reason)}}}
	if j.Kind != replay.NotCounted {
		because.Lines = append(because.Lines, explained{Name: "today", Text: terminal.Line(j.Verdict.Reason)})
	}
	p.Blocks = append(p.Blocks, because, block{Links: []link{{"Its whole story", to("/message", "id", id)}}})
	return p, nil
}

// judged is a verdict in short: what was done, by which rule, and where that stands.
func judged(when string, v *policy.Verdict) step {
	text := byWhom(v)
	if at := place(v.File, v.Line); at != "" {
		text += " (" + at + ")"
	}
	s := station(when, cmp.Or(string(v.Delivery), "none"), text)
	if heldBack(v) {
		s.Word += terminal.Line(fmt.Sprintf(" (held back: %s)", v.Monitor.Delivery))
	}
	return s
}

// remarks are what else is to be known of a judgement, as alignd replay --explain says it.
func remarks(j *replay.Judgement) (list []string) {
	for _, n := range []struct {
		yes  bool
		text string
	}{
		{j.OverLimit, "It was over a limit; limits are not judged again."},
		{j.ByState, "This rests on how often the message was tried."},
		{j.BySample, "This depends on the sample of pct or a rollout."},
		{j.Kind == replay.NotCounted, "It was not judged to the end, so there is nothing to judge again."},
		{j.Kind == replay.CannotTell, "What a rule of today needs was not looked up then."},
	} {
		if n.yes {
			list = append(list, n.text)
		}
	}
	return list
}

// replayKinds say what would become of a message, as JSON of alignd replay does.
var replayKinds = map[replay.Kind]string{
	replay.Unchanged: "unchanged", replay.WouldRefuse: "would_refuse", replay.WouldDefer: "would_defer", replay.WouldLetIn: "would_let_in",
	replay.WouldMark: "would_mark", replay.WouldUnmark: "would_unmark", replay.CannotTell: "cannot_tell", replay.NotCounted: "not_counted",
}

func kindClass(k replay.Kind) string {
	switch k {
	case replay.WouldRefuse, replay.WouldDefer:
		return "bad"
	case replay.WouldLetIn, replay.WouldUnmark:
		return "good"
	case replay.WouldMark, replay.CannotTell:
		return "mark"
	}
	return "none"
}
