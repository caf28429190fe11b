package main

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	sdjournal "github.com/coreos/go-systemd/v22/journal"
)

const (
	// maxBacklog is how many entries wait for a reader that has stopped to read.
	// Further ones are dropped and counted.
	maxBacklog = 2048
	// gather is how long entries wait after a write, to be written together, as
	// that saves CPU on a busy server; on an idle one none waits. It is also what
	// the log of a busy server may lack after kill -9.
	gather = 5 * time.Millisecond
	// flushTime is how long the end of the process waits for the reader.
	flushTime = time.Second
)

// entry is one record of the log, rendered.
type entry struct {
	line []byte // with its LF
	// priority and fields are for the journal's own protocol.
	priority sdjournal.Priority
	fields   map[string]string
}

// backlog hands the entries of the log on from a goroutine of its own, as a pipe
// or a socket that nobody reads blocks whoever writes to it: mail must not wait
// for that, nor the end of the process. Where entries are missing it is told how
// many. Its methods are safe for concurrent use.
type backlog struct {
	// write hands entries on, in order, and returns how many of them were lost.
	// One goroutine calls it.
	write   func([]entry) (lost int)
	notice  func(lost int) entry // says so
	entries chan entry
	wake    chan struct{} // holds a token when entries were lost
	lost    atomic.Int64
	end     chan struct{}
	ended   chan struct{}
}

func newBacklog(write func([]entry) int, notice func(lost int) entry) *backlog {
	b := &backlog{write: write, notice: notice, entries: make(chan entry, maxBacklog), wake: make(chan struct{}, 1),
		end: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// put takes one entry. After a lost one the others are lost too, until it was told
// how many: so the place of the gap is right.
func (b *backlog) put(e entry) {
	if b.lost.Load() == 0 {
		select {
		case b.entries <- e:
			return
		default:
		}
	}
	b.lost.Add(1)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run hands entries on until Close.
func (b *backlog) run() {
	defer close(b.ended)
	var last time.Time
	batch := make([]entry, 0, 256)
	for more := true; more; {
		batch = batch[:0]
		select {
		case e := <-b.entries:
			batch = append(batch, e)
			more = b.pause(gather - time.Since(last))
		case <-b.wake:
		case <-b.end:
			more = false
		}
		b.flush(batch)
		last = time.Now()
	}
}

// flush writes batch and all that waits behind it, then says what was lost.
func (b *backlog) flush(batch []entry) {
	for {
		for len(batch) < cap(batch) {
			select {
			case e := <-b.entries:
				batch = append(batch, e)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 {
			break
		}
		b.lost.Add(int64(b.write(batch)))
		clear(batch)
		batch = batch[:0]
	}
	if n := b.lost.Load(); n > 0 && b.write([]entry{b.notice(int(n))}) == 0 {
		b.lost.Add(-n)
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

// Close returns when all entries are written, or the reader has not read for
// flushTime. Entries that come later are lost.
func (b *backlog) Close() {
	close(b.end)
	select {
	case <-b.ended:
	case <-time.After(flushTime):
	}
}

// lineWriter writes the lines of entries to w, those of a batch in one write.
type lineWriter struct {
	w    io.Writer
	buf  []byte
	torn bool // the last line written was cut off, as on a full disk
}

func (l *lineWriter) write(batch []entry) (lost int) {
	l.buf = l.buf[:0]
	if l.torn {
		l.buf = append(l.buf, '\n')
	}
	for i := range batch {
		l.buf = append(l.buf, batch[i].line...)
	}
	n, err := l.w.Write(l.buf)
	if err == nil {
		l.torn = false
		return 0
	}
	lost = bytes.Count(l.buf[n:], []byte("\n"))
	switch {
	case n > 0:
		l.torn = l.buf[n-1] != '\n'
	case l.torn: // the LF that would have ended the line cut off
		lost--
	}
	return lost
}
