package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/explain"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
)

// mostStories is how many messages of one id are told; ours. MTAs use queue ids again.
const mostStories = 5

// message tells the story of a message, as alignd explain does.
func (a *asked) message() (*page, error) {
	list, err := a.named()
	if err != nil {
		return nil, err
	}
	id := a.get("id")
	p := &page{Title: "Message " + terminal.Line(brief(id)), Command: "alignd explain " + shellWord(id), Rows: messageTable(nil)}
	var objects []json.RawMessage
	for i, e := range list {
		shown := e
		if !a.person.auditor() {
			shown = private(e)
		}
		objects = append(objects, explain.EntryJSON(shown))
		p.Rows.Rows = append(p.Rows.Rows, messageRow(shown))
		if len(list) > 1 {
			p.Blocks = append(p.Blocks, block{Heading: fmt.Sprintf("%d of %d: %s", i+1, len(list), e.Record.Evidence.Time.UTC().Format(time.DateTime))})
		}
		p.Blocks = append(p.Blocks, a.story(e, shown)...)
	}
	p.Data = map[string]any{"messages": objects}
	return p, nil
}

// named are the messages that the parameter id names, with whatever addresses they have.
func (a *asked) named() ([]*journal.Entry, error) {
	id := a.get("id")
	if id == "" {
		return nil, wrong("Name a message: its queue id, token or Message-ID.")
	}
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var list []*journal.Entry
	for _, q := range a.opt.Backend.Named(id) {
		q.Limit = mostStories
		err := r.Search(a.ctx, q, func(e *journal.Entry) error {
			list = append(list, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, said{http.StatusNotFound, fmt.Sprintf("The journal has no message with queue id, token or Message-ID %q.", id)}
}

// story is the way of a message as a picture, and all that is known of it. e has the
// addresses, shown what may be shown of them.
func (a *asked) story(e, shown *journal.Entry) []block {
	r := shown.Record
	ev, v := &r.Evidence, &r.Verdict
	id := cmp.Or(ev.Token, ev.QueueID, a.get("id"))
	list := []block{{Way: way(shown), Links: []link{
		{"Judge again under today's configuration", to("/message/again", "id", id)},
		{"More from this domain", to("/messages", "domain", journal.AuthorOf(r))},
		{"Who sends as it", to("/senders", "domain", journal.AuthorOf(r))},
	}}}
	rules, told := a.opt.Backend.RulesOf(a.ctx, e.Record)
	if !deliveredAnyway(v) {
		list = append(list, whyNot(e.Record, r, rules))
	}
	if c := ev.ReportedSPF(); c != nil {
		list = append(list, block{Heading: "SPF", Note: "The record, and the way to the directive that decided.", Tree: spfTree(c)})
	}
	list = append(list, signatures(ev), chain(ev), alignment(ev))
	list = slices.DeleteFunc(list, func(b block) bool {
		return b.Heading != "" && b.Tree == nil && b.Table == nil && b.Points == nil && b.Note == ""
	})
	for _, s := range storyOf(e, shown, rules, told) {
		b := block{Heading: s.Name}
		for _, l := range s.Lines {
			switch l.Form {
			case explain.Point:
				b.Points = append(b.Points, l.Text)
			default:
				b.Lines = append(b.Lines, explained{l.Name, l.Text, l.Form == explain.Folded})
			}
		}
		list = append(list, b)
	}
	return list
}

// storyOf tells all but the rules of what may be shown. Rules are told of the message as
// it was, since without addresses it would not be known which hold; finish hides them.
func storyOf(e, shown *journal.Entry, rules *policy.Rules, told string) []explain.Section {
	list := explain.Record(shown, rules, told)
	if e == shown {
		return list
	}
	own := map[string]bool{}
	for _, name := range []string{"Message", "Checks", "DNS", "Verdict", "Outcome"} {
		own[name] = true
	}
	var merged []explain.Section
	for _, s := range explain.Record(e, rules, told) {
		if !own[s.Name] {
			for i := range s.Lines {
				s.Lines[i].Text = withoutLocals(s.Lines[i].Text)
			}
			merged = append(merged, s)
			continue
		}
		if i := slices.IndexFunc(list, func(x explain.Section) bool { return x.Name == s.Name }); i >= 0 {
			merged = append(merged, list[i])
		}
	}
	return merged
}

// withoutLocals leaves of what stands between angle brackets what is a domain. An address
// that has none, or spaces in it, is not found by how it looks.
func withoutLocals(text string) string {
	first, last := strings.IndexByte(text, '<'), strings.LastIndexByte(text, '>')
	if first < 0 || last < first+2 {
		return text
	}
	var kept []string
	for address := range strings.SplitSeq(text[first+1:last], ">, <") {
		kept = append(kept, address[max(0, strings.LastIndexByte(address, '@')):])
		if !strings.Contains(address, "@") {
			kept[len(kept)-1] = "@"
		}
	}
	return text[:first+1] + strings.Join(kept, ">, <") + text[last:]
}

// way is what the message passed, station by station.
func way(e *journal.Entry) []step {
	r := e.Record
	ev, v := &r.Evidence, &r.Verdict
	station := func(name, result, text string) step {
		class, sign := meaning(result)
		return step{Name: name, Word: terminal.Line(cmp.Or(result, "-")), Text: terminal.Line(brief(text)), Class: class, Sign: sign}
	}
	list := []step{
		{Name: "Client", Word: terminal.Line(explain.Client(r)), Text: terminal.Line(brief(ev.Client.HELOName())), Class: "none", Sign: "·"},
		{Name: "MAIL FROM", Word: terminal.Line(brief(cmp.Or(ev.MailFrom, "<>"))), Class: "none", Sign: "·"},
	}
	if c := ev.ReportedSPF(); c != nil {
		list = append(list, station("SPF", string(c.Result), c.Domain))
	}
	first := ""
	if len(ev.DKIM) > 0 {
		first = ev.DKIM[0].Domain
	}
	list = append(list, station("DKIM", dkimOf(r), first))
	if ev.ARC.Result != evidence.NotChecked && ev.ARC.Result != evidence.None {
		list = append(list, station("ARC", string(ev.ARC.Result), fmt.Sprintf("%d sets", ev.ARC.Instances)))
	}
	list = append(list, station("DMARC", explain.DMARC(r), journal.AuthorOf(r)), station("Decided by", string(v.Delivery), string(v.Step)+" "+v.Rule))
	told := r.Outcome.Reply.String()
	if told == "" && r.Outcome.Delivered {
		told = "let through"
	}
	return append(list, station("The MTA was told", explain.Delivery(v), told))
}

// whyNot answers "why was it not delivered?": the reason, the reply, and what would have
// had to be different. Texts are those of shown: a reply or reason may have a local part
// without its "@", as SPF's macros write it.
func whyNot(r, shown *record.Record, rules *policy.Rules) block {
	v := &shown.Verdict
	b := block{ID: "why", Heading: "Why was it not simply delivered?", Note: terminal.Line(v.Reason)}
	if place := v.Place(); place != "" {
		b.Points = append(b.Points, terminal.Line("It was decided at "+place+"."))
	}
	if reply := shown.Outcome.Reply.String(); reply != "" {
		b.Points = append(b.Points, terminal.Line("The sender was told: "+reply))
	}
	for _, w := range policy.Ways(&r.Evidence, rules) {
		what := "It would have been treated milder: "
		if w.Passes {
			what = w.Author + " would have passed DMARC: "
		}
		b.Points = append(b.Points, terminal.Line(what+w.Text))
	}
	return b
}

// spfTree is the way through includes and redirects to the directive that decided.
func spfTree(c *evidence.SPFCheck) *branch {
	class := string(c.Result)
	root := &branch{Text: terminal.Line(fmt.Sprintf("%s: %s (%s, %d lookups)", c.Domain, cmp.Or(c.Record, "no record"), class, c.Lookups))}
	at := root
	for i, t := range c.Path {
		next := &branch{Text: terminal.Line(fmt.Sprintf("%s – term %d in the record of %s", t.Term, t.Number, t.Domain)), Decided: i == len(c.Path)-1}
		at.Below = append(at.Below, next)
		at = next
	}
	if len(c.Path) == 0 && c.Mechanism != "" {
		root.Below = []*branch{{Text: terminal.Line(c.Mechanism + " in the record of " + c.MechanismDomain), Decided: true}}
	}
	if c.Reason != "" {
		root.Below = append(root.Below, &branch{Text: terminal.Line(c.Reason)})
	}
	return root
}

func signatures(ev *evidence.Message) block {
	if len(ev.DKIM) == 0 {
		return block{Heading: "Signatures"}
	}
	t := &table{Columns: columns("Result", "Domain (d=)", "Selector", "Algorithm", "#Bits", "Why")}
	for i := range ev.DKIM {
		s := &ev.DKIM[i]
		bits := cell{}
		if s.KeyBits > 0 {
			bits = number(s.KeyBits)
		}
		t.Rows = append(t.Rows, []cell{word(string(s.Result)), plain(s.Domain), plain(s.Selector), plain(s.Algorithm), bits, plain(s.Reason)})
	}
	return block{Heading: "Signatures", Table: t}
}

func chain(ev *evidence.Message) block {
	if len(ev.ARC.Sets) == 0 {
		return block{Heading: "Chain"}
	}
	t := &table{Columns: columns("#Instance", "Sealed by", "cv=", "Seal", "Message signature")}
	for _, s := range ev.ARC.Sets {
		t.Rows = append(t.Rows, []cell{number(s.Instance), plain(s.SealDomain), word(s.SealCV), word(cmp.Or(string(s.SealResult), "-")), word(cmp.Or(string(s.MessageResult), "-"))})
	}
	return block{Heading: "Chain (ARC)", Note: terminal.Line(ev.ARC.Reason), Table: t}
}

func alignment(ev *evidence.Message) block {
	if len(ev.DMARC) == 0 {
		return block{Heading: "Alignment"}
	}
	t := &table{Columns: columns("Author Domain", "DMARC", "Policy", "Of", "SPF aligned", "DKIM aligned", "Compared with")}
	for i := range ev.DMARC {
		d := &ev.DMARC[i]
		var compared []string
		for _, c := range d.Compared {
			compared = append(compared, c.Domain+" ("+cmp.Or(c.OrgDomain, "another organization")+")")
		}
		t.Rows = append(t.Rows, []cell{plain(d.AuthorDomain), word(string(d.Result)), plain(string(d.Policy)), plain(d.PolicyDomain),
			plain(yesNo(d.SPFAligned)), plain(yesNo(d.DKIMAligned)), plain(strings.Join(compared, ", "))})
	}
	return block{Heading: "Identifier Alignment", Table: t}
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

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
	if !a.person.auditor() {
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
	p.Blocks = []block{
		{Stats: []stat{{Name: "under today's configuration", Value: strings.ReplaceAll(kind, "_", " "), Class: kindClass(j.Kind)}}},
		{Table: t, Points: causes},
		{Heading: "Because", Lines: []explained{{Name: "then", Text: terminal.Line(shown.Verdict.Reason)}, {Name: "now", Text: terminal.Line(j.Verdict.Reason)}}},
		{Links: []link{{"Its whole story", to("/message", "id", id)}}},
	}
	return p, nil
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
