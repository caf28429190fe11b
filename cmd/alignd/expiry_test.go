package main

import (
	"net/netip"
	"testing"
	"time"

	"alignd/policy"
)

func TestEachExpiryIsToldOnce(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	entry := func(id string, expires time.Time) policy.Exception {
		return policy.Exception{ID: id, Action: policy.Accept, Expires: expires, NeverExpires: expires.IsZero(),
			Proof: policy.Proof{Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}}
	}
	rules, err := policy.Compile(policy.Spec{Exceptions: []policy.Exception{
		entry("long gone", start.Add(-time.Hour)), entry("soon", start.Add(time.Minute)),
		entry("in a day", start.Add(24*time.Hour)), entry("never", time.Time{}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := newExpiryWatch(rules, start)
	defer w.timer.Stop()
	for _, row := range []struct {
		name  string
		after time.Duration
		want  string
		sleep time.Duration
	}{
		{name: "what had expired before the start is told at load only", after: time.Second, sleep: 59 * time.Second},
		{name: "an entry is told at its date", after: time.Minute, want: "soon", sleep: recheck},
		{name: "and not again", after: 2 * time.Minute, sleep: recheck},
		{name: "shortly before the next one the timer is set to it", after: 24*time.Hour - time.Minute, sleep: time.Minute},
		{name: "the next one", after: 24 * time.Hour, want: "in a day", sleep: recheck},
		{name: "an entry without date is never told", after: 10000 * time.Hour, sleep: recheck},
	} {
		now := start.Add(row.after)
		got := ""
		for _, e := range w.expired(rules, now) {
			got += e.ID
		}
		if sleep := untilExpiry(rules, now); got != row.want || sleep != row.sleep {
			t.Errorf("%s: got %q and %v, want %q and %v", row.name, got, sleep, row.want, row.sleep)
		}
	}
}
