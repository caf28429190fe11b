package selftest

import (
	"errors"
	"maps"
	"net/netip"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

var errAway = errors.New("the state is away")

// Each record is judged again, passed over, or unreadable, and never two of these.
func TestWhatBecomesOfARecord(t *testing.T) {
	cfg, err := config.Parse([]byte("exceptions:\n- {id: bobs, action: accept, scope: {recipients: [bob@here.test]}, proof: {clients: [192.0.2.0/24]}, never_expires: true}\n"), "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text := func(hash [32]byte) ([]byte, error) {
		switch hash {
		case cfg.Hash():
			return cfg.Text(), nil
		case [32]byte{1}:
			return nil, errAway
		}
		return nil, nil
	}
	for _, row := range []struct {
		name              string
		change            func(*record.Record)
		judged, differ    uint64
		passed, different string
		problem           error
	}{
		{name: "as it was", judged: 1},
		{name: "another verdict", change: func(r *record.Record) { r.Verdict.Rule = "other" }, judged: 1, differ: 1, different: "Rule"},
		{name: "the configuration is not kept", change: func(r *record.Record) { r.Basis.Config = [32]byte{2} }, passed: NotKept},
		{name: "it has no name", change: func(r *record.Record) { r.Basis.Config = [32]byte{} }, passed: NotKept},
		{name: "it cannot be read", change: func(r *record.Record) { r.Basis.Config = [32]byte{1} }, passed: NotKept, problem: errAway},
		{name: "the MTA gave it up", change: func(r *record.Record) { r.Outcome.End = record.EndAborted }, passed: NotCompared},
		{name: "the address is not kept", change: func(r *record.Record) {
			r.Evidence.Recipients[0].Address, r.Basis.Addresses = "@here.test", record.AddressesDropped
		}, passed: NotTold},
	} {
		ev := evidence.Message{
			Schema: evidence.SchemaVersion, Time: time.Now(), Token: "token", Sample: 50, Looked: evidence.AllSections,
			Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")}, Recipients: []evidence.Recipient{{Address: "bob@here.test"}},
			From:  evidence.From{Fields: 1, Domains: []string{"bank.example"}},
			DMARC: []evidence.DMARC{{AuthorDomain: "bank.example", PolicyDomain: "bank.example", Result: evidence.Fail, Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100}}},
		}
		r := &record.Record{Evidence: ev, Verdict: policy.Decide(&ev, cfg.Rules), Outcome: record.Outcome{End: record.EndAnswered}, Basis: record.Basis{Config: cfg.Hash()}}
		if row.change != nil {
			row.change(r)
		}
		x := Test{Text: text, Limit: 1}
		x.judge(r)
		passed := map[string]uint64{}
		if row.passed != "" {
			passed[row.passed] = 1
		}
		if x.Judged != row.judged || x.Differ != row.differ || !maps.Equal(x.PassedOver, passed) || !errors.Is(x.Problem, row.problem) || (x.Unreadable == 1) != (row.problem != nil) {
			t.Errorf("%s: %+v, %v", row.name, x.Result, x.Problem)
		}
		if row.different != "" && (len(x.Differences) != 1 || x.Differences[0].Field != row.different || x.Differences[0].Was != "other" || x.Differences[0].Is != "bobs") {
			t.Errorf("%s: %+v", row.name, x.Differences)
		}
		if x.judge(r); uint64(len(x.Differences)) != row.differ { // Limit is 1
			t.Errorf("%s: named again: %+v", row.name, x.Differences)
		}
	}
}
