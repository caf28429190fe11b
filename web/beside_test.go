package web

import (
	"fmt"
	"testing"
	"time"
)

// What the journal has of a source is remembered for a minute, and of so many.
func TestBesideIsRememberedForAMinute(t *testing.T) {
	c, now := besideCache{}, time.Unix(1_800_000_000, 0)
	c.keep(besideKey{author: "a.example"}, "", now)
	c.keep(besideKey{author: "b.example"}, "esp.example", now)
	if of, ok := c.find(besideKey{author: "b.example"}, now.Add(besideAge-time.Second)); !ok || of != "esp.example" {
		t.Errorf("%q, %v", of, ok)
	}
	if of, ok := c.find(besideKey{author: "a.example"}, now); !ok || of != "" {
		t.Errorf("nothing: %q, %v", of, ok)
	}
	if _, ok := c.find(besideKey{author: "a.example", since: 1}, now); ok {
		t.Error("of another day")
	}
	if _, ok := c.find(besideKey{author: "b.example"}, now.Add(besideAge)); ok {
		t.Error("after a minute")
	}
	for i := range 3 * besideMost {
		c.keep(besideKey{author: fmt.Sprint(i)}, "", now)
	}
	if len(c.list) > besideMost {
		t.Errorf("%d are remembered", len(c.list))
	}
}
