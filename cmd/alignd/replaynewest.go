package main

import (
	"time"

	"alignd/record"
	"alignd/replay"
)

// timeSpan is what a replay is asked for; zero times are no bounds, and Until is excluded.
type timeSpan struct{ since, until time.Time }

// has reports whether a record is of the time. Blocks hold others beside: those of a whole
// day come together. One that cannot be read is of any time, so that it is told of.
func (s timeSpan) has(encoded []byte) bool {
	if s == (timeSpan{}) {
		return true
	}
	at, err := record.TimeOf(encoded)
	return err != nil || (s.since.IsZero() || !at.Before(s.since)) && (s.until.IsZero() || at.Before(s.until))
}

// count is how many records of a batch are of the time.
func (s timeSpan) count(b replay.Batch) (n int) {
	_ = b.Records(func(encoded []byte) { // who judges it tells of what cannot be read
		if s.has(encoded) {
			n++
		}
	})
	return n
}

// newest is the part of feed with the last records of a time, at most most of them. It
// reads twice: first to count. older hears how many come before these; it may be nil.
func newest(feed func(func(replay.Batch)) error, most int, of timeSpan, older func(int)) func(func(replay.Batch)) error {
	return func(add func(replay.Batch)) error {
		all := 0
		if err := feed(func(b replay.Batch) { all += of.count(b) }); err != nil {
			return err
		}
		skip := max(0, all-most)
		if older != nil {
			older(skip)
		}
		return feed(func(b replay.Batch) {
			if skip <= 0 {
				add(b)
				return
			}
			n := of.count(b)
			if n > skip {
				add(lastOf{b, skip, of})
			}
			skip -= n
		})
	}
}

// lastOf is a batch without its first records of a time.
type lastOf struct {
	replay.Batch
	skip int
	of   timeSpan
}

// Records implements replay.Batch.
func (b lastOf) Records(found func([]byte)) error {
	left := b.skip
	return b.Batch.Records(func(encoded []byte) {
		if left > 0 {
			if b.of.has(encoded) {
				left--
			}
			return
		}
		found(encoded)
	})
}
