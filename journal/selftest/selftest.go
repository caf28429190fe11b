// Package selftest judges the records of a journal again under the configurations that judged
// them. There is no difference, or this version decides otherwise, or something was changed.
package selftest

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
)

// Test is a self-test under way.
type Test struct {
	Since, Until time.Time                           // of messages; zero is no bound
	Limit        int                                 // of Differences; 0 is none
	Key          []byte                              // of hashed addresses; nil where it is not known
	Text         func(hash [32]byte) ([]byte, error) // of a configuration; nil where it is not kept
	Problem      error                               // the first that made something unreadable

	Result
	configs map[[32]byte]*judgedUnder // some of them
}

// Result is what `alignd journal self-test --json` prints.
type Result struct {
	Judged      uint64            `json:"judged"`
	Differ      uint64            `json:"differ"`
	Unreadable  uint64            `json:"unreadable"`
	PassedOver  map[string]uint64 `json:"passed_over"` // by reason
	Differences []Difference      `json:"differences"`
	Seconds     float64           `json:"seconds"`
}

// Difference is a message that is judged otherwise than it was.
type Difference struct {
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
	NotKept     = "its configuration is not kept"
	NotCompared = "no rule decided: given up, over a limit, or cut"
	NotTold     = "the local part of an address is not kept"
)

// maxJudgedUnder bounds how many configurations are compiled at once; ours.
const maxJudgedUnder = 32

func (t *Test) unreadable(err error) {
	t.Unreadable++
	if t.Problem == nil {
		t.Problem = err
	}
}

func (t *Test) passOver(why string) {
	if t.PassedOver == nil {
		t.PassedOver = map[string]uint64{}
	}
	t.PassedOver[why]++
}

// Block judges the records of a block.
func (t *Test) Block(b journal.Block) error {
	items, err := b.Items()
	if err != nil {
		t.unreadable(err)
		return nil
	}
	for _, item := range items {
		e, err := item.Entry()
		if err != nil {
			t.unreadable(err)
			continue
		}
		at := e.Record.Evidence.Time
		if !t.Since.IsZero() && at.Before(t.Since) || !t.Until.IsZero() && !at.Before(t.Until) {
			continue
		}
		t.judge(e.Record)
	}
	return nil
}

// judge judges one record again.
func (t *Test) judge(r *record.Record) {
	under := t.under(r.Basis.Config)
	if under.rules == nil {
		t.passOver(NotKept)
		return
	}
	v, ok := replay.Again(under.private.Decidable(r), under.rules)
	if !ok {
		t.passOver(NotCompared)
		return
	}
	if slices.Contains(v.Undecidable, policy.FactLocalParts) && !slices.Contains(r.Verdict.Undecidable, policy.FactLocalParts) {
		t.passOver(NotTold)
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

func (t *Test) differs(r *record.Record, v *policy.Verdict, field string) {
	t.Differ++
	if t.Limit > 0 && len(t.Differences) >= t.Limit {
		return
	}
	value := func(v *policy.Verdict) string { return fmt.Sprint(reflect.ValueOf(v).Elem().FieldByName(field)) }
	t.Differences = append(t.Differences, Difference{
		Token: r.Evidence.Token, QueueID: r.Evidence.QueueID, Time: r.Evidence.Time, Program: r.Basis.Program,
		Config: hex.EncodeToString(r.Basis.Config[:]), Field: field, Was: value(&r.Verdict), Is: value(v),
	})
}

// under is a configuration by its hash.
func (t *Test) under(hash [32]byte) *judgedUnder {
	if c := t.configs[hash]; c != nil {
		return c
	}
	if t.configs == nil || len(t.configs) >= maxJudgedUnder {
		t.configs = map[[32]byte]*judgedUnder{}
	}
	c, err := t.compile(hash)
	if err != nil {
		t.unreadable(fmt.Errorf("configuration %x: %w", hash[:6], err))
	}
	t.configs[hash] = c
	return c
}

func (t *Test) compile(hash [32]byte) (*judgedUnder, error) {
	c := new(judgedUnder)
	if hash == ([32]byte{}) {
		return c, nil
	}
	text, err := t.Text(hash)
	if err != nil || text == nil {
		return c, err
	}
	cfg, err := config.FromText(text)
	if err != nil {
		return c, err
	}
	c.rules = cfg.Rules
	if t.Key != nil {
		c.private.Pseudonyms = judge.NewPseudonyms(t.Key, cfg.RecipientDelimiter)
		c.rules, err = cfg.RulesWith(c.private.Pseudonyms.Local)
	}
	return c, err
}
