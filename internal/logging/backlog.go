package logging

import (
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

// Backlog hands the entries of the log on from a goroutine of its own, as a pipe
// or a socket that nobody reads blocks whoever writes to it: mail must not wait
// for that, nor the end of the process. Where entries are missing it is told how
// many. Its methods are safe for concurrent use.
type Backlog struct {
	// write hands an entry on, and is false where it was lost. One goroutine calls it.
	write   func(entry) bool
	notice  func(lost int) entry            // says so
	fault   func(p any, stack []byte) entry // tells of a panic in the above
	entries chan entry
	wake    chan struct{} // holds a token when entries were lost
	lost    atomic.Int64
	total   atomic.Int64 // lost since the start, told or not
	end     chan struct{}
	ended   chan struct{}
}

func newBacklog(write func(entry) bool, notice func(lost int) entry, fault func(any, []byte) entry) *Backlog {
	b := &Backlog{write: write, notice: notice, fault: fault, entries: make(chan entry, maxBacklog), wake: make(chan struct{}, 1),
		end: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// put takes one entry. After a lost one the others are lost too, until it was told
// how many: so the place of the gap is right.
func (b *Backlog) put(e entry) {
	if b.lost.Load() == 0 {
		select {
		case b.entries <- e:
			return
		default:
		}
	}
	b.lose(1)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Backlog) lose(n int64) {
	b.lost.Add(n)
	b.total.Add(n)
}

// Lost is how many entries were lost since the start.
func (b *Backlog) Lost() int64 { return b.total.Load() }

// run hands entries on until Close, and then those that wait.
func (b *Backlog) run() {
	defer close(b.ended)
	for {
		select {
		case e := <-b.entries:
			b.hand(e)
		case <-b.wake:
		case <-b.end:
			for len(b.entries) > 0 {
				b.hand(<-b.entries)
			}
			if b.lost.Load() > 0 {
				b.tell()
			}
			return
		}
		if len(b.entries) == 0 && b.lost.Load() > 0 {
			b.tell()
		}
	}
}

// hand hands one entry on. A panic costs that one: mail goes on without it.
func (b *Backlog) hand(e entry) {
	defer func() {
		if p := recover(); p != nil {
			b.failed(p)
			b.lose(1)
		}
	}()
	if !b.write(e) {
		b.lose(1)
	}
}

// tell says what was lost, once all that came before it is written.
func (b *Backlog) tell() {
	defer func() {
		if p := recover(); p != nil {
			b.failed(p)
		}
	}()
	n := b.lost.Load()
	if b.write(b.notice(int(n))) {
		b.lost.Add(-n)
	}
}

// failed tells of a panic where nothing else is missing: where something is, it would
// be lost, too.
func (b *Backlog) failed(p any) {
	if b.lost.Load() == 0 {
		b.put(b.fault(p, debug.Stack()))
	}
}

// Close returns when all entries are written, or the reader has not read for
// flushTime. Entries that come later are lost.
func (b *Backlog) Close() {
	close(b.end)
	select {
	case <-b.ended:
	case <-time.After(flushTime):
	}
}

// lineWriter writes the lines of entries to w, each in one write.
type lineWriter struct {
	w    io.Writer
	torn bool // the line before was cut off, as on a full disk
}

func (l *lineWriter) write(e entry) bool {
	line := e.line
	if l.torn {
		line = append([]byte("\n"), line...)
	}
	n, err := l.w.Write(line)
	if err == nil {
		l.torn = false
		return true
	}
	if n > 0 {
		l.torn = line[n-1] != '\n'
	}
	return n == len(line)
}
