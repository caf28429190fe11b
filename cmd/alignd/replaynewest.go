package main

import "alignd/replay"

// newest is the part of feed with the last records, at most most of them. It reads twice:
// first to count. older hears how many come before these; it may be nil.
func newest(feed func(func(replay.Batch)) error, most int, older func(int)) func(func(replay.Batch)) error {
	return func(add func(replay.Batch)) error {
		all := 0
		err := feed(func(b replay.Batch) {
			_ = b.Records(func([]byte) { all++ }) // the second time tells of what cannot be read
		})
		if err != nil {
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
			n := 0
			_ = b.Records(func([]byte) { n++ })
			if n > skip {
				add(lastOf{b, skip})
			}
			skip -= n
		})
	}
}

// lastOf is a batch without its first records.
type lastOf struct {
	replay.Batch
	skip int
}

// Records implements replay.Batch.
func (b lastOf) Records(found func([]byte)) error {
	n := 0
	return b.Batch.Records(func(encoded []byte) {
		if n++; n > b.skip {
			found(encoded)
		}
	})
}
