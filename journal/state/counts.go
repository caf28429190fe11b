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
	// First and Last are when the first and the last message began; zero where
	// Messages is.
	First, Last time.Time
}

// numbers are the fields that are added up, in the order in which they are stored.
// New ones go to the end.
func (c *Counts) numbers() [fields]*uint64 {
	return [fields]*uint64{
		&c.Messages, &c.Pass, &c.Fail, &c.Tagged, &c.Held, &c.Deferred, &c.Refused,
		&c.WouldTag, &c.WouldHold, &c.WouldDefer, &c.WouldRefuse, &c.PassRefused, &c.FailDKIM, &c.FailSPF,
	}
}

const fields = 14

// Add adds what o counts.
func (c *Counts) Add(o *Counts) {
	to, from := c.numbers(), o.numbers()
	for i := range to {
		*to[i] += *from[i]
	}
	if !o.First.IsZero() && (c.First.IsZero() || o.First.Before(c.First)) {
		c.First = o.First
	}
	if o.Last.After(c.Last) {
		c.Last = o.Last
	}
}

// countsOf are those of one message.
func countsOf(e *journal.Entry) Counts {
	ev, v := &e.Record.Evidence, &e.Record.Verdict
	at := ev.Time.UTC().Truncate(time.Second)
	c := Counts{Messages: 1, First: at, Last: at}
	if d := policy.Decisive(ev, v); d != nil {
		switch d.Result {
		case evidence.Pass:
			c.Pass = 1
		case evidence.Fail:
			c.Fail = 1
			c.FailDKIM, c.FailSPF = one(passesDKIM(ev)), one(passesSPF(ev))
		}
	}
	switch v.Delivery {
	case policy.DeliverTag:
		c.Tagged = 1
	case policy.DeliverHold:
		c.Held = 1
	case policy.DeliverDefer:
		c.Deferred = 1
	case policy.Refuse:
		c.Refused, c.PassRefused = 1, c.Pass
	}
	if v.Monitor.Delivery != v.Delivery {
		switch v.Monitor.Delivery {
		case policy.DeliverTag:
			c.WouldTag = 1
		case policy.DeliverHold:
			c.WouldHold = 1
		case policy.DeliverDefer:
			c.WouldDefer = 1
		case policy.Refuse:
			c.WouldRefuse = 1
		}
	}
	return c
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
