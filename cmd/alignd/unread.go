package main

import (
	"fmt"
	"io"
)

// unread tells what cannot be read of a journal, and counts it.
type unread struct {
	out  io.Writer
	most int // of those that are told one by one; 0 is all
	n    int
}

func (u *unread) tell(err error) {
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
