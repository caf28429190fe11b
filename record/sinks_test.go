package record

import "testing"

// counting is a Sink that notes what it takes.
type counting struct{ took []*Record }

func (c *counting) Take(r *Record) { c.took = append(c.took, r) }

func TestSinksHandEachRecordOn(t *testing.T) {
	var a, b counting
	r := new(Record)
	Sinks{&a, &b}.Take(r)
	for _, c := range []counting{a, b} {
		if len(c.took) != 1 || c.took[0] != r {
			t.Errorf("got %v", c.took)
		}
	}
}
