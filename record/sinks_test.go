package record

import "testing"

// counting is a Sink that notes what it takes, and what it hears of the replies.
type counting struct {
	deaf bool
	took []*Record
	sent []bool
}

func (c *counting) Take(r *Record) func(bool) {
	c.took = append(c.took, r)
	if c.deaf {
		return nil
	}
	return func(written bool) { c.sent = append(c.sent, written) }
}

func TestSinksHandEachRecordOn(t *testing.T) {
	a, b, c := counting{}, counting{deaf: true}, counting{}
	r := new(Record)
	Sinks{&a, &b, &c}.Take(r)(false)
	for _, s := range []counting{a, b, c} {
		if len(s.took) != 1 || s.took[0] != r {
			t.Errorf("got %v", s.took)
		}
		if !s.deaf && (len(s.sent) != 1 || s.sent[0]) {
			t.Errorf("heard %v of a reply that was not written", s.sent)
		}
	}
	if sent := (Sinks{&b}).Take(r); sent != nil {
		t.Error("nobody wants to hear of the reply")
	}
}
