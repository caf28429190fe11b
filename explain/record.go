package explain

import (
	"strings"
	"time"

	"alignd/journal"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
)

// Record tells what became of a past message and how that came about. DNS answers are
// not kept; questions that failed are. rules are those that judged it; where they are
// others, told says so.
func Record(entry *journal.Entry, rules *policy.Rules, told string) []Section {
	r := entry.Record
	e := New(&r.Evidence, &r.Verdict)
	e.past = true
	e.Section("Message")
	e.identity(r)
	e.From()
	e.Checks()
	if len(r.Evidence.Failed) > 0 {
		e.Section("DNS")
		for _, q := range r.Evidence.Failed {
			e.Line(q.Type, "%s %s %s", q.Name, q.RCode, q.Why)
		}
	}
	e.Section("Verdict")
	e.Verdict()
	e.Rules(rules, told)
	e.Section("Outcome")
	e.outcome(entry)
	return e.Sections()
}

// identity is what the message is known by.
func (e *Teller) identity(r *record.Record) {
	ev := &r.Evidence
	e.Line("time", "%s", ev.Time.UTC().Format(time.RFC3339Nano))
	for _, f := range []struct{ name, value string }{
		{"queue id", ev.QueueID}, {"token", ev.Token}, {"Message-ID", ev.MessageID}, {"MTA", ev.MTA},
	} {
		if f.value != "" {
			e.Line(f.name, "%s", f.value)
		}
	}
	for i := range ev.Recipients {
		e.Line("recipient", "<%s>", ev.Recipients[i].Address)
	}
	for _, problem := range ev.Problems {
		e.Line("problem", "%s", problem)
	}
	if r.Cut != 0 {
		e.Line("cut", "the record was too long: %s", strings.Join(r.Cut.Names(), ", "))
	}
}

// outcome is what the MTA was told.
func (e *Teller) outcome(entry *journal.Entry) {
	o := &entry.Record.Outcome
	switch {
	case o.End == record.EndAborted:
		e.Line("ended", "the MTA gave the message up: %s", o.Problem)
	case o.Problem != "":
		e.Line("ended", "%s: %s", o.End, o.Problem)
	}
	if reply := o.Reply.String(); reply != "" {
		e.Line("told", "%s", reply)
	} else if o.Delivered {
		e.Line("told", "let it through")
	}
	switch entry.Answer {
	case journal.AnswerLost:
		e.Line("answer", "was not heard: the connection to the MTA was lost")
	case journal.AnswerUnknown:
		e.Line("answer", "unknown whether the MTA heard it: alignd ended at that moment")
	}
	if o.Deleted > 0 {
		e.Line("deleted", "%d fields that claimed results or marks of ours", o.Deleted)
	}
	h := judge.Results(entry.Record)
	e.Results(h.Format())
	e.Line("judged by", "%s, configuration %x", entry.Record.Basis.Program, entry.Record.Basis.Config[:6])
}
