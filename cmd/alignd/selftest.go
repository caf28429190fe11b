package main

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"time"

	"alignd/config"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
)

// selfTest judges records again under the configurations that judged them.
type selfTest struct {
	since, until time.Time
	limit        int                                 // of Differences; 0 is none
	key          []byte                              // of hashed addresses; nil where it is not known
	text         func(hash [32]byte) ([]byte, error) // of a configuration; nil where it is not kept
	configs      map[[32]byte]*judgedUnder           // some of them
	problem      error                               // the first that made something unreadable

	selfTestResult
}

// selfTestResult is what `alignd journal self-test --json` prints.
type selfTestResult struct {
	Judged      uint64               `json:"judged"`
	Differ      uint64               `json:"differ"`
	Unreadable  uint64               `json:"unreadable"`
	PassedOver  map[string]uint64    `json:"passed_over"` // by reason
	Differences []selfTestDifference `json:"differences"`
	Seconds     float64              `json:"seconds"`
}

type selfTestDifference struct {
	Token   string    `json:"token"`
	QueueID string    `json:"queue_id"`
	Time    time.Time `json:"time"`
	Program string    `json:"program"`
	Config  string    `json:"config"`
	Field   string    `json:"field"`
	Was     string    `json:"was"`
	Is      string    `json:"is"`
}

// judgedUnder is a configuration that judged, compiled.
type judgedUnder struct {
	rules   *policy.Rules // nil where it is not kept
	private judge.Privacy
}

// Reasons why a message is passed over.
const (
	notKeptConfig = "its configuration is not kept"
	notCompared   = "no rule decided: given up, over a limit, or cut"
	notTold       = "the local part of an address is not kept"
)

// maxJudgedUnder bounds how many configurations are compiled at once; ours.
const maxJudgedUnder = 32

func (t *selfTest) unreadable(err error) {
	t.Unreadable++
	if t.problem == nil {
		t.problem = err
	}
}

func (t *selfTest) passOver(why string) {
	if t.PassedOver == nil {
		t.PassedOver = map[string]uint64{}
	}
	t.PassedOver[why]++
}

// judge judges one record again.
func (t *selfTest) judge(r *record.Record) {
	under := t.under(r.Basis.Config)
	if under.rules == nil {
		t.passOver(notKeptConfig)
		return
	}
	v, ok := replay.Again(under.private.Decidable(r), under.rules)
	if !ok {
		t.passOver(notCompared)
		return
	}
	if slices.Contains(v.Undecidable, policy.FactLocalParts) && !slices.Contains(r.Verdict.Undecidable, policy.FactLocalParts) {
		t.passOver(notTold)
		return
	}
	hide := under.private
	hide.How = r.Basis.Addresses
	if hide.How == record.AddressesHashed && (hide.Pseudonyms == nil || hide.Pseudonyms.ID() != r.Basis.AddressKey) {
		hide.How = record.AddressesDropped
		r = hide.Record(r)
	}
	v = hide.Verdict(v)
	t.Judged++
	if field := replay.Difference(&r.Verdict, &v); field != "" {
		t.differs(r, &v, field)
	}
}

func (t *selfTest) differs(r *record.Record, v *policy.Verdict, field string) {
	t.Differ++
	if t.limit > 0 && len(t.Differences) >= t.limit {
		return
	}
	value := func(v *policy.Verdict) string { return fmt.Sprint(reflect.ValueOf(v).Elem().FieldByName(field)) }
	t.Differences = append(t.Differences, selfTestDifference{
		Token: r.Evidence.Token, QueueID: r.Evidence.QueueID, Time: r.Evidence.Time, Program: r.Basis.Program,
		Config: hex.EncodeToString(r.Basis.Config[:]), Field: field, Was: value(&r.Verdict), Is: value(v),
	})
}

// under is a configuration by its hash.
func (t *selfTest) under(hash [32]byte) *judgedUnder {
	if c := t.configs[hash]; c != nil {
		return c
	}
	if len(t.configs) >= maxJudgedUnder {
		clear(t.configs)
	}
	c, err := t.compile(hash)
	if err != nil {
		t.unreadable(fmt.Errorf("configuration %x: %w", hash[:6], err))
	}
	t.configs[hash] = c
	return c
}

func (t *selfTest) compile(hash [32]byte) (*judgedUnder, error) {
	c := new(judgedUnder)
	if hash == ([32]byte{}) {
		return c, nil
	}
	text, err := t.text(hash)
	if err != nil || text == nil {
		return c, err
	}
	cfg, err := config.FromText(text)
	if err != nil {
		return c, err
	}
	c.rules = cfg.Rules
	if t.key != nil {
		c.private.Pseudonyms = judge.NewPseudonyms(t.key, cfg.RecipientDelimiter)
		c.rules, err = cfg.RulesWith(c.private.Pseudonyms.Local)
	}
	return c, err
}
