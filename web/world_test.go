package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"alignd/config"
	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
	"alignd/replay"
	"alignd/resolver"
	"alignd/web/access"
	"alignd/web/internal/visitor"
)

// backend is a journal of its own in SQLite.
type backend struct {
	dir   string
	cfg   *config.Config
	stale error
	hold  chan struct{} // surveys last until they are cancelled
	mu    sync.Mutex    // of asked
	asked SurveyAsk     // the last survey
}

func (b *backend) Config() (*config.Config, error) { return b.cfg, b.stale }
func (b *backend) Reader(skipped func(error)) (journal.Reader, error) {
	r := sqlite.NewReader(filepath.Join(b.dir, "journal"))
	r.Skipped = skipped
	return r, nil
}
func (b *backend) Warm(context.Context) {}
func (b *backend) State(ctx context.Context) (*state.State, error) {
	return state.ReadFile(ctx, filepath.Join(b.dir, "state.db"))
}
func (b *backend) Query(flag func(string) string, _ time.Time) (journal.Query, error) {
	return journal.Query{Domain: flag("domain"), MailFrom: flag("mail-from"), Rule: flag("rule"), QueueID: flag("queue-id"),
		Delivery: policy.Delivery(flag("delivery"))}, nil
}
func (b *backend) Named(id string) []journal.Query { return []journal.Query{{ID: id}, {MessageID: id}} }
func (b *backend) AsKept(*journal.Query) error     { return nil }
func (b *backend) RulesOf(context.Context, *record.Record) (*policy.Rules, string) {
	return b.cfg.Rules, ""
}
func (b *backend) Again(r *record.Record) (replay.Judgement, error) {
	opt := replay.Options{Rules: b.cfg.Rules}
	return opt.Judge(r), nil
}

func (b *backend) Stats(ctx context.Context, now time.Time) (json.RawMessage, error) {
	return json.RawMessage(`{"periods":[{"name":"today","messages":6,"refused":1,"fail":2},{"name":"y"},{"name":"w"}],"unused":{"since":"2026-11-13T12:30:00Z","messages":27,` +
		`"entries":[{"list":"exceptions","id":"<b>vendor","file":"a.yaml","line":3}]},"shadowed":[]}`), nil
}
func (b *backend) ReportStatus(_ context.Context, _, _ string) (json.RawMessage, error) {
	raw, err := json.Marshal(map[string]any{"outbox": []map[string]any{{"report_id": hostile[0], "policy_domain": hostile[1], "target": "secretlocal@a.example", "state": "waiting", "reason": hostile[4]}},
		"suppressed": []map[string]any{{"target": "secretlocal@b.example", "reason": hostile[2]}},
		"failures":   []map[string]any{{"policy_domain": hostile[0], "since": hostile[1], "due": hostile[4]}}})
	return raw, err
}
func (b *backend) Report(context.Context, string, int) (*Report, error) {
	raw, err := json.Marshal(map[string]any{"reports": []map[string]any{{"org_name": hostile[0], "email": "secretlocal@c.example", "domain": hostile[1],
		"records": []map[string]any{{"source_ip": hostile[4], "count": 2, "disposition": "none", "dkim": "pass", "spf": "fail", "header_from": hostile[2], "reasons": []map[string]any{{"type": "other", "comment": hostile[5]}}}}}}})
	m := &ReportMail{From: "secretlocal@c.example", To: "secretlocal@d.example"}
	for _, h := range hostile {
		m.Fields = append(m.Fields, MailField{h, h + " <secretlocal@d.example>"})
		m.Parts = append(m.Parts, ReportPart{Type: h, Name: h, Encoding: h, Text: "<?xml?>\n<a>" + h + " secretlocal@c.example</a>", Cut: true})
	}
	return &Report{Raw: raw, Mail: m, Targets: []ReportTarget{{Address: "secretlocal@d.example", State: hostile[0], Reason: hostile[4] + " secretlocal@e.example"}}}, err
}

// toldAt is when daemons told how they are: once, so that two looks show the same.
var toldAt = time.Now()

