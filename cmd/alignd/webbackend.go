package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/configs"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
	"alignd/replay/sources"
	"alignd/resolver"
	"alignd/web"
	"alignd/web/access"
)

// webBackend is the journal and its configuration, for the pages. What it does is what
// the commands log, explain and replay do.
type webBackend struct {
	*place.Shared // Reader, State and Warm
	file          string
	begun         *config.Config // names the journal

	mu     sync.Mutex
	read   time.Time
	cfg    *config.Config
	err    error // why cfg is not what the file says
	rules  *configs.Rules
	dns    *resolver.Resolver
	judged *replay.Options
}

// webConfigAge is for how long a configuration that was read is taken for that of the
// file; ours.
const webConfigAge = 5 * time.Second

func newWebBackend(file string, cfg *config.Config) (*webBackend, error) {
	b := &webBackend{Shared: place.Share(cfg), file: file, begun: cfg}
	return b, b.take(cfg, time.Now())
}

// take judges by cfg from now on.
func (b *webBackend) take(cfg *config.Config, now time.Time) error {
	options := replayOptions(cfg)
	key, err := privacy.FindKey("", place.AddressKeyFile(b.begun))
	if err != nil {
		return err
	}
	if err := privacy.Replay(&options, cfg, key); err != nil {
		return err
	}
	if b.cfg == nil || b.cfg.Hash() != cfg.Hash() {
		b.rules = configs.NewRules(cfg, b.State) // where the pages read, whatever the file names now
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

// roles are who may see what, as the file says now: who is no auditor any more is none at
// once.
func (b *webBackend) roles() (usual access.Role, auditors []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	return access.Role(b.cfg.Web.Role), b.cfg.Web.Auditors
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

// Query implements web.Backend.
func (b *webBackend) Query(flag func(string) string, now time.Time) (journal.Query, error) {
	f := journalFlags{
		since: flag("since"), until: flag("until"), domain: flag("domain"), client: flag("client"), disposition: flag("disposition"),
		would: flag("would"), rule: flag("rule"), queueID: flag("queue-id"), mailFrom: flag("mail-from"), delivery: flag("delivery"),
		spf: flag("spf"), dkim: flag("dkim"), arc: flag("arc"), dmarc: flag("dmarc"), answer: flag("answer"),
	}
	return f.query(now)
}

// Named implements web.Backend.
func (b *webBackend) Named(id string) []journal.Query {
	list := []journal.Query{queryFor(id, 0)}
	if strings.Contains(id, "@") {
		if p, err := privacy.Pseudonyms(b.begun); err == nil && p != nil {
			list = append(list, journal.Query{MessageID: p.MessageID(id)})
		}
	}
	return list
}

// AsKept implements web.Backend.
func (b *webBackend) AsKept(q *journal.Query) error { return privacy.AsKept(b.begun, q) }

// RulesOf implements web.Backend.
func (b *webBackend) RulesOf(ctx context.Context, r *record.Record) (*policy.Rules, string) {
	b.mu.Lock()
	rules := b.rules
	b.mu.Unlock()
	return rules.Of(ctx, r) // it may ask a database, for which nobody else is to wait
}

// Stats implements web.Backend.
func (b *webBackend) Stats(ctx context.Context, now time.Time) (json.RawMessage, error) {
	s, err := b.State(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	cfg, _ := b.Config()
	q := statsQuestion{state: s, rules: cfg.Rules, now: now, limit: 50}
	found, err := q.overview(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(found)
}

// shownReports is what the pages show of reports; ours.
var shownReports = reportPart{counting: 100, most: 300}

// ReportStatus implements web.Backend.
func (b *webBackend) ReportStatus(ctx context.Context, domain, state string) (json.RawMessage, error) {
	part := shownReports
	part.domain, part.state = domain, state
	found, err := readReportStatus(ctx, b.file, true, &part)
	if err != nil {
		return nil, err
	}
	return json.Marshal(found)
}

// JournalStatus implements web.Backend.
func (b *webBackend) JournalStatus(ctx context.Context) (json.RawMessage, error) {
	found, err := journalStatusOf(ctx, b.begun)
	if err != nil && found == nil {
		return nil, err
	}
	if err != nil && found.Error == "" {
		found.Error = err.Error()
	}
	return json.Marshal(found)
}

// surveyHere is alignd sources --json.
func (b *webBackend) surveyHere(ctx context.Context, ask *web.SurveyAsk, p web.Progress) (json.RawMessage, error) {
	cfg, err := b.Config()
	if cfg == nil {
		return nil, err
	}
	now := time.Now()
	f := sourcesFlags{config: b.file, since: ask.Since.UTC().Format(time.RFC3339), trust: ask.Trust, limit: 50}
	opt, err := f.options([]string{ask.Domain}, now)
	if err != nil {
		return nil, err
	}
	c := &cobra.Command{}
	c.SetContext(ctx)
	opt.Before = f.seenBefore(c, b.begun, opt)
	in := &sourcesInput{unread: unread{out: io.Discard}, bar: &progress{told: func(newest time.Time, records uint64) { p(newest, records, 0) }}}
	reader, err := b.Reader(in.unread.tell)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	in.reader = reader
	if in.prepare, err = f.judging(&opt, cfg, now); err != nil {
		return nil, err
	}
	if in.elsewhere, err = f.elsewhere(c, b.begun, opt); err != nil {
		return nil, err
	}
	report, err := in.survey(ctx, opt)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(report.Sources, func(x *sources.Source) bool { return x.Infrastructure == ask.Source }); i > 0 {
		x := report.Sources[i]
		report.Sources = slices.Insert(slices.Delete(report.Sources, i, i+1), 0, x)
	}
	var out bytes.Buffer
	err = printSources(&out, opt, report, in.elsewhere, f.limit)
	return out.Bytes(), err
}

// Own implements web.Backend.
func (b *webBackend) Own(cfg *config.Config) func(author string) bool { return cfg.Owns() }

// Organization implements web.Backend.
func (b *webBackend) Organization(name string) string { return organization(name) }

// DNS implements web.Backend.
func (b *webBackend) DNS() (resolver.Lookuper, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dns == nil {
		r, err := resolver.New(resolverOptions(b.begun, nil))
		if err != nil {
			return nil, err
		}
		b.dns = r
	}
	return b.dns, nil
}

// File implements web.Backend.
func (b *webBackend) File() string { return config.FileOf(b.file) }

// Running implements web.Backend.
func (b *webBackend) Running() string {
	name := config.FileOf(b.file)
	if name == "" {
		return ""
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(config.WithoutSecrets(text))
}

// Parse implements web.Backend.
func (b *webBackend) Parse(text []byte) (*config.Config, error) {
	running, err := b.Config()
	if running == nil {
		return nil, err
	}
	return readConfig(config.Input{File: config.FileOf(b.file), Text: bytes.NewReader(text), Like: running})
}

// Without implements web.Backend.
func (b *webBackend) Without(e web.EntryName) (*config.Config, error) {
	cfg, err := b.Config()
	if cfg == nil {
		return nil, err
	}
	less, ok, err := cfg.Without(e.List, e.ID)
	if !ok && err == nil {
		err = fmt.Errorf("the configuration has no entry %q in %q", e.ID, e.List)
	}
	return less, err
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
