package main

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
)

// What reads the files of a journal and what unpacks its blocks tell at the same time.
func TestWhatIsUnreadIsCountedFromManySides(t *testing.T) {
	const sides, each = 4, 500
	var told bytes.Buffer
	u := unread{out: &told, most: 10}
	var all sync.WaitGroup
	for range sides {
		all.Go(func() {
			for range each {
				u.tell(errors.New("damaged"))
			}
		})
	}
	all.Wait()
	if n := strings.Count(told.String(), "damaged\n"); u.n != sides*each || n != 10 {
		t.Errorf("%d are counted and %d told", u.n, n)
	}
}
