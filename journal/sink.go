package journal

import (
	"errors"
	"sync"

	"alignd/journal/spool"
	"alignd/record"
)

// Sink writes each record to a spool before its message is answered. It implements
// record.Sink; its methods are safe for concurrent use.
type Sink struct{ spool *spool.Spool }

// NewSink writes to s.
func NewSink(s *spool.Spool) *Sink { return &Sink{spool: s} }

// buffers are memory to encode records in. Nearly all of them are shorter than usualSize, in
// octets; what a longer one took is not kept.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, usualSize)
	return &b
}}

const usualSize = 8 << 10

// Take implements record.Sink. It waits as long as the spool's Patience at most. The
// spool tells of what comes late and of what it drops.
func (k *Sink) Take(r *record.Record) (sent func(written bool)) {
	buf := buffers.Get().(*[]byte)
	encoded := record.Append((*buf)[:0], r)
	n, err := k.spool.Append(encoded)
	// A late record is still to be written: its octets are its own.
	if !errors.Is(err, spool.ErrLate) {
		buffers.Put(buf)
	}
	if n == 0 {
		return nil
	}
	return func(written bool) {
		if written {
			k.spool.Answered(n)
		} else {
			k.spool.Lost(n)
		}
	}
}