func (b *backend) JournalStatus(context.Context) (json.RawMessage, error) {
	var hosts []map[string]any
	for _, h := range hostile {
		hosts = append(hosts, map[string]any{"host": h, "program": h, "at": toldAt, "every": 60, "config": map[string]any{"file": h, "hash": h, "mode": h, "need_restart": []string{h}},
			"reload": map[string]any{"at": toldAt, "by": h, "failed": true}, "listeners": []map[string]any{{"place": h, "opened_by": h, "fault": h}}, "dns": map[string]any{"servers": []string{h}}})
	}
	return json.Marshal(map[string]any{"store": "sqlite", "records": 3, "parts": []map[string]any{{"name": "<i>x", "day": "2026-11-28", "records": 3}}, "hosts": hosts})
}
func (b *backend) Survey(ctx context.Context, ask *SurveyAsk, p Progress) (json.RawMessage, error) {
	p(ask.Since, 1, 0)
	b.mu.Lock()
	b.asked = *ask
	b.mu.Unlock()
	if b.hold != nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return json.RawMessage(`{"messages":3,"sources":[{"infrastructure":"<b>x","not_suggested":"why"}],"suggestions":[{"id":"v","entry":"exceptions:\n  - id: v\n    # secretlocal@a.example\n",` +
		`"because":["<i>"],"effect":{"let_in":2,"samples":["t1"]}}]}`), nil
}
func (b *backend) Behind(context.Context) []string { return []string{"<b>late"} }
func (b *backend) Metrics(context.Context) ([]Metric, error) {
	var list []Metric
	for _, h := range hostile {
		list = append(list, Metric{Name: h, Help: h, Type: h, Values: []MetricValue{{Labels: h, Value: h}}})
	}
	return list, nil
}
func (b *backend) Own(*config.Config) func(author string) bool {
	return func(author string) bool { return author == "author00000-company.example" }
}
func (b *backend) Organization(name string) string { return name }
func (b *backend) DNS() (resolver.Lookuper, error) {
	return resolver.ParseZone(strings.NewReader(testZone), "zone")
}
func (b *backend) Running() string { return testConfig }
func (b *backend) Parse(text []byte) (*config.Config, error) {
	return config.Parse(text, "alignd.yaml", time.Now())
}
func (b *backend) File() string { return "alignd.yaml" }
func (b *backend) Without(e EntryName) (*config.Config, error) {
	cfg, ok, err := b.cfg.Without(e.List, e.ID)
	if !ok {
		err = errors.New("no such entry")
	}
	return cfg, err
}
func (b *backend) Replay(ctx context.Context, ask *ReplayAsk, p Progress) (*Replayed, error) {
	r, err := b.Reader(nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var cfg *config.Config
	if ask.Text != nil {
		cfg, err = b.Parse([]byte(*ask.Text))
	} else {
		cfg, err = b.Without(ask.Without)
	}
	if err != nil {
		return nil, err
	}
	o := &replay.RunOptions{Options: replay.Options{Rules: cfg.Rules}, Since: ask.Since, By: []replay.Dimension{replay.ByDomain, replay.ByClient, replay.ByRule}, Samples: 3,
		Progress: func(newest time.Time, records uint64) { p(newest, records, 0) }}
	res, err := replay.Run(o, func(add func(replay.Batch)) error {
		return r.Scan(ctx, ask.Since, time.Time{}, func(b journal.Block) error { add(packed(b)); return nil })
	})
	if err != nil {
		return nil, err
	}
	return &Replayed{Since: ask.Since, Replay: Replay{First: res.First, Last: res.Last, Counters: res.Counters, Flips: res.Flips, Unknown: res.Unknown,
		By: res.Groupings[0].By, Groups: res.Groupings[0].Groups, Also: res.Groupings[1:]}}, nil
}

type packed journal.Block

func (p packed) Records(found func([]byte)) error {
	var u journal.Unpacker
	return u.Each(journal.Block(p), func(i journal.Item) { found(i.Encoded()) })
}

const testZone = `
$ORIGIN evil.example.
@ 60 IN TXT "v=spf1 include:\"<script>alert(1)</script>.example -all"
_dmarc 60 IN TXT "v=DMARC1; p=reject; rua=mailto:<img/src=x>@evil.example"
s._domainkey 60 IN TXT "v=DKIM1; p=<script>alert(1)</script>"
`

const testConfig = `
own_domains: [{id: ours, domains: [author00000-company.example], action: tag}]
reports: {from: dmarc@example.net, failure: {to: [all]}}
metrics: {listen: ["inet:127.0.0.1:9"]}
exceptions:
  - {id: vendor, action: accept, scope: {author_domains: [author00003-company.example], recipients: [ceo@mx.example.net]}, proof: {dkim: [vendor.example]}, expires: 2020-01-01, owner: "<i>ann</i>", reason: "=1+1"}
  - {id: partner, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}
`

// plant keeps records, and counts them.
func plant(t testing.TB, records ...*record.Record) *backend {
	t.Helper()
	var list []journal.Entry
	for _, r := range records {
		list = append(list, journal.Entry{Record: r})
	}
	return plantEntries(t, list)
}

// plantEntries keeps records with what the MTA heard of each.
func plantEntries(t testing.TB, list []journal.Entry) *backend {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Parse([]byte(testConfig), "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(sqlite.Options{Dir: filepath.Join(dir, "journal"), Keep: 10_000 * time.Hour, MaxSize: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := state.OpenFile(t.Context(), filepath.Join(dir, "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var batch []journal.Raw
	for i, e := range list {
		e.Number = spool.Number(i + 1)
		batch = append(batch, journal.Raw{Entry: e, Encoded: record.Append(nil, e.Record)})
	}
	for _, s := range []journal.Store{store, counts} {
		if err := s.Take(t.Context(), spool.ID{1}, batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return &backend{dir: dir, cfg: cfg}
}

// usual are records of some hours until now.
func usual(n int) (list []*record.Record) {
	w := made.World{Domains: 20, Begin: time.Now().Add(-6 * time.Hour), Step: 6 * time.Hour / time.Duration(n)}
	for i := range n {
		list = append(list, w.Record(i))
	}
	return list
}

// hostile is what a sender may write anywhere.
var hostile = []string{
	`<script>alert(1)</script><img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, "\u202egnp.exe\u2066", "nul\x00and\x1b[2Jesc",
	"=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "-2+3", strings.Repeat("W", 10<<10), "javascript:alert(1)", "\xff\xfe", "{{.Secret}}", "\r\nSet-Cookie: a=b", "',''--",
}

// spoiled is a record with hostile text in each place of outside text.
func spoiled(i int, text string) *record.Record {
	r := usual(40)[i%40]
	spoil(reflect.ValueOf(r).Elem(), text)
	r.Evidence.QueueID = "Q" + text[:min(len(text), 40)]
	r.Evidence.Recipients[0].Address = "secretlocal" + "@" + "mx.example.net"
	r.Evidence.MailFrom = "secretsender@" + text[:min(len(text), 60)]
	r.Evidence.Token = ""
	return r
}

func spoil(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type().Name() == "string" && v.String() != "" {
			v.SetString(text)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[netip.Addr]() || v.Type() == reflect.TypeFor[record.Basis]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i), text)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i), text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem(), text)
		}
	}
}

// site is a server with somebody who may look.
type site struct {
	*visitor.Visitor
	t   testing.TB
	web *Server
}

func serve(t testing.TB, b Backend, change func(*Options)) *site {
	t.Helper()
	opt := Options{Backend: b, Access: access.Options{Open: true, Socket: true, Role: access.Viewer, Hosts: []string{"127.0.0.1"}, Parallel: 8}, Timeout: 10 * time.Second}
	if change != nil {
		change(&opt)
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &site{Visitor: visitor.New(t, s.Handler()), t: t, web: s}
}

func asAuditor(o *Options) { o.Access.Role = access.Auditor }
