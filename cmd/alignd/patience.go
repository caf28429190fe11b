package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// patience is how long a question may take before a person is told why. The number is
// ours.
const patience = 2 * time.Second

// lockedWriter is for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Writer.Write(p)
}

// sayLater writes a line unless stop is called within that time.
func sayLater(w io.Writer, after time.Duration, line string) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-over:
		case <-time.After(after):
			fmt.Fprintln(w, line)
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}
