package compare

import (
	"fmt"
	"testing"
	"time"

	"alignd/evidence"
)

func TestASummaryCountsKindsOfDifferences(t *testing.T) {
	var s Summary
	begin := time.Unix(1_800_000_000, 0)
	add := func(name string, change func(*evidence.Message), theirs ...string) {
		ev := message(change, theirs...)
		ev.Time = begin.Add(time.Duration(s.Messages) * time.Minute)
		s.Add(name, ev, decided)
	}
	weak := func(ev *evidence.Message) {
		ev.DKIM[0].Result, ev.DKIM[0].FailedOn, ev.DKIM[0].Reason = evidence.Policy, evidence.FailedKey, "RSA key below 1024 bits"
	}
	for i := range 5 {
		add(fmt.Sprint("w", i), weak, "spf=pass", "dkim=pass header.d=bank.example header.s=s")
	}
	add("same", nil, "spf=pass", "dkim=pass header.d=bank.example header.s=s", "dmarc=pass header.from=bank.example")
	add("from1", nil, "dmarc=pass header.from=a.example")
	add("from2", nil, "dmarc=pass header.from=b.example")
	add("nothing", func(ev *evidence.Message) {})
	s.Add("none", &evidence.Message{Incumbents: []evidence.Incumbent{{ServID: "mx.example"}}}, decided)
	s.Add("before", &evidence.Message{}, decided)
	s.Sort()

	f := s.Filters[0]
	if len(s.Filters) != 1 || s.Messages != 10 || f.Wrote != 9 || f.Absent != 1 || f.Compared != 8 || f.Agreed != 1 {
		t.Errorf("%+v %+v", s, f)
	}
	if got := fmt.Sprint(*f.Methods[0], *f.Methods[1], *f.Methods[2], *f.Methods[3]); got != "{spf 6 6} {dkim 6 1} {dmarc 3 3} {header.from 3 1}" {
		t.Error(got)
	}
	if k := f.Kinds[0]; len(f.Kinds) != 2 || k.Rule != "dkim-key-bits" || k.Count != 5 || fmt.Sprint(k.Samples) != "[w0 w1 w2]" {
		t.Errorf("%+v", k)
	}
	if k := f.Kinds[1]; k.Rule != "from-read" || k.Count != 2 {
		t.Errorf("%+v", k)
	}
	if !s.Settled() {
		t.Error("alignd is right in each, but it is not settled")
	}
	add("open", nil, "spf=neutral")
	if s.Settled() {
		t.Error("what nobody can tell is settled")
	}
}

// Words come from outside, so their number has a bound.
func TestASummaryIsBounded(t *testing.T) {
	var s Summary
	for i := range MaxKinds + 10 {
		s.Add("x", message(nil, fmt.Sprintf("spf=x%d", i)), decided)
	}
	if f := s.Filters[0]; len(f.Kinds) != MaxKinds || f.Other != 10 || s.Settled() {
		t.Errorf("%d kinds, %d others", len(f.Kinds), f.Other)
	}
}

func TestNothingComparedIsNotSettled(t *testing.T) {
	var s Summary
	if s.Settled() {
		t.Error("without messages")
	}
	s.Add("none", &evidence.Message{Incumbents: []evidence.Incumbent{{ServID: "mx.example"}}}, decided)
	if s.Settled() {
		t.Error("without a field")
	}
}
