package web

import (
	"fmt"
	"testing"
	"time"
)

// What the journal has of a source is remembered for a minute, and of so many.
func TestSourcesAreRememberedForAMinute(t *testing.T) {
	c, now := sourceCache{}, time.Unix(1_800_000_000, 0)
	c.keep(sourceKey{author: "a.example"}, "", now)
	c.keep(sourceKey{author: "b.example"}, "esp.example", now)
	if of, ok := c.find(sourceKey{author: "b.example"}, now.Add(sourceAge-time.Second)); !ok || of != "esp.example" {
		t.Errorf("%q, %v", of, ok)
	}
	if of, ok := c.find(sourceKey{author: "a.example"}, now); !ok || of != "" {
		t.Errorf("nothing: %q, %v", of, ok)
	}
	if _, ok := c.find(sourceKey{author: "a.example", since: 1}, now); ok {
		t.Error("of another day")
	}
	if _, ok := c.find(sourceKey{author: "b.example"}, now.Add(sourceAge)); ok {
		t.Error("after a minute")
	}
	for i := range 3 * sourcesMost {
		c.keep(sourceKey{author: fmt.Sprint(i)}, "", now)
	}
	if len(c.list) > sourcesMost {
		t.Errorf("%d are remembered", len(c.list))
	}
}
