package main

import (
	"time"

	"alignd/policy"
)

// recheck is how long the daemon sleeps at most until it looks at the wall
// clock again: a timer does not notice that the clock was set. Ours.
const recheck = time.Hour

// expiryWatch warns of each exception that ceases to match while the daemon
// runs; those that had expired before are told at load. One timer runs to the
// next date, so it costs nothing meanwhile.
type expiryWatch struct {
	timer *time.Timer
	since time.Time // what expired until then has been told
}

func newExpiryWatch(rules *policy.Rules, now time.Time) *expiryWatch {
	w := &expiryWatch{timer: time.NewTimer(recheck)}
	w.reset(rules, now)
	return w
}

// reset begins anew with other rules.
func (w *expiryWatch) reset(rules *policy.Rules, now time.Time) {
	w.since = now
	w.timer.Reset(untilExpiry(rules, now))
}

// expired returns the entries that ceased to match since the last call.
func (w *expiryWatch) expired(rules *policy.Rules, now time.Time) []policy.Exception {
	list := expiredSince(rules, w.since, now)
	w.reset(rules, now)
	return list
}

func expiredSince(rules *policy.Rules, since, now time.Time) []policy.Exception {
	var list []policy.Exception
	for _, e := range rules.Expired(now) {
		if e.Expires.After(since) {
			list = append(list, e)
		}
	}
	return list
}

func untilExpiry(rules *policy.Rules, now time.Time) time.Duration {
	if next, ok := rules.NextExpiry(now); ok {
		return min(next.Sub(now), recheck)
	}
	return recheck
}
