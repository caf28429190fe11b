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

// timeWithin is how far into a record its time mostly stands, in octets; ours.
const timeWithin = 512

// TimeOf is Evidence.Time of a record as Append wrote it, without decoding the rest where
// it stands at the begin.
func TimeOf(b []byte) (time.Time, error) {
	if at, ok := timeAtBegin(b); ok {
		return at, nil
	}
	r, err := Decode(b)
	if err != nil {
		return time.Time{}, err
	}
	return r.Evidence.Time, nil
}

// timeAtBegin reads the fields of Evidence before its time, and that.
func timeAtBegin(b []byte) (at time.Time, ok bool) {
	const evidenceKey, schemaKey, timeKey = 1, 1, 4
	if len(b) < 3 || b[0] != pairHead || b[1] != Version {
		return at, false
	}
	d := Decoder{s: string(b[:min(len(b), timeWithin)]), at: 2, ok: true}
	d.length(majorMap, maxKey)
	if major, key := d.head(); major != majorUint || key != evidenceKey {
		return at, false
	}
	for range d.length(majorMap, maxKey) {
		major, key := d.head()
		switch {
		case !d.ok || major != majorUint || key > timeKey:
			return at, false
		case key == timeKey:
			at = d.time()
			return at, d.ok
		case key == schemaKey:
			d.head()
		default: // Token, QueueID
			d.text()
		}
	}
	return at, false
}
