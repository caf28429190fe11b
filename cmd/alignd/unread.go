package main

import (
	"fmt"
	"io"
	"sync"
)

// unread tells what cannot be read of a journal, and counts it. Who reads its files and
// who unpacks what they hold may tell at the same time.
type unread struct {
	mu   sync.Mutex
	out  io.Writer
	most int // of those that are told one by one; 0 is all
	n    int
}

func (u *unread) tell(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n++; u.most > 0 && u.n > u.most {
		return
	}
	fmt.Fprintf(u.out, "alignd: the journal is read in part: %s\n", printable(err.Error()))
}

// fault is the error of a command that read the journal in part.
func (u *unread) fault(parts string) error {
	if u.n == 0 {
		return nil
	}
	return failure{fmt.Errorf("%s of the journal that cannot be read: %d", parts, u.n)}
}
