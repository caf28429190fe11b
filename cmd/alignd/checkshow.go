package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"alignd/judge"
	"alignd/policy"
)

// checkOutput shows messages that were checked, one after the other.
type checkOutput interface {
	add(*checked) error
	end() error
}

// output is what the flags ask for. several says that there is more than one
// message for sure; an mbox file may have any number.
func (f *checkFlags) output(out io.Writer, several bool) checkOutput {
	compare := f.given("diff")
	var one func(*checked) error
	var many checkOutput
	switch {
	case f.json && compare:
		one, many = jsonDiff(out, ""), &eachChecked{func(c *checked) error { return jsonDiff(out, c.name)(c) }}
	case f.json:
		one = func(c *checked) error { return writeLine(out, checkJSON(c, "")) }
		many = &eachChecked{func(c *checked) error { return writeLine(out, checkJSON(c, c.name)) }}
	case compare:
		one, many = func(c *checked) error { return explainDiff(out, c) }, newDiffTable(out)
	default:
		one, many = func(c *checked) error { return explainChecked(out, c) }, newCheckTable(out)
	}
	return &firstHeld{one: one, many: many, several: several}
}

func writeLine(out io.Writer, line []byte) error {
	_, err := out.Write(append(line, '\n'))
	return err
}

// firstHeld keeps the first message until it is known whether there are others: a
// single one is shown in full.
type firstHeld struct {
	one     func(*checked) error
	many    checkOutput
	several bool
	first   *checked
	any     bool
}

func (h *firstHeld) add(c *checked) error {
	h.any = true
	switch {
	case h.several:
	case h.first == nil:
		h.first = c
		return nil
	default:
		h.several = true
		if err := h.many.add(h.first); err != nil {
			return err
		}
		h.first = nil
	}
	return h.many.add(c)
}

func (h *firstHeld) end() error {
	switch {
	case !h.any:
		return errors.New("no message was found")
	case h.several:
		return h.many.end()
	}
	return h.one(h.first)
}

// eachChecked shows each message by itself.
type eachChecked struct{ show func(*checked) error }

func (e *eachChecked) add(c *checked) error { return e.show(c) }
func (e *eachChecked) end() error           { return nil }

// checkTable is a line for each message, as it is judged, and the sums.
type checkTable struct {
	out      io.Writer
	messages int
	sums     sums
}

func newCheckTable(out io.Writer) *checkTable { return &checkTable{out: out, sums: sums{}} }

const checkColumns = "%-9s %-10s %-9s %-7s %-5s %-10s %-24s %s\n"

func (t *checkTable) add(c *checked) error {
	if t.messages++; t.messages == 1 {
		fmt.Fprintf(t.out, checkColumns, "delivery", "requested", "spf", "dkim", "arc", "dmarc", "author domain", "message")
	}
	r := resultsOf(&c.by[0].j)
	t.sums.count("delivery "+r.delivery, "dmarc="+r.dmarc, "spf="+r.spf)
	for _, n := range c.notes {
		t.sums.count(kindOfNote(n))
	}
	_, err := fmt.Fprintf(t.out, checkColumns, r.delivery, r.requested, r.spf, r.dkim, r.arc, r.dmarc, printable(shortened(r.author, 60)), printable(c.name))
	return err
}

func (t *checkTable) end() error {
	fmt.Fprintf(t.out, "\n%d messages\n", t.messages)
	return t.sums.print(t.out)
}

// kindOfNote is a note without what is of its message alone, as a sum.
func kindOfNote(note string) string {
	for _, kind := range []string{"no --ip", "no --helo", "no --mail-from", "byte order mark", "nothing was taken"} {
		if strings.Contains(note, kind) {
			return "note: " + kind
		}
	}
	return "note: others"
}

// checkResults are the words of one line.
type checkResults struct {
	delivery, requested, spf, dkim, arc, dmarc, author string
}

func resultsOf(j *judge.Judgement) checkResults {
	ev := j.Evidence
	r := checkResults{
		delivery: string(j.Verdict.Delivery), requested: string(j.Verdict.Requested),
		spf: "none", dkim: "none", arc: "none", dmarc: "permerror", author: "-",
	}
	if c := ev.ReportedSPF(); c != nil {
		r.spf = string(c.Result)
	}
	if d := policy.Decisive(ev, &j.Verdict); d != nil {
		r.dmarc, r.author = string(d.Result), d.AuthorDomain
	}
	if ev.ARC.Result != "" {
		r.arc = string(ev.ARC.Result)
	}
	for i := range ev.DKIM { // a pass says the most, the first one else
		if s := string(ev.DKIM[i].Result); i == 0 || s == "pass" {
			r.dkim = s
		}
	}
	return r
}

func shortened(s string, max int) string {
	if len(s) > max {
		return s[:max-3] + "..."
	}
	return s
}
