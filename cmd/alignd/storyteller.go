package main

import (
	"context"
	"fmt"
	"io"

	"alignd/config"
	"alignd/explain"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
)

// storyteller tells of past messages, with the rules that judged each, where they are to
// be had.
type storyteller struct {
	cfg   *config.Config
	now   *policy.Rules              // in force
	kept  map[[32]byte]*policy.Rules // nil where they are not to be had
	about map[[32]byte]string        // why they are not
}

func newStoryteller(cfg *config.Config) *storyteller {
	now := rulesForKept(cfg, cfg)
	return &storyteller{cfg: cfg, now: now, kept: map[[32]byte]*policy.Rules{cfg.Hash(): now}, about: map[[32]byte]string{}}
}

// list tells the story of each entry.
func (s *storyteller) list(out io.Writer, list []*journal.Entry) error {
	for i, e := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		rules, told := s.rulesOf(context.Background(), e.Record)
		if err := explain.Write(out, explain.Record(e, rules, told)); err != nil {
			return err
		}
	}
	return nil
}

// rulesOf are the rules that judged a record, or those in force and what to say of that.
func (s *storyteller) rulesOf(ctx context.Context, r *record.Record) (*policy.Rules, string) {
	hash := r.Basis.Config
	rules, known := s.kept[hash]
	if !known {
		var err error
		if rules, err = s.read(ctx, hash); err != nil {
			s.about[hash] = err.Error()
		}
		s.kept[hash] = rules
	}
	if rules != nil {
		return rules, ""
	}
	now := policy.Decide(&r.Evidence, s.now)
	told := fmt.Sprintf("the configuration that judged it is not to be had (%s); these are the rules now in force", s.about[hash])
	if v := &r.Verdict; now.Delivery != v.Delivery || now.Step != v.Step || now.Rule != v.Rule {
		told += ", by which it would be: " + string(now.Delivery) + ", decided by " + string(now.Step)
		if now.Rule != "" {
			told += ", rule " + now.Rule
		}
	}
	return s.now, told
}

// read is the configuration of a hash, as it was kept beside the journal.
func (s *storyteller) read(ctx context.Context, hash [32]byte) (*policy.Rules, error) {
	kept, err := readState(ctx, s.cfg)
	if err != nil {
		return nil, err
	}
	defer kept.Close()
	text, err := kept.Config(ctx, hash)
	if err != nil {
		return nil, err
	}
	cfg, err := config.FromText(text)
	if err != nil {
		return nil, err
	}
	return rulesForKept(s.cfg, cfg), nil
}
