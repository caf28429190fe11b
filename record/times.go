package record

import (
	"slices"
	"time"
)

// farTime is how many seconds from 1970 a time may be to keep its microseconds
// in the encoding, a float of 64 bits: until 2106.
const farTime = 1 << 32

// keptTime is t as a record keeps it: to the microsecond, and a far one to the
// second. A hostile t= of a signature is a whole second, so it is kept as it is,
// also beyond the year 9999.
func keptTime(t time.Time) time.Time {
	switch s := t.Unix(); {
	case t.IsZero():
		return time.Time{}
	case s < -farTime || s > farTime:
		return time.Unix(s, 0).UTC()
	}
	return t.UTC().Round(time.Microsecond)
}

// eachTime visits all times of r.
func eachTime(r *Record, visit func(*time.Time)) {
	ev := &r.Evidence
	visit(&ev.Time)
	visit(&ev.FirstSeen)
	for i := range ev.DKIM {
		visit(&ev.DKIM[i].Signed)
		visit(&ev.DKIM[i].Expires)
	}
	for i := range ev.Received {
		visit(&ev.Received[i].Time)
	}
}

// withKeptTimes is r with its times as they are kept. r is not changed.
func withKeptTimes(r *Record) *Record {
	same := true
	eachTime(r, func(t *time.Time) { same = same && t.Equal(keptTime(*t)) })
	if same {
		return r
	}
	c := *r
	c.Evidence.DKIM = slices.Clone(c.Evidence.DKIM)
	c.Evidence.Received = slices.Clone(c.Evidence.Received)
	eachTime(&c, func(t *time.Time) { *t = keptTime(*t) })
	return &c
}
