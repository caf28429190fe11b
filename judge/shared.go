package judge

import (
	"cmp"
	"crypto/sha256"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/verify/spf"
)

// Shared is what several hosts know together of mail that was put off. Its methods are
// safe for concurrent use.
type Shared interface {
	// Deferred notes under each key that a message is put off once more, and returns what
	// was known before, in the order of keys. It is called for a message that is about to
	// be put off, and returns nil where it cannot tell soon: then the host's own table
	// decides.
	Deferred(keys []SharedKey, now time.Time) []SharedWait
	// Served notes under each key that the message was let in for having waited. It does
	// not wait.
	Served(keys []SharedKey, now time.Time)
}

// SharedKey is a message for one recipient from one MAIL FROM domain, the same on all
// hosts with one sampling secret. Who does not know that cannot find it.
type SharedKey [sha256.Size]byte

// SharedWait is what was known under a key. The zero value: nothing.
type SharedWait struct {
	First time.Time // when first put off
	Times int       // how often it was put off
	// Served is when it was let in for having waited; zero where it was not.
	Served time.Time
}

// Share has w ask other hosts, too. It is called before w is used.
func (w *Waits) Share(s Shared) { w.shared = s }

// sharedKeys are those of a message, in the order of its recipients.
func sharedKeys(k messageKey, ev *evidence.Message) []SharedKey {
	from := cmp.Or(ev.MailFromDomain, strings.ToLower(spf.Domain(ev.MailFrom)))
	list := make([]SharedKey, len(ev.Recipients))
	for i := range ev.Recipients {
		text := appendPart(nil, k[:])
		text = appendPart(text, []byte(from))
		list[i] = sha256.Sum256(append(text, ev.Recipients[i].Address...))
	}
	return list
}

// ask completes what is known of the earlier tries of a message that v puts off for a
// temporary error, and reports whether that is more than the host knew.
func (w *Waits) ask(ev *evidence.Message, v *policy.Verdict) bool {
	if w.shared == nil || v.Step != policy.StepTempError || v.Disposition != policy.DispositionTempfail {
		return false
	}
	known := w.shared.Deferred(sharedKeys(ev.Key, ev), ev.Time)
	if len(known) != len(ev.Recipients) {
		return false
	}
	since, times := w.with(ev.Key, ev, known)
	more := times > 0 && (times != ev.Deferrals || !since.Equal(ev.FirstSeen))
	if more {
		ev.FirstSeen, ev.Deferrals = since, times
	}
	return more
}

// tellServed tells the others that a message was let in.
func (w *Waits) tellServed(ev *evidence.Message) {
	if w.shared != nil {
		w.shared.Served(sharedKeys(ev.Key, ev), ev.Time)
	}
}

// join adds what others know to what the host knows of a recipient: the earlier first
// time and the higher number. An entry that has served and does so no more is none.
func (x wait) join(o *SharedWait) wait {
	if x.times == 0 || !o.First.IsZero() && o.First.Before(x.first) {
		x.first = o.First
	}
	x.times = max(x.times, o.Times)
	if x.served.IsZero() || !o.Served.IsZero() && o.Served.Before(x.served) {
		x.served = o.Served
	}
	return x
}
