package main

import (
	"bytes"
	"io"
	"strings"

	"alignd/explain"
	"alignd/header"
	"alignd/judge"
)

// explainChecked tells how the verdict came about: identities, DNS answers, rules.
func explainChecked(out io.Writer, c *checked) error {
	j := &c.by[0].j
	e := explain.New(j.Evidence, &j.Verdict)
	e.Section("Message")
	for _, n := range c.notes {
		e.Line("note", "%s", n)
	}
	e.From()
	e.Checks()
	e.Section("DNS")
	e.DNS(c.by[0].questions)
	e.Section("Verdict")
	e.Verdict()
	e.Rules(c.by[0].s.Rules, "")
	e.Section("Header")
	explainHeader(e, j, c.fields)
	return explain.Write(out, e.Sections())
}

// explainHeader tells what the daemon would add and delete.
func explainHeader(e *explain.Teller, j *judge.Judgement, fields *header.Fields) {
	for _, f := range j.Deletions() {
		e.Line("deleted", "%s, number %d of that name, as a reader may take it for ours: %s", f.Name, f.Number, fieldText(fields, f))
	}
	if !j.WritesResults() {
		e.Line("added", "nothing, as the client is not judged")
		return
	}
	e.Results(j.Results.Format())
}

// fieldText is the value of a field that goes.
func fieldText(fields *header.Fields, f judge.Field) string {
	number := 0
	for i := range fields.Len() {
		name := bytes.TrimRight(fields.At(i).Name(), " \t")
		if !strings.EqualFold(string(name), f.Name) {
			continue
		}
		if number++; number == f.Number {
			return quoted(fields.At(i).Value())
		}
	}
	return ""
}
