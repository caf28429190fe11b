package replay

import (
	"fmt"
	"testing"

	"alignd/internal/made"
	"alignd/policy"
	"alignd/record"
)

// workload is a change of the configuration whose replay is measured.
type workload struct {
	name  string
	rules *policy.Rules
}

func workloads(t testing.TB) []workload {
	t.Helper()
	many := policy.Spec{}
	for i := range 10_000 {
		many.Exceptions = append(many.Exceptions, policy.Exception{ID: fmt.Sprintf("vendor%d", i), Action: policy.Accept, NeverExpires: true,
			Scope: policy.Scope{AuthorDomains: []string{made.DomainOf(i)}}, Proof: policy.Proof{DKIM: []string{fmt.Sprintf("esp%d-provider.example", i%5)}}})
	}
	var list []workload
	for _, w := range []struct {
		name string
		spec policy.Spec
	}{
		{name: "same", spec: policy.Spec{}},
		{name: "monitor", spec: policy.Spec{Mode: policy.Monitor}},
		{name: "corroborated", spec: policy.Spec{Handling: policy.Handling{RejectMode: policy.Corroborated}}},
		{name: "rollout", spec: policy.Spec{Handling: policy.Handling{Rollout: []policy.Stage{{Name: policy.StageTag}, {Name: policy.StageReject, Percent: 25}}}}},
		{name: "exceptions=10000", spec: many},
	} {
		rules, err := policy.Compile(w.spec)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, workload{w.name, rules})
	}
	return list
}

// madeBatch are records like those of real mail.
func madeBatch(n int) (batch encoded) {
	var w made.World
	for i := range n {
		batch = append(batch, record.Append(nil, w.Record(i)))
	}
	return batch
}

// BenchmarkRun is a replay of records that are unpacked, per record.
func BenchmarkRun(b *testing.B) {
	batch := madeBatch(512)
	for _, w := range workloads(b) {
		b.Run(w.name, func(b *testing.B) {
			o := &RunOptions{Options: Options{Rules: w.rules}, By: []Dimension{ByDomain}, Samples: 3, Workers: 2}
			b.ReportAllocs()
			left := b.N
			_, err := Run(o, func(add func(Batch)) error {
				for ; left > 0; left -= len(batch) {
					add(batch[:min(left, len(batch))])
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkJudge is the decision and what is compared with it, of a record that is decoded.
func BenchmarkJudge(b *testing.B) {
	var records []*record.Record
	for _, e := range madeBatch(512) {
		r, err := record.Decode(e)
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, r)
	}
	for _, w := range workloads(b) {
		b.Run(w.name, func(b *testing.B) {
			o := &Options{Rules: w.rules}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_ = o.Judge(records[i%len(records)])
			}
		})
	}
}
