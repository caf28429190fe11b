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
		{"what had expired before the start is told at load only", time.Second, "", 59 * time.Second},
		{"an entry is told at its date", time.Minute, "soon", recheck},
		{"and not again", 2 * time.Minute, "", recheck},
		{"shortly before the next one the timer is set to it", 24*time.Hour - time.Minute, "", time.Minute},
		{"the next one", 24 * time.Hour, "in a day", recheck},
		{"an entry without date is never told", 10000 * time.Hour, "", recheck},
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
