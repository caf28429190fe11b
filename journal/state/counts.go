package state

import (
	"time"

	"alignd/evidence"
	"alignd/journal"
	"alignd/policy"
)

// Counts are what is known of the messages of a value in some time. A message is in
// Messages, and in those of the others that are true of it.
type Counts struct {
	Messages uint64
	// Pass and Fail are by the result of DMARC; the others had none, or an error.
	Pass, Fail uint64
	// Tagged, Held, Deferred and Refused are by what the MTA was told.
	Tagged, Held, Deferred, Refused uint64
	// WouldTag and so on are by what monitor mode or a stage of a rollout held back.
	WouldTag, WouldHold, WouldDefer, WouldRefuse uint64
	// PassRefused are those of Refused that passed DMARC, for whatever they were refused.
	PassRefused uint64
	// FailDKIM are those of Fail with a passing DKIM signature, FailSPF those with a
	// passing SPF: of another domain than the author's, else they would not fail.
	FailDKIM, FailSPF uint64
	// PassSPF are those of Pass with an aligned pass of SPF. A signed message can be sent
	// again from anywhere; this result is the client's own. PassSPFRefused are those of
	// them that were refused, but not for a limit.
	PassSPF, PassSPFRefused uint64
	// Rescued are those that the sender's policy would have had refused, held or marked,
	// and that an exception or a trusted Sealer let in as they are.
	Rescued uint64
	// First and Last are when the first and the last message began; zero where
	// Messages is.
	First, Last time.Time
}

// tally is Counts as they are added up and stored: numbers in the order of Counts, new
// ones at the end, and times in seconds since 1970, which count where there are messages.
type tally struct {
	n           [fields]uint64
	first, last int64
}

// Places in tally.n.
const (
	nMessages = iota
	nPass
	nFail
	nTagged
	nHeld
	nDeferred
	nRefused
	nWouldTag
	nWouldHold
	nWouldDefer
	nWouldRefuse
	nPassRefused
	nFailDKIM
	nFailSPF
	nPassSPF
	nPassSPFRefused
	nRescued
	fields
)

func (t *tally) add(o *tally) {
	if o.n[nMessages] == 0 {
		return
	}
	if t.n[nMessages] == 0 {
		*t = *o
		return
	}
	for i := range t.n {
		t.n[i] += o.n[i]
	}
	t.first, t.last = min(t.first, o.first), max(t.last, o.last)
}

func (t *tally) counts() Counts {
	n := &t.n
	c := Counts{
		Messages: n[nMessages], Pass: n[nPass], Fail: n[nFail],
		Tagged: n[nTagged], Held: n[nHeld], Deferred: n[nDeferred], Refused: n[nRefused],
		WouldTag: n[nWouldTag], WouldHold: n[nWouldHold], WouldDefer: n[nWouldDefer], WouldRefuse: n[nWouldRefuse],
		PassRefused: n[nPassRefused], FailDKIM: n[nFailDKIM], FailSPF: n[nFailSPF],
		PassSPF: n[nPassSPF], PassSPFRefused: n[nPassSPFRefused], Rescued: n[nRescued],
	}
	if c.Messages > 0 {
		c.First, c.Last = time.Unix(t.first, 0).UTC(), time.Unix(t.last, 0).UTC()
	}
	return c
}

// Add adds what o counts.
func (c *Counts) Add(o *Counts) {
	t, u := c.tally(), o.tally()
	t.add(&u)
	*c = t.counts()
}

func (c *Counts) tally() tally {
	return tally{
		n: [fields]uint64{c.Messages, c.Pass, c.Fail, c.Tagged, c.Held, c.Deferred, c.Refused,
			c.WouldTag, c.WouldHold, c.WouldDefer, c.WouldRefuse, c.PassRefused, c.FailDKIM, c.FailSPF,
			c.PassSPF, c.PassSPFRefused, c.Rescued},
		first: c.First.Unix(), last: c.Last.Unix(),
	}
}

// tallyOf is that of one message.
func tallyOf(e *journal.Entry) tally {
	ev, v := &e.Record.Evidence, &e.Record.Verdict
	t := tally{first: ev.Time.Unix(), last: ev.Time.Unix()}
	t.n[nMessages] = 1
	if d := policy.Decisive(ev, v); d != nil {
		switch d.Result {
		case evidence.Pass:
			t.n[nPass], t.n[nPassSPF] = 1, one(passesBySPF(ev, d))
		case evidence.Fail:
			t.n[nFail] = 1
			t.n[nFailDKIM], t.n[nFailSPF] = one(passesDKIM(ev)), one(passesSPF(ev))
		}
	}
	if at := place(v.Delivery, nTagged, nHeld, nDeferred, nRefused); at > 0 {
		t.n[at] = 1
	}
	if v.Delivery == policy.Refuse {
		t.n[nPassRefused] = t.n[nPass]
		if v.Step != policy.StepLimit {
			t.n[nPassSPFRefused] = t.n[nPassSPF]
		}
	}
	t.n[nRescued] = one(v.Rescued())
	if v.Monitor.Delivery != v.Delivery {
		if at := place(v.Monitor.Delivery, nWouldTag, nWouldHold, nWouldDefer, nWouldRefuse); at > 0 {
			t.n[at] = 1
		}
	}
	return t
}

// place is the number that a delivery is counted in; 0 for none.
func place(d policy.Delivery, tagged, held, deferred, refused int) int {
	switch d {
	case policy.DeliverTag:
		return tagged
	case policy.DeliverHold:
		return held
	case policy.DeliverDefer:
		return deferred
	case policy.Refuse:
		return refused
	}
	return 0
}

func one(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

func passesDKIM(ev *evidence.Message) bool {
	for i := range ev.DKIM {
		if ev.DKIM[i].Result == evidence.Pass {
			return true
		}
	}
	return false
}

func passesSPF(ev *evidence.Message) bool {
	check := ev.ReportedSPF()
	return check != nil && check.Result == evidence.Pass
}

// passesBySPF reports whether a passing message would pass by SPF alone, and not by a
// record that matches about everybody.
func passesBySPF(ev *evidence.Message, d *evidence.DMARC) bool {
	check := ev.ReportedSPF()
	return d.SPFAligned && (check == nil || !check.Wide)
}
