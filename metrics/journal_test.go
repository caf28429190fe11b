package metrics

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"alignd/policy"
)

func TestTheJournalIsTold(t *testing.T) {
	m := newMetrics(t, policy.Defaults())
	told := func(j Journal) map[string]string {
		t.Helper()
		m.state.src.Journal = func() Journal { return j }
		families, err := m.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range families {
			if name, ok := strings.CutPrefix(f.GetName(), "alignd_journal_"); ok {
				v := f.GetMetric()[0]
				got[name] = text(v.GetCounter().GetValue() + v.GetGauge().GetValue())
			}
		}
		return got
	}
	for _, row := range []struct {
		name    string
		journal Journal
		want    map[string]string
	}{
		{name: "all at once", journal: theJournal, want: map[string]string{"configured": "1", "open": "1", "records_written_total": "11",
			"records_late_total": "2", "records_dropped_total": "3", "records_loaded_total": "12", "records_missing_total": "4",
			"records_unreadable_total": "5", "spool_bytes": "6", "spool_limit_bytes": "7", "spool_segments_removed_early_total": "8",
			"spool_damages_total": "9", "spool_failing": "1", "oldest_unloaded_seconds": "90", "last_load_timestamp_seconds": text(float64(now.Unix() - 60)),
			"store_failing_seconds": "3600", "store_bytes": "10", "damaged_files": "1", "retention_stopped": "1", "sealing": "1",
			"self_test_timestamp_seconds": text(float64(now.Unix() - 3600)), "self_test_failed": "1", "self_test_messages": "13", "self_test_differences": "14"}},
		{name: "at the start", journal: Journal{Configured: true, Open: true}, want: map[string]string{"configured": "1", "open": "1",
			"oldest_unloaded_seconds": "0", "store_failing_seconds": "0", "last_load_timestamp_seconds": "", "self_test_differences": "", "retention_stopped": "0"}},
		{name: "a clock that was set back", journal: Journal{Open: true, Oldest: now.Add(time.Hour)}, want: map[string]string{"oldest_unloaded_seconds": "0"}},
		{name: "a folder that cannot be written", journal: Journal{Configured: true}, want: map[string]string{"configured": "1", "open": "0", "spool_bytes": ""}},
		{name: "none", want: map[string]string{"configured": "0", "open": "0"}},
	} {
		got := told(row.journal)
		for name, want := range row.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", row.name, name, got[name], want)
			}
		}
	}
}

func text(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
