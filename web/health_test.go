package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// ill is a backend whose journal and metrics are as told.
type ill struct {
	*backend
	status  string
	err     error
	metrics error
}

func (b *ill) JournalStatus(context.Context) (json.RawMessage, error) {
	return json.RawMessage(b.status), b.err
}
func (b *ill) Metrics(context.Context) ([]Metric, error) { return nil, b.metrics }

// Health tells of each host that shares the journal: whether it runs, its listeners,
// version, last reload and lag, without metrics. What is old is told as old.
func TestHealthOfEachHost(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	b := &ill{backend: plant(t, usual(5)...)}
	hash := fmt.Sprintf("%x", b.cfg.Hash())
	told := func(name string, at time.Time, more string) string {
		return fmt.Sprintf(`{"host":%q,"pid":7,"program":"alignd 1","started":"2026-11-01T00:00:00Z","at":%q,"every":60,"config":{"file":"/etc/alignd/alignd.yaml","hash":%q,"mode":"enforce","since":"2026-11-02T00:00:00Z"}%s}`,
			name, at.Format(time.RFC3339), hash, more)
	}
	lists := []string{
		told("mx1.example", now, `,"reload":{"at":"2026-11-03T04:05:06Z","by":"SIGHUP"},"listeners":[{"place":"inet:127.0.0.1:8890","opened_by":"systemd","open":true}],"dns":{"servers":["192.0.2.53:53"],"asked":100,"failures":3},"journal":{"oldest_waiting":"`+now.Add(-90*time.Second).Format(time.RFC3339)+`"}`),
		told("mx2.example", now.Add(-time.Hour), `,"listeners":[{"place":"unix:/x","opened_by":"alignd","open":true,"fault":"the socket is gone"}],"reload":{"at":"2026-11-03T04:05:06Z","by":"SIGHUP","failed":true}`),
		told("mx3.example", now.Add(-time.Hour), `,"stopped":true,"journal":{"failing_since":"2026-11-03T04:05:06Z"}`),
		strings.ReplaceAll(told("mx4.example", now, `,"listeners":[{"place":"inet:1","open":false}]`), hash, "abcdef0123456789"),
	}
	b.status = `{"store":"postgres","records":3,"hosts":[` + strings.Join(lists, ",") + `]}`
	b.stale = errors.New("alignd.yaml:7: mode: no such mode\nalignd.yaml:9: unknown key")
	s := serve(t, b, nil)
	_, text, _ := s.Get("/health")
	_, csv, _ := s.Get("/health.csv")
	_, data, _ := s.Get("/health.json")
	for _, want := range []string{"mx1.example", "runs", "1 of 1", "1m30s", "2026-11-03 04:05:06", "3 of 100", "192.0.2.53:53", "which is that of the file here", "opened by systemd", "silent", "what stands here is as of then",
		"the socket is gone", "0 of 1", "04:05:06 failed", "alignd config check there say why", "stopped", "does not take records since", "not that of the file here", "not open", "fault: alignd.yaml:7: mode: no such mode", "fault: alignd.yaml:9"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Count(csv, "\r\n") != 5 || !strings.Contains(csv, "mx4.example") || !strings.Contains(data, `"faults":["alignd.yaml:7`) || !strings.Contains(data, `"hosts"`) {
		t.Errorf("%s\n%s", csv, data)
	}
	b.status, b.stale = `{"store":"sqlite","records":0}`, nil
	if _, text, _ := s.Get("/health"); !strings.Contains(text, "No daemon has told of itself here") || !strings.Contains(text, "It has no faults now") {
		t.Error("an empty journal")
	}
	b.err = errors.New("no journal is kept: the configuration says journal.store: none")
	if status, text, _ := s.Get("/health"); status != 200 || !strings.Contains(text, "journal.store: none") {
		t.Errorf("without journal: %d", status)
	}
}

// Metrics that are not exported, or do not answer, are said to be so.
func TestMetricsThatAreNotThere(t *testing.T) {
	b := &ill{backend: plant(t, usual(5)...), metrics: errors.New("connection refused")}
	s := serve(t, b, nil)
	if _, text, _ := s.Get("/health/metrics"); !strings.Contains(text, "connection refused") || !strings.Contains(text, "curl -s http://127.0.0.1:9/metrics") {
		t.Error("no answer")
	}
	b.cfg.Metrics.Listen = nil
	if _, text, _ := s.Get("/health/metrics"); !strings.Contains(text, "metrics.listen names no place") {
		t.Error("none")
	}
}

// many is a backend with more metrics than a page shows.
type many struct{ *backend }

func (b *many) Metrics(context.Context) ([]Metric, error) {
	list := make([]Metric, 5)
	for i := range list {
		list[i] = Metric{Name: fmt.Sprintf("m%d", i), Values: make([]MetricValue, 300)}
	}
	return list, nil
}

// A page with too many values says so once.
func TestMetricsThatAreTooMany(t *testing.T) {
	s := serve(t, &many{plant(t, usual(1)...)}, nil)
	_, text, _ := s.Get("/health/metrics")
	if _, after, ok := strings.Cut(text, "<caption>"); !ok || !strings.HasPrefix(after, "Metrics of the daemon on this host; 400 of 1500 values, CSV and JSON have all</caption>") {
		t.Errorf("%.200s", after)
	}
	if _, text, _ := s.Get("/health/metrics.csv"); strings.Count(text, "\n") != 1501 {
		t.Errorf("%d lines", strings.Count(text, "\n"))
	}
}
