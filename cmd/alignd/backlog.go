package main

import (
	"io"
	"sync"
	"time"
)

const (
	// maxBacklog is how many octets of lines wait for a reader that has stopped to
	// read: some 2,500 messages. Further lines are dropped and counted.
	maxBacklog = 1 << 20
	// gather is how long lines wait after a write, to be written together. On a
	// busy server that is 2 % of the CPU of a message; on an idle one no line waits.
	// It is also what the log of a busy server may lack after kill -9.
	gather = 5 * time.Millisecond
	// flushTime is how long the end of the process waits for the reader.
	flushTime = time.Second
)

// backlog writes the lines of the log from a goroutine of its own, as a pipe or a
// socket that nobody reads blocks whoever writes to it: mail must not wait for
// that, nor the end of the process. Where lines are missing it is told how many.
// Safe for concurrent use.
type backlog struct {
	w      io.Writer
	notice func(lost int) []byte // a line that says so
	wake   chan struct{}         // holds a token when there are lines
	end    chan struct{}
	ended  chan struct{}

	mu    sync.Mutex
	lines []byte
	lost  int // lines
}

func newBacklog(w io.Writer, notice func(lost int) []byte) *backlog {
	b := &backlog{w: w, notice: notice, wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// Write takes one line. Dropping it is no error.
func (b *backlog) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost > 0 || len(b.lines)+len(line) > maxBacklog {
		b.lost++
		return len(line), nil
	}
	b.lines = append(b.lines, line...)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// run writes until Close. An error of the writer has no place left to be told.
func (b *backlog) run() {
	defer close(b.ended)
	var spare []byte
	var last time.Time
	for more := true; more; {
		select {
		case <-b.wake:
			more = b.pause(gather - time.Since(last))
		case <-b.end:
			more = false
		}
		lines := b.swap(spare)
		_, _ = b.w.Write(lines)
		spare, last = lines[:0], time.Now()
	}
}

// pause is false when the end comes first.
func (b *backlog) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-b.end:
		return false
	case <-time.After(d):
		return true
	}
}

// swap returns the lines and leaves memory for the next ones.
func (b *backlog) swap(spare []byte) []byte {
	if cap(spare) > 64<<10 { // of a stalled reader
		spare = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.wake: // for lines that came since
	default:
	}
	lines := b.lines
	if b.lost > 0 {
		lines = append(lines, b.notice(b.lost)...)
		b.lost = 0
	}
	b.lines = spare
	return lines
}

// Close returns when all lines are written, or the reader has not read for
// flushTime. Lines that come later are lost.
func (b *backlog) Close() {
	close(b.end)
	select {
	case <-b.ended:
	case <-time.After(flushTime):
	}
}
