package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"alignd/journal"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
)

// explainRecord tells what became of a past message and how that came about. DNS
// answers are not kept; questions that failed are.
func explainRecord(out io.Writer, entry *journal.Entry, rules *policy.Rules, told string) error {
	r := entry.Record
	e := explainer{bufio.NewWriter(out), &r.Evidence, &r.Verdict}
	e.section("Message")
	e.identity(r)
	e.from()
	e.section("Checks")
	e.spf()
	e.dkim()
	e.arc()
	e.dmarc()
	e.iprev()
	if len(r.Evidence.Failed) > 0 {
		e.section("DNS")
		for _, q := range r.Evidence.Failed {
			e.line(q.Type, "%s %s %s", q.Name, q.RCode, q.Why)
		}
	}
	e.section("Verdict")
	e.verdict()
	e.rules(rules, told)
	e.section("Outcome")
	e.outcome(entry)
	return e.w.Flush()
}

// identity is what the message is known by.
func (e *explainer) identity(r *record.Record) {
	ev := &r.Evidence
	e.line("time", "%s", ev.Time.UTC().Format(time.RFC3339Nano))
	for _, f := range []struct{ name, value string }{
		{"queue id", ev.QueueID}, {"token", ev.Token}, {"Message-ID", ev.MessageID}, {"MTA", ev.MTA},
	} {
		if f.value != "" {
			e.line(f.name, "%s", f.value)
		}
	}
	for i := range ev.Recipients {
		e.line("recipient", "<%s>", ev.Recipients[i].Address)
	}
	for _, problem := range ev.Problems {
		e.line("problem", "%s", problem)
	}
	if r.Cut != 0 {
		e.line("cut", "the record was too long: %s", strings.Join(r.Cut.Names(), ", "))
	}
}

// outcome is what the MTA was told.
func (e *explainer) outcome(entry *journal.Entry) {
	o := &entry.Record.Outcome
	switch {
	case o.End == record.EndAborted:
		e.line("ended", "the MTA gave the message up: %s", o.Problem)
	case o.Problem != "":
		e.line("ended", "%s: %s", o.End, o.Problem)
	}
	if reply := o.Reply.String(); reply != "" {
		e.line("told", "%s", reply)
	} else if o.Delivered {
		e.line("told", "let it through")
	}
	switch entry.Answer {
	case journal.AnswerLost:
		e.line("answer", "was not heard: the connection to the MTA was lost")
	case journal.AnswerUnknown:
		e.line("answer", "unknown whether the MTA heard it: alignd ended at that moment")
	}
	if o.Deleted > 0 {
		e.line("deleted", "%d fields that claimed results or marks of ours", o.Deleted)
	}
	h := judge.Results(entry.Record)
	fmt.Fprintf(e.w, "  Authentication-Results: %s\n", strings.ReplaceAll(h.Format(), "\n", "\n  "))
	e.line("judged by", "%s, configuration %x", entry.Record.Basis.Program, entry.Record.Basis.Config[:6])
}
