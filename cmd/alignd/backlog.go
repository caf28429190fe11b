package main

import (
	"bytes"
	"io"
	"runtime/debug"
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
	notice  func(lost int) entry            // says so
	fault   func(p any, stack []byte) entry // tells of a panic in the above
	entries chan entry
	wake    chan struct{} // holds a token when entries were lost
	lost    atomic.Int64
	end     chan struct{}
	ended   chan struct{}
}

func newBacklog(write func([]entry) int, notice func(lost int) entry, fault func(any, []byte) entry) *backlog {
	b := &backlog{write: write, notice: notice, fault: fault, entries: make(chan entry, maxBacklog), wake: make(chan struct{}, 1),
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
	b.wakeUp()
}

func (b *backlog) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run hands entries on until Close.
func (b *backlog) run() {
	defer close(b.ended)
	r := round{batch: make([]entry, 0, 256)}
	for b.next(&r) {
	}
}

// round is what run keeps from one write to the next.
type round struct {
	batch []entry
	last  time.Time
}

// next hands on what has come, and is false when Close ends it. A panic costs the lines
// that were under way: mail goes on without them, and the log says so.
func (b *backlog) next(r *round) (more bool) {
	more = true
	defer func() {
		if p := recover(); p != nil {
			b.put(b.fault(p, debug.Stack()))
			b.lost.Add(int64(len(r.batch)))
			b.wakeUp()
		}
		r.batch = r.batch[:0]
	}()
	select {
	case e := <-b.entries:
		r.batch = append(r.batch, e)
		more = b.pause(gather - time.Since(r.last))
	case <-b.wake:
	case <-b.end:
		more = false
	}
	b.flush(r)
	r.last = time.Now()
	return more
}

// flush writes the batch of r and all that waits behind it, then says what was lost.
func (b *backlog) flush(r *round) {
	for {
		for len(r.batch) < cap(r.batch) {
			select {
			case e := <-b.entries:
				r.batch = append(r.batch, e)
				continue
			default:
			}
			break
		}
		if len(r.batch) == 0 {
			break
		}
		b.lost.Add(int64(b.write(r.batch)))
		clear(r.batch)
		r.batch = r.batch[:0]
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
