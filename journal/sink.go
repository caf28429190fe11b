package journal

import (
	"alignd/journal/spool"
	"alignd/record"
)

// Sink writes each record to a spool before its message is answered. It implements
// record.Sink; its methods are safe for concurrent use.
type Sink struct{ spool *spool.Spool }

// NewSink writes to s.
func NewSink(s *spool.Spool) *Sink { return &Sink{spool: s} }

// typicalSize is about what a record takes, in octets.
const typicalSize = 2 << 10

// Take implements record.Sink. It waits as long as the spool's Patience at most. The
// spool tells of what comes late and of what it drops.
func (k *Sink) Take(r *record.Record) (sent func(written bool)) {
	// A late record is still to be written when Append returns: its octets are its own.
	n, _ := k.spool.Append(record.Append(make([]byte, 0, typicalSize), r))
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
