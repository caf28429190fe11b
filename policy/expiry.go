package policy

import "time"

// Expired returns the exceptions that no longer match at now, for a warning.
func (r *Rules) Expired(now time.Time) []Exception {
	var out []Exception
	for _, e := range r.entries {
		if e.expired(now) {
			out = append(out, e)
		}
	}
	return out
}

// Expiries counts the exceptions that no longer match at now, and those that still do
// and will not at a later time.
func (r *Rules) Expiries(now, later time.Time) (expired, expiring int) {
	for i := range r.entries {
		switch e := &r.entries[i]; {
		case e.expired(now):
			expired++
		case e.expired(later):
			expiring++
		}
	}
	return expired, expiring
}

// NextExpiry is the first instant after now at which an exception stops to
// match; ok is false when none will.
func (r *Rules) NextExpiry(now time.Time) (next time.Time, ok bool) {
	for i := range r.entries {
		e := &r.entries[i]
		if e.NeverExpires || !e.Expires.After(now) {
			continue
		}
		if !ok || e.Expires.Before(next) {
			next, ok = e.Expires, true
		}
	}
	return next, ok
}

// expired reports whether the entry no longer matches at now.
func (e *Exception) expired(now time.Time) bool {
	return !e.NeverExpires && !now.Before(e.Expires)
}
