package main

import (
	"cmp"
	"slices"
	"strconv"

	"alignd/judge"
	"alignd/record"
	"alignd/resolver"
)

// report is what `alignd check --json` prints: the record of the message, as far
// as a file tells it. Checks run side by side, so their questions come in any
// order; they are sorted here.
func report(s *judge.Settings, j *judge.Judgement, questions []resolver.Question) []byte {
	with := record.Rendering{AuthenticationResults: j.Results.Unfolded(), Questions: []record.Question{}}
	for _, q := range questions {
		with.Questions = append(with.Questions, record.Question{Name: q.Name, Type: q.Type, Outcome: q.Outcome, Answers: q.Answers})
	}
	with.Deletions = deletions(j)
	slices.SortStableFunc(with.Questions, func(a, b record.Question) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return record.JSON(&record.Record{Evidence: *j.Evidence, Verdict: j.Verdict, Basis: s.Basis}, with)
}

// deletions names the incoming fields that the daemon would delete; never nil.
func deletions(j *judge.Judgement) []string {
	list := []string{}
	for _, f := range j.Deletions() {
		list = append(list, f.Name+" "+strconv.Itoa(f.Number))
	}
	return list
}
