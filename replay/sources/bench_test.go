package sources

import (
	"testing"
	"time"

	"alignd/config"
	"alignd/internal/made"
	"alignd/policy"
	"alignd/record"
)

// BenchmarkAdd is the cost of a record, which the journal has to unpack besides.
func BenchmarkAdd(b *testing.B) {
	cfg, err := config.Parse([]byte(siteConfig), "alignd.yaml", today)
	if err != nil {
		b.Fatal(err)
	}
	w := made.World{Begin: today.AddDate(0, 0, -20), Step: time.Minute, Rules: cfg.Rules}
	records := make([]*record.Record, 20000)
	for i := range records {
		records[i] = w.Record(i)
	}
	s := New(Options{Own: own, Organization: lastTwo, Now: today, Rules: cfg.Rules, With: func([]byte) (*policy.Rules, error) { return cfg.Rules, nil }})
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		s.Add(records[i%len(records)])
	}
}
