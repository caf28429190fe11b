package configs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
)

// Rules are the rules that judged past messages, where they are to be had. It is safe for
// concurrent use.
type Rules struct {
	cfg   *config.Config
	now   *policy.Rules // in force
	state func(context.Context) (*state.State, error)

	mu     sync.Mutex
	kept   map[[32]byte]*policy.Rules
	failed map[[32]byte]notKept
}

// notKept is why rules are not to be had, as of a time.
type notKept struct {
	why string
	at  time.Time
}

const (
	// failedFor is for how long that is told without a look: a store that was away comes
	// back, and who tells of many messages is not to wait for it at each. Ours.
	failedFor = time.Minute
	// mostKept bounds the rules that are remembered, as each may have thousands of entries;
	// ours.
	mostKept = 32
)

// NewRules asks kept for what cfg, which is in force, did not judge; nil for the state of
// the journal of cfg.
func NewRules(cfg *config.Config, kept func(context.Context) (*state.State, error)) *Rules {
	if kept == nil {
		kept = func(ctx context.Context) (*state.State, error) { return place.ReadState(ctx, cfg) }
	}
	now := privacy.Rules(cfg, cfg)
	return &Rules{cfg: cfg, now: now, kept: map[[32]byte]*policy.Rules{cfg.Hash(): now}, failed: map[[32]byte]notKept{}, state: kept}
}

// Of are the rules that judged a record, or those in force and what to say of that.
func (s *Rules) Of(ctx context.Context, r *record.Record) (*policy.Rules, string) {
	rules, why := s.judged(ctx, r.Basis.Config)
	if rules != nil {
		return rules, ""
	}
	now := policy.Decide(&r.Evidence, s.now)
	told := fmt.Sprintf("the configuration that judged it is not to be had (%s); these are the rules now in force", why)
	if v := &r.Verdict; now.Delivery != v.Delivery || now.Step != v.Step || now.Rule != v.Rule {
		told += ", by which it would be: " + string(now.Delivery) + ", decided by " + string(now.Step)
		if now.Rule != "" {
			told += ", rule " + now.Rule
		}
	}
	return s.now, told
}

// judged are the rules of a hash, or why they are not to be had. The store is asked
// without the lock: who asks for others does not wait for it.
func (s *Rules) judged(ctx context.Context, hash [32]byte) (rules *policy.Rules, why string) {
	s.mu.Lock()
	rules, x := s.kept[hash], s.failed[hash]
	s.mu.Unlock()
	if rules != nil || !x.at.IsZero() && time.Since(x.at) < failedFor {
		return rules, x.why
	}
	rules, err := s.read(ctx, hash)
	if err != nil && ctx.Err() != nil { // it is who asks that gave up
		return nil, err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if len(s.failed) >= mostKept {
			clear(s.failed)
		}
		s.failed[hash] = notKept{err.Error(), time.Now()}
		return nil, err.Error()
	}
	if len(s.kept) >= mostKept {
		clear(s.kept)
		s.kept[s.cfg.Hash()] = s.now
	}
	s.kept[hash] = rules
	return rules, ""
}

// read is the configuration of a hash, as it was kept beside the journal.
func (s *Rules) read(ctx context.Context, hash [32]byte) (*policy.Rules, error) {
	kept, err := s.state(ctx)
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
	return privacy.Rules(s.cfg, cfg), nil
}
