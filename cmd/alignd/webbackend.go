package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
)

// webBackend is the journal and its configuration, for the pages. What it does is what
// the commands log, explain and replay do.
type webBackend struct {
	file  string
	begun *config.Config // names the journal

	mu     sync.Mutex
	read   time.Time
	cfg    *config.Config
	err    error // why cfg is not what the file says
	story  *storyteller
	judged *replay.Options
}

// webConfigAge is for how long a configuration that was read is taken for that of the
// file; ours.
const webConfigAge = 5 * time.Second

func newWebBackend(file string, cfg *config.Config) (*webBackend, error) {
	b := &webBackend{file: file, begun: cfg}
	return b, b.take(cfg, time.Now())
}

// take judges by cfg from now on.
func (b *webBackend) take(cfg *config.Config, now time.Time) error {
	options := replayOptions(cfg)
	s := &replaySource{}
	if err := s.findKey("", addressKeyFile(b.begun)); err != nil {
		return err
	}
	if err := judgePrivate(&options, cfg, s.key); err != nil {
		return err
	}
	if b.cfg == nil || b.cfg.Hash() != cfg.Hash() {
		b.story = newStoryteller(cfg)
	}
	b.cfg, b.judged, b.read, b.err = cfg, &options, now, nil
	return nil
}

// Config implements web.Backend.
func (b *webBackend) Config() (*config.Config, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	return b.cfg, b.err
}

func (b *webBackend) refresh() {
	now := time.Now()
	if now.Sub(b.read).Abs() < webConfigAge {
		return
	}
	cfg, err := readConfig(config.Input{File: b.file})
	if err == nil {
		err = b.take(cfg, now)
	}
	b.read, b.err = now, err
}

// Reader implements web.Backend.
func (b *webBackend) Reader(skipped func(error)) (journal.Reader, error) {
	return openReader(b.begun, skipped)
}

// State implements web.Backend.
func (b *webBackend) State(ctx context.Context) (*state.State, error) {
	s, err := readState(ctx, b.begun)
	if err != nil {
		return nil, unreadable(b.begun, err)
	}
	return s, nil
}

// Query implements web.Backend.
func (b *webBackend) Query(flag func(string) string, now time.Time) (journal.Query, error) {
	f := journalFlags{
		since: flag("since"), until: flag("until"), domain: flag("domain"), client: flag("client"), disposition: flag("disposition"),
		would: flag("would"), rule: flag("rule"), queueID: flag("queue-id"), mailFrom: flag("mail-from"), delivery: flag("delivery"),
		spf: flag("spf"), dkim: flag("dkim"), arc: flag("arc"), dmarc: flag("dmarc"),
	}
	return f.query(now)
}

// Named implements web.Backend.
func (b *webBackend) Named(id string) []journal.Query {
	list := []journal.Query{queryFor(id, 0)}
	if strings.Contains(id, "@") {
		if p, err := knownPseudonyms(b.begun); err == nil && p != nil {
			list = append(list, journal.Query{MessageID: p.MessageID(id)})
		}
	}
	return list
}

// AsKept implements web.Backend.
func (b *webBackend) AsKept(q *journal.Query) error { return asKept(b.begun, q) }

// RulesOf implements web.Backend.
func (b *webBackend) RulesOf(ctx context.Context, r *record.Record) (*policy.Rules, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.story.rulesOf(ctx, r)
}

// Again implements web.Backend.
func (b *webBackend) Again(r *record.Record) (replay.Judgement, error) {
	b.mu.Lock()
	b.refresh()
	options, err := b.judged, b.err
	b.mu.Unlock()
	if err != nil {
		return replay.Judgement{}, err
	}
	return options.Judge(r), nil
}
