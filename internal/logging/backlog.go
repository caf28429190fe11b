package logging

import (
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sdjournal "github.com/coreos/go-systemd/v22/journal"
)

const (
	// maxBacklog is how many entries wait for a reader that has stopped to read.
	// Further ones are dropped and counted.
	maxBacklog = 2048
	// pause lies between two looks at what waits: what comes meanwhile goes together. So
	// a busy server does not wake a goroutine for each line.
	pause = time.Millisecond
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

// writer hands some entries on together, and returns how many were lost. One goroutine
// calls it.
type writer func([]entry) (lost int)

// Backlog hands the entries of the log on from a goroutine of its own, as a pipe
// or a socket that nobody reads blocks whoever writes to it: mail must not wait
// for that, nor the end of the process. Where entries are missing it is told how
// many. Its methods are safe for concurrent use.
type Backlog struct {
	write    writer
	together int                             // how many entries write takes at most
	notice   func(lost int) entry            // says so
	fault    func(p any, stack []byte) entry // tells of a panic in the above
	mu       sync.Mutex
	waiting  []entry
	lost     int           // since the last that was written or told
	total    atomic.Int64  // lost since the start, told or not
	wake     chan struct{} // holds a token when there is something to do
	end      chan struct{}
	ended    chan struct{}
}

func newBacklog(write writer, together int, notice func(lost int) entry, fault func(any, []byte) entry) *Backlog {
	b := &Backlog{write: write, together: together, notice: notice, fault: fault,
		wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	go b.run()
	return b
}

// put takes one entry. After a lost one the others are lost too, until it was told
// how many: so the place of the gap is right.
func (b *Backlog) put(e entry) {
	b.mu.Lock()
	if b.lost == 0 && len(b.waiting) < maxBacklog {
		b.waiting = append(b.waiting, e)
	} else {
		b.lost++
		b.total.Add(1)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Backlog) lose(n int) {
	b.mu.Lock()
	b.lost += n
	b.mu.Unlock()
	b.total.Add(int64(n))
}

// Lost is how many entries were lost since the start.
func (b *Backlog) Lost() int64 { return b.total.Load() }

// run hands entries on until Close, and then those that wait.
func (b *Backlog) run() {
	defer close(b.ended)
	var spare []entry
	for {
		select {
		case <-b.wake:
			spare = b.flush(spare)
		case <-b.end:
			b.flush(spare)
			return
		}
		select {
		case <-time.After(pause):
		case <-b.end:
		}
	}
}

// flush hands on what waits, and then says what is missing. It returns room for the
// next entries. A panic costs those under way at most.
func (b *Backlog) flush(spare []entry) (room []entry) {
	var underWay []entry
	defer func() {
		if p := recover(); p != nil {
			b.failed(p)
			b.lose(len(underWay))
		}
	}()
	underWay = b.take(spare)
	b.hand(underWay)
	clear(underWay)
	room, underWay = underWay[:0], nil
	if b.missing() > 0 {
		underWay = b.take(nil) // what still came before the gap, and the word about a panic
		b.hand(underWay)
		underWay = nil
		b.tell()
	}
	return room
}

// take is what waits. From now on entries wait in spare.
func (b *Backlog) take(spare []entry) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.waiting
	b.waiting = spare
	return taken
}

func (b *Backlog) missing() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

func (b *Backlog) hand(entries []entry) {
	for some := range slices.Chunk(entries, b.together) {
		b.handSome(some)
	}
}

// handSome hands some on. A panic costs them: mail goes on without them.
func (b *Backlog) handSome(some []entry) {
	defer func() {
		if p := recover(); p != nil {
			b.failed(p)
			b.lose(len(some))
		}
	}()
	if n := b.write(some); n > 0 {
		b.lose(n)
	}
}

// tell says what was lost, once all that came before it is written.
func (b *Backlog) tell() {
	defer func() {
		if p := recover(); p != nil {
			b.failed(p)
		}
	}()
	n := b.missing()
	if b.write([]entry{b.notice(n)}) == 0 {
		b.mu.Lock()
		b.lost -= n
		b.mu.Unlock()
	}
}

// failed tells of a panic where nothing else is missing: where something is, it would
// be lost, too.
func (b *Backlog) failed(p any) {
	if b.missing() == 0 {
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

// linesTogether is how many lines are one write. The number is ours; a message's line
// has some 1.3 KiB.
const linesTogether = 64

// lineWriter writes the lines of entries to w, all in one write.
type lineWriter struct {
	w    io.Writer
	text []byte
	torn bool // the line before was cut off, as on a full disk
}

func (l *lineWriter) write(entries []entry) (lost int) {
	l.text = l.text[:0]
	if l.torn {
		l.text = append(l.text, '\n')
	}
	at := len(l.text)
	for i := range entries {
		l.text = append(l.text, entries[i].line...)
	}
	n, err := l.w.Write(l.text)
	if err == nil {
		l.torn = false
		return 0
	}
	if n > 0 {
		l.torn = l.text[n-1] != '\n'
	}
	for i := range entries {
		if at += len(entries[i].line); at > n {
			return len(entries) - i
		}
	}
	return 0
}
