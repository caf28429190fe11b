package main

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal/state"
	"alignd/record"
)

// Reports of others are about days: the command counts those that the page counts, today and
// the 29 before it for 30d, and beside them what came here on these days.
func TestReportsOfOthersAreCountedByWholeDays(t *testing.T) {
	now := time.Date(2026, 11, 27, 10, 30, 0, 0, time.UTC)
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	s, err := state.OpenFile(t.Context(), filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, begin := range []time.Time{day(10, 28), day(10, 28).Add(17 * time.Hour), day(10, 29), day(10, 30), day(11, 26), day(11, 27)} {
		report := &state.Other{Domain: "own.example", Reporter: "receiver.example", Sender: "receiver.example", ReportID: string(rune('a' + i)), Start: begin, Until: begin.AddDate(0, 0, 1),
			Trust: state.TrustPass, Stored: now, Rows: []state.OtherRow{{Source: "198.51.100.1", Network: "198.51.100.0/24", Author: "own.example", Messages: 1}}}
		if err := s.AddOther(t.Context(), report); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		since string
		first time.Time
		want  int64
	}{
		{since: "30d", first: day(10, 29), want: 4},
		{since: "2026-10-28", first: day(10, 28), want: 6},
		{since: "2026-10-28T23:00:00-01:00", first: day(10, 29), want: 4},
		{since: "1d", first: day(11, 27), want: 1},
		{since: "6h", first: day(11, 27), want: 1},
	} {
		since, err := pointInTime("since", c.since, now)
		if err != nil {
			t.Fatal(err)
		}
		e, err := askElsewhere(t.Context(), s, state.ElsewhereQuery{Since: since}, now)
		if err != nil {
			t.Fatal(err)
		}
		if !e.since.Equal(c.first) || e.Messages != c.want {
			t.Errorf("since %s: from %s on, %d messages; want %s, %d", c.since, e.since, e.Messages, c.first, c.want)
		}
		for _, at := range []time.Time{e.since.Add(-time.Minute), e.since} {
			r := &record.Record{Evidence: evidence.Message{Time: at, From: evidence.From{Domains: []string{"own.example"}}}}
			r.Evidence.Client.Peer = netip.MustParseAddr("198.51.100.7")
			e.note(r)
		}
		if n := e.hereOf(&e.Sources[0]); n != 1 {
			t.Errorf("since %s: %d messages here, want 1", c.since, n)
		}
	}
}
