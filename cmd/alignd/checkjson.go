package main

import (
	"cmp"
	"slices"
	"strconv"

	"alignd/judge"
	"alignd/record"
)

// checkJSON is what `alignd check --json` prints: the record of the message, as far
// as a file tells it. source names it where there are several.
func checkJSON(c *checked, source string) []byte { return checkJSONOf(c, &c.by[0], source) }

// checkJSONOf is checkJSON by one configuration. Checks run side by side, so their
// questions come in any order; they are sorted here.
func checkJSONOf(c *checked, by *judged, source string) []byte {
	with := record.Rendering{
		Source: source, Notes: c.notes, Deletions: deletions(&by.j),
		AuthenticationResults: by.j.Results.Unfolded(), Questions: []record.Question{},
	}
	for _, q := range by.questions {
		with.Questions = append(with.Questions, record.Question{Name: q.Name, Type: q.Type, Outcome: q.Outcome, Answers: q.Answers, CNAMEs: q.CNAMEs})
	}
	slices.SortStableFunc(with.Questions, func(a, b record.Question) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return record.JSON(&record.Record{Evidence: *by.j.Evidence, Verdict: by.j.Verdict, Basis: by.s.Basis}, with)
}

// deletions names the incoming fields that the daemon would delete; never nil.
func deletions(j *judge.Judgement) []string {
	list := []string{}
	for _, f := range j.Deletions() {
		list = append(list, f.Name+" "+strconv.Itoa(f.Number))
	}
	return list
}
