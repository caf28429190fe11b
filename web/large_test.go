package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/record"
	"alignd/resolver"
)

// large is a backend whose every answer is as long as it may be.
type large struct {
	*backend
	text string
}

// n is how many there are of what there may be any number of.
func (b *large) n() int { return 40 + 100_000/(100+len(b.text)) }

// many is a JSON object many times.
func (b *large) many(n int, object map[string]any) (list []map[string]any) {
	for range n {
		list = append(list, object)
	}
	return list
}

func (b *large) list(n int) (list []string) {
	for range n {
		list = append(list, b.text)
	}
	return list
}

func (b *large) Stats(context.Context, time.Time) (json.RawMessage, error) {
	place := map[string]any{"list": b.text, "id": b.text, "file": b.text, "line": 3}
	return json.Marshal(map[string]any{"periods": b.many(5, map[string]any{"name": b.text}), "unused": map[string]any{"since": b.text, "entries": b.many(b.n(), place)},
		"shadowed": b.many(b.n(), map[string]any{"list": b.text, "id": b.text, "file": b.text, "by": place})})
}
func (b *large) ReportStatus(context.Context, string, string) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"outbox": b.many(b.n(), map[string]any{"report_id": b.text, "policy_domain": b.text, "target": b.text, "state": b.text, "reason": b.text, "next": b.text, "changed": b.text}),
		"suppressed": b.many(b.n(), map[string]any{"target": b.text, "reason": b.text, "until": b.text}), "counting": b.many(b.n(), map[string]any{"policy_domain": b.text, "day": b.text, "reason": b.text}),
		"failures": b.many(b.n(), map[string]any{"policy_domain": b.text, "since": b.text, "due": b.text})})
}
func (b *large) Report(context.Context, string, int) (*Report, error) {
	raw, err := json.Marshal(map[string]any{"reports": b.many(3, map[string]any{"org_name": b.text, "email": b.text, "domain": b.text, "begin": b.text, "end": b.text,
		"records": b.many(b.n(), map[string]any{"source_ip": b.text, "disposition": b.text, "header_from": b.text, "reasons": b.many(2, map[string]any{"type": b.text, "comment": b.text})})}),
		"failures": b.many(b.n(), map[string]any{"reported_domain": b.text, "source_ip": b.text, "original_mail_from": b.text})})
	r := &Report{Raw: raw, Mail: &ReportMail{From: b.text, To: b.text, Signed: b.list(30)}}
	for range min(b.n(), 50) {
		r.Targets = append(r.Targets, ReportTarget{Address: b.text, State: b.text, Reason: b.text})
		r.Mail.Fields = append(r.Mail.Fields, MailField{b.text, b.text})
		r.Mail.Parts = append(r.Mail.Parts, ReportPart{Type: b.text, Name: b.text, Encoding: b.text, Text: strings.Repeat("<", 20_000)})
	}
	return r, err
}
func (b *large) JournalStatus(context.Context) (json.RawMessage, error) {
	host := map[string]any{"host": b.text, "program": b.text, "config": map[string]any{"file": b.text, "hash": b.text, "mode": b.text, "need_restart": b.list(20)},
		"reload": map[string]any{"at": time.Now(), "by": b.text}, "listeners": b.many(30, map[string]any{"place": b.text, "opened_by": b.text, "fault": b.text}), "dns": map[string]any{"servers": b.list(20)}}
	return json.Marshal(map[string]any{"store": b.text, "path": b.text, "parts": b.many(b.n(), map[string]any{"name": b.text, "day": b.text, "problem": b.text}), "hosts": b.many(30, host), "error": b.text})
}
func (b *large) Survey(context.Context, *SurveyAsk, Progress) (json.RawMessage, error) {
	named := b.many(20, map[string]any{"name": b.text, "count": 5})
	return json.Marshal(map[string]any{"messages": 3, "sources": b.many(b.n(), map[string]any{"infrastructure": b.text, "not_suggested": b.text, "dkim": named, "spf": named, "suggested": b.list(10)}),
		"suggestions": b.many(b.n(), map[string]any{"id": b.text, "entry": "exceptions:\n" + b.text, "because": b.list(20), "effect": map[string]any{"author_domains": named, "infrastructure": named, "others": named, "samples": b.list(10)}})})
}
func (b *large) Behind(context.Context) []string { return b.list(20) }
func (b *large) Metrics(context.Context) (list []Metric, err error) {
	for range b.n() {
		list = append(list, Metric{Name: b.text, Help: b.text, Type: b.text, Values: []MetricValue{{b.text, b.text}}})
	}
	return list, nil
}
func (b *large) DNS() (resolver.Lookuper, error) {
	var zone strings.Builder
	for range 60 {
		fmt.Fprintf(&zone, "evil.example. 60 IN TXT \"v=spf1 %s -all\"\n", strings.Repeat(`include:\"\"\"\"\"\"\"\"\"\".evil.example `, 100))
	}
	fmt.Fprintf(&zone, "_dmarc.evil.example. 60 IN TXT \"v=DMARC1; p=reject; rua=%s\"\n", strings.Repeat(`mailto:\"\"\"\"\"\"\"\"@evil.example,`, 400))
	return resolver.ParseZone(strings.NewReader(zone.String()), "zone")
}

