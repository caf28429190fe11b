package judge

import (
	"crypto/sha256"
	"sync"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/policy"
)

// table is a Shared in memory.
type table struct {
	mu    sync.Mutex
	known map[SharedKey]SharedWait
	asked int
	away  bool
}

func (t *table) Deferred(keys []SharedKey, now time.Time) (list []SharedWait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked++; t.away {
		return nil
	}
	for _, k := range keys {
		x := t.known[k]
		list = append(list, x)
		if x.Times == 0 {
			x.First = now
		}
		x.Times++
		t.known[k] = x
	}
	return list
}

func (t *table) Served(keys []SharedKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		x := t.known[k]
		x.Served = now
		t.known[k] = x
	}
}

// content is that of one message.
type content struct{ fields *header.Fields }

func (c content) Fields() *header.Fields      { return c.fields }
func (c content) BodyHash() [sha256.Size]byte { return [sha256.Size]byte{1} }
func (c content) Checked() bool               { return true }

// put judges one message, which an enforcing domain asks to reject and whose
// identifier is not resolved.
func put(t *testing.T, w *Waits, after time.Duration, result evidence.Result, rcpts ...string) policy.Verdict {
	t.Helper()
	ev := try(after, "a.example", rcpts...)
	ev.From = evidence.From{Fields: 1, Domains: []string{"a.example"}}
	ev.DMARC = []evidence.DMARC{{
		AuthorDomain: "a.example", PolicyDomain: "a.example", Result: result, IdentifierTemporary: result == evidence.TempError,
		Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100},
	}}
	s := &Settings{Rules: policy.Defaults(), SamplingSecret: []byte("secret")}
	fields := fieldsOf("From", " x@a.example")
	return s.Judge(ev, content{fields}, s.MarksOf("mx.here.test", fields), w).Verdict
}

func TestHostsKnowOfEachOthersDeferrals(t *testing.T) {
	const bob, ann = "bob@here.test", "ann@here.test"
	all := &table{known: map[SharedKey]SharedWait{}}
	one, two := newWaits(10), newWaits(10)
	one.Share(all)
	two.Share(all)
	steps := []struct {
		name   string
		at     *Waits
		after  time.Duration
		rcpts  []string
		away   bool
		result evidence.Result
		want   policy.Disposition
		asked  bool
	}{
		{name: "new", at: one, rcpts: []string{bob}, want: policy.DispositionTempfail, asked: true},
		{name: "again at the other, too soon", at: two, after: time.Hour, rcpts: []string{bob}, want: policy.DispositionTempfail, asked: true},
		{name: "for one who did not wait", at: two, after: 5 * time.Hour, rcpts: []string{bob, ann}, want: policy.DispositionTempfail, asked: true},
		{name: "a message that fails is not asked for", at: two, after: 5 * time.Hour, rcpts: []string{bob}, result: evidence.Fail, want: policy.DispositionReject},
		{name: "one that passes is not asked for", at: two, after: 5 * time.Hour, rcpts: []string{bob}, result: evidence.Pass, want: policy.DispositionAccept},
		{name: "served by a host that knew of one try only", at: one, after: 5 * time.Hour, rcpts: []string{bob}, want: policy.DispositionQuarantine, asked: true},
		{name: "the other knows enough by itself", at: two, after: 5*time.Hour + time.Minute, rcpts: []string{bob}, want: policy.DispositionQuarantine},
		{name: "after an hour it is new at the other, too", at: two, after: 7 * time.Hour, rcpts: []string{bob}, want: policy.DispositionTempfail, asked: true},
	}
	for _, s := range steps {
		before := all.asked
		if s.result == "" {
			s.result = evidence.TempError
		}
		if got := put(t, s.at, s.after, s.result, s.rcpts...); got.Disposition != s.want {
			t.Errorf("%s: got %s (%s), want %s", s.name, got.Disposition, got.Reason, s.want)
		}
		if asked := all.asked > before; asked != s.asked {
			t.Errorf("%s: asked: %v", s.name, asked)
		}
	}
}

func TestWithoutTheOthersTheOwnTableCounts(t *testing.T) {
	const bob = "bob@here.test"
	all := &table{known: map[SharedKey]SharedWait{}, away: true}
	w := newWaits(10)
	w.Share(all)
	for i, want := range []policy.Disposition{policy.DispositionTempfail, policy.DispositionTempfail, policy.DispositionQuarantine} {
		if got := put(t, w, time.Duration(i)*3*time.Hour, evidence.TempError, bob); got.Disposition != want {
			t.Errorf("try %d: got %s (%s), want %s", i, got.Disposition, got.Reason, want)
		}
	}
}

func TestKeysAreTheSameOnAllHostsAndOfOneRecipient(t *testing.T) {
	const bob, ann = "bob@here.test", "ann@here.test"
	keys := sharedKeys(messageKey{1}, try(0, "a.example", bob, ann))
	again := sharedKeys(messageKey{1}, try(time.Hour, "a.example", ann, bob))
	if keys[0] != again[1] || keys[1] != again[0] || keys[0] == keys[1] {
		t.Errorf("%x, %x", keys, again)
	}
	for name, other := range map[string][]SharedKey{
		"another message":          sharedKeys(messageKey{2}, try(0, "a.example", bob)),
		"another MAIL FROM domain": sharedKeys(messageKey{1}, try(0, "b.example", bob)),
	} {
		if other[0] == keys[0] {
			t.Errorf("%s has the same key", name)
		}
	}
}
