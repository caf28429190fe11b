package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"alignd/record"
)

// The daemon tests its journal in a process of its own, and tells what came of it.
func TestTheDaemonTestsItsJournal(t *testing.T) {
	t.Setenv(asAlignd, "1")
	for _, row := range []struct {
		name   string
		change func(*record.Record)
		breaks bool
		differ uint64
		failed bool
		said   string
	}{
		{name: "no difference", said: `msg="the journal was tested" judged=4 differ=0`},
		{name: "a difference", change: func(r *record.Record) { r.Verdict.Rule = "another" }, differ: 1, said: "level=WARN msg=\"messages of the journal are judged otherwise"},
		{name: "no journal", breaks: true, failed: true, said: "level=WARN msg=\"the journal could not be tested\""},
	} {
		file, _ := emptyJournal(t, "self_test: 1h")
		if !row.breaks {
			cfg, m := remembering(t, file)
			for i, r := range past(t, cfg) {
				if i == 3 && row.change != nil {
					row.change(r)
				}
				m.Sink(record.Sinks{}).Take(r)(true)
			}
			m.Close()
		}
		var said bytes.Buffer
		s := &selfTester{every: 24 * time.Hour, file: file, log: slog.New(slog.NewTextHandler(&said, nil))}
		s.run(t.Context())
		h := s.health()
		if h.Differ != row.differ || h.Failed != row.failed || h.At.IsZero() || !row.failed && h.Judged != 4 || !strings.Contains(said.String(), row.said) {
			t.Errorf("%s: %+v, %s", row.name, h, said.String())
		}
	}
	if s := newSelfTester(0, "", slog.New(slog.DiscardHandler)); s != nil || !s.health().At.IsZero() {
		t.Error("it is off by default")
	}
	s := newSelfTester(time.Hour, "", slog.New(slog.DiscardHandler))
	s.close() // at once
}
