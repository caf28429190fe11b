package main

import (
	"bytes"
	"io"
	"slices"
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
	lost  int  // lines
	torn  bool // the last line written was cut off
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
	} else {
		b.lines = append(b.lines, line...)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// run writes until Close. What a writer does not take, as on a full disk, is lost.
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
		lines, told := b.swap(spare)
		if n, err := b.w.Write(lines); err != nil {
			b.failed(lines, n, told)
		}
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

// swap returns the lines and leaves memory for the next ones. told is how many
// lost lines they tell of, in the last one.
func (b *backlog) swap(spare []byte) (lines []byte, told int) {
	if cap(spare) > 64<<10 { // of a stalled reader
		spare = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.wake: // for lines that came since
	default:
	}
	lines = b.lines
	if b.lost > 0 {
		lines = append(lines, b.notice(b.lost)...)
		told, b.lost = b.lost, 0
	}
	if b.torn && len(lines) > 0 {
		lines, b.torn = slices.Insert(lines, 0, '\n'), false
	}
	b.lines = spare
	return lines, told
}

// failed notes that only n octets of lines were written.
func (b *backlog) failed(lines []byte, n, told int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost += bytes.Count(lines[n:], []byte("\n")) + told
	if told > 0 {
		b.lost-- // the line that would have told of them
	}
	switch {
	case n > 0:
		b.torn = lines[n-1] != '\n'
	case len(lines) > 0 && lines[0] == '\n': // the end of the line that is cut off
		b.torn = true
		b.lost--
	}
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
