package judge

import (
	"fmt"
	"testing"
	"time"

	"alignd/evidence"
)

var start = time.Unix(1e9, 0)

// try is a message on its way, after this time, from this MAIL FROM domain.
func try(after time.Duration, from string, rcpts ...string) *evidence.Message {
	ev := &evidence.Message{Time: start.Add(after), MailFrom: "x@" + from, MailFromDomain: from}
	for _, r := range rcpts {
		ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: r})
	}
	return ev
}

func TestAWaitBelongsToOneMessage(t *testing.T) {
	const bob, ann, eve = "bob@here.test", "ann@here.test", "eve@here.test"
	key, other := messageKey{1}, messageKey{2}
	w := newWaits(10)
	w.deferred(key, try(0, "a.example", bob, ann))
	w.deferred(key, try(time.Hour, "a.example", bob, ann))
	w.deferred(key, try(2*time.Hour, "a.example", bob, eve, eve))
	for _, row := range []struct {
		name  string
		key   messageKey
		ev    *evidence.Message
		since time.Duration
		times int
	}{
		{name: "the recipients who waited", key: key, ev: try(5*time.Hour, "a.example", bob, ann), times: 2},
		{name: "one of them", key: key, ev: try(5*time.Hour, "a.example", ann), times: 2},
		{name: "one who was put off more often", key: key, ev: try(5*time.Hour, "a.example", bob), times: 3},
		{name: "one who came later, named twice in one try", key: key, ev: try(5*time.Hour, "a.example", eve), since: 2 * time.Hour, times: 1},
		{name: "the last of them counts", key: key, ev: try(5*time.Hour, "a.example", bob, eve), since: 2 * time.Hour, times: 1},
		{name: "one who did not wait", key: key, ev: try(5*time.Hour, "a.example", bob, "joe@here.test"), times: -1},
		{name: "another message", key: other, ev: try(5*time.Hour, "a.example", bob), times: -1},
		{name: "another MAIL FROM domain", key: key, ev: try(5*time.Hour, "b.example", bob), times: -1},
		{name: "the null reverse-path", key: key, ev: try(5*time.Hour, "", bob), times: -1},
		{name: "before five days are over", key: key, ev: try(120*time.Hour, "a.example", bob), times: 3},
		{name: "after six days", key: key, ev: try(145*time.Hour, "a.example", bob), times: -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			since, times := w.of(row.key, row.ev)
			want := start.Add(row.since)
			if row.times < 0 {
				want, row.times = time.Time{}, 0
			}
			if !since.Equal(want) || times != row.times {
				t.Errorf("put off %d times since %v, want %d since %v", times, since, row.times, want)
			}
		})
	}
}

// The reply to the try that was served may have been lost, so the next one is served
// too, for an hour. After that the same message is as good as new.
func TestAWaitServesOnce(t *testing.T) {
	const bob, ann = "bob@here.test", "ann@here.test"
	w, key := newWaits(10), messageKey{1}
	for i := range 2 {
		w.deferred(key, try(time.Duration(i)*time.Minute, "a.example", bob, ann))
	}
	w.served(key, try(5*time.Hour, "a.example", bob))
	w.served(key, try(5*time.Hour+50*time.Minute, "a.example", bob)) // no longer for that
	if since, times := w.of(key, try(6*time.Hour, "a.example", bob)); !since.Equal(start) || times != 2 {
		t.Errorf("an hour later: %d times since %v", times, since)
	}
	if _, times := w.of(key, try(6*time.Hour+time.Second, "a.example", bob)); times != 0 {
		t.Errorf("after the hour it was put off %d times, want it new", times)
	}
	if _, times := w.of(key, try(7*time.Hour, "a.example", ann)); times != 2 {
		t.Errorf("a recipient who was not served: put off %d times, want 2", times)
	}
	again := try(8*time.Hour, "a.example", bob)
	w.deferred(key, again)
	if since, times := w.of(key, again); !since.Equal(again.Time) || times != 1 {
		t.Errorf("put off anew: %d times since %v, want once since then", times, since)
	}
}

func TestWaitsAreBounded(t *testing.T) {
	w := newWaits(3)
	for i := range 5 {
		for range 2 { // the first time stays
			w.deferred(messageKey{byte(i)}, try(time.Duration(i)*time.Second, "a.example", "bob@here.test"))
		}
	}
	for i := range 5 {
		since, times := w.of(messageKey{byte(i)}, try(time.Minute, "a.example", "bob@here.test"))
		if known := !since.IsZero(); known != (i >= 2) || known && times != 2 {
			t.Errorf("message %d: put off %d times since %v", i, times, since)
		}
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("r%d@here.test", i))
	}
	w.deferred(messageKey{9}, try(time.Hour, "a.example", many...))
	if len(w.at) != 3 || w.order.Len() != 3 {
		t.Errorf("%d and %d entries, want 3", len(w.at), w.order.Len())
	}
	w.of(messageKey{9}, try(1000*time.Hour, "a.example"))
	if len(w.at) != 0 {
		t.Errorf("%d entries that are too old", len(w.at))
	}
}