// grow makes each list many times as long.
func grow(v reflect.Value, times int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[record.Basis]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				grow(v.Field(i), times)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 || v.Len() == 0 {
			return
		}
		grow(v.Index(0), times)
		for range times {
			v.Set(reflect.Append(v, v.Index(0)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			grow(v.Elem(), times)
		}
	}
}

// No page is larger than 300 KB, however long what it shows is and however much.
func TestNoPageIsLarge(t *testing.T) {
	for _, row := range []struct{ name, text string }{
		{name: "names as long as DNS has them", text: strings.Repeat(strings.Repeat("a", 61)+".", 4) + "example"},
		{name: "what is longer in HTML", text: strings.Repeat(`<"&'>+`, 40)},
		{name: "long words", text: strings.Repeat("W", 10<<10)},
		{name: "one letter", text: "x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var records []*record.Record
			for i, r := range usual(20 + 100_000/(1000+len(row.text))) {
				spoil(reflect.ValueOf(r).Elem(), row.text)
				r.Evidence.QueueID, r.Evidence.Token = fmt.Sprintf("Q%d", i/6), ""
				if i < 12 {
					grow(reflect.ValueOf(r).Elem(), 2+4000/(100+len(row.text)))
				}
				records = append(records, r)
			}
			s := serve(t, &large{plant(t, records...), row.text}, asAuditor)
			for _, path := range largePages(s) {
				if _, text, _ := s.Get(path); len(text) > 300_000 {
					t.Errorf("%s has %d octets", path, len(text))
				} else {
					t.Logf("%s has %d octets", path, len(text))
				}
			}
		})
	}
}

// largePages are all, and results of jobs.
func largePages(s *site) (paths []string) {
	for _, v := range s.views() {
		paths = append(paths, v.path)
	}
	paths = append(paths, "/message?id=Q0", "/message?id=Q1", "/message/again?id=Q0", "/domain?name=evil.example", "/messages?skip=3", "/messages?to=110", "/senders?days=90", "/rule?id=vendor",
		"/reports/others?by=day", "/reports/others?by=reporter", "/report?id=x")
	var jobs []string
	for _, text := range []string{testConfig, "mode: monitor\n"} {
		_, _, header := s.Post("/whatif", "/whatif/try", url.Values{"text": {text}, "since": {"1d"}})
		jobs = append(jobs, s.ended(header.Get("Location")))
	}
	_, _, header := s.Post("/whatif", "/sender/measure", url.Values{"domain": {"a.example"}})
	paths = append(paths, s.ended(header.Get("Location")))
	return append(paths, jobs[0], jobs[1], jobs[0]+"&against="+strings.TrimPrefix(jobs[1], "/job?id="))
}

// ended is the address of a job that has ended.
func (s *site) ended(at string) string {
	for range 600 {
		if _, text, _ := s.Get(at); !strings.Contains(text, "http-equiv=\"refresh\"") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return at
}
