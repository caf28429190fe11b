package journal

import (
	"fmt"
	"io"
	"slices"
	"time"

	"alignd/internal/owned"
	"alignd/journal/spool"
	"alignd/record"
)

// batch gathers records until their answers are known.
type batch struct {
	loader *Loader
	from   spool.ID
	held   []held       // in the order of their numbers
	octets []byte       // of their records
	passed spool.Number // of the last frame read
	known  spool.Number // the answer to each record below is known
	since  time.Time    // when held began to wait
	full   bool         // there may be more to read
	gave   bool         // a record went to the stores

	decoder record.Decoder
	read    []Raw // what decode returned
}

// held is an entry whose record is octets[from:to] of its batch.
type held struct {
	number   spool.Number
	answer   Answer
	from, to int
}

// enough reports whether a batch is to be taken before more is read.
func (b *batch) enough() bool {
	fewer := b.loader.fewer
	return len(b.held) >= maxHeld-fewer || len(b.octets) >= maxOctets-fewer*usualSize
}

// fill reads frames until there are none, or enough.
func (b *batch) fill(r *spool.Reader) error {
	b.full = true
	for !b.enough() {
		f, err := r.Next()
		if err == io.EOF {
			b.full = false
			return nil
		}
		if err != nil {
			return err
		}
		b.frame(&f)
	}
	return nil
}

func (b *batch) frame(f *spool.Frame) {
	switch f.Kind {
	case spool.KindStart: // whatever was in flight in the run before
		for i := range b.held {
			if b.held[i].number >= b.known {
				b.held[i].answer = AnswerUnknown
			}
		}
	case spool.KindLost:
		for i := range b.held {
			if b.held[i].number == f.Lost() {
				b.held[i].answer = AnswerLost
			}
		}
	case spool.KindRecord:
		from := len(b.octets)
		b.octets = append(b.octets, f.Payload...)
		b.held = append(b.held, held{number: f.Number, from: from, to: len(b.octets)})
	}
	b.passed, b.known = f.Number, max(b.known, f.Answered)
}

// take hands on the records whose answer is known; of the last run, when all is over,
// also the others.
func (b *batch) take(all bool) {
	n := len(b.held)
	for i := range b.held {
		if b.held[i].number >= b.known && b.held[i].answer != AnswerUnknown {
			n = i
			break
		}
	}
	switch {
	case n > 0 || len(b.held) == 0:
		b.since = time.Now()
	case b.enough() || all && !b.full || time.Since(b.since) > heldMost:
		n = len(b.held)
		for i := range b.held {
			b.held[i].answer = AnswerUnknown
		}
	}
	if n > 0 {
		for part := range slices.Chunk(b.held[:n], maxBatch-b.loader.fewer) {
			if list := b.decode(part); len(list) > 0 {
				b.hand(list)
			}
		}
		b.drop(n)
	}
	b.passOn()
}

// drop lets go of the first n.
func (b *batch) drop(n int) {
	end := b.held[n-1].to
	b.octets = append(b.octets[:0], b.octets[end:]...)
	b.held = append(b.held[:0], b.held[n:]...)
	for i := range b.held {
		b.held[i].from -= end
		b.held[i].to -= end
	}
}

// decode reads the records of a list, and leaves out those that it cannot read. They are
// good until the next call.
func (b *batch) decode(list []held) []Raw {
	b.decoder.Reset()
	b.read = b.read[:0]
	for _, h := range list {
		encoded := b.octets[h.from:h.to]
		rec, err := b.another(encoded)
		if err != nil {
			b.loader.unreadable(h.number, err)
			continue
		}
		b.read = append(b.read, Raw{Entry: Entry{Number: h.number, Answer: h.answer, Record: rec}, Encoded: encoded})
	}
	return b.read
}

// another reads a record. One that has us panic is as one that cannot be read.
func (b *batch) another(encoded []byte) (rec *record.Record, err error) {
	err = owned.Tried(b.loader.log, "reading a record of the spool", func() (err error) {
		rec, err = b.decoder.Another(encoded)
		return err
	})
	return rec, err
}

// hand gives records to each store that works. One that fails gets no more of this pass.
func (b *batch) hand(list []Raw) {
	l := b.loader
	b.gave = true
	for _, f := range l.feeds {
		if f.away() {
			continue
		}
		f.handed = list[len(list)-1].Number
		if err := l.give(f, b.from, list); err != nil {
			l.failed(f, fmt.Errorf("store of %s: %w", f.name, err))
			continue
		}
		l.works(f)
	}
}

// loaded counts what the first store took, but not again what it had.
func (l *Loader) loaded(list []Raw) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range list {
		if n := list[i].Number; n > l.most {
			l.most = n
			l.status.Loaded++
		}
	}
	l.status.Last = time.Now()
}

// passOn tells the spool what all stores have on disk. As long as no record was met since
// the begin of the spool, a store that gathers has gathered nothing of it. Of another spool
// that lies in its place they have other numbers.
func (b *batch) passOn() {
	if b.from != b.loader.spool.ID() {
		return
	}
	taken := b.passed
	if len(b.held) > 0 {
		taken = b.held[0].number - 1
	}
	for i, f := range b.loader.feeds {
		if f.away() {
			return
		}
		if i == 0 {
			b.loader.spool.TakenByFirst(taken)
		}
		if g, gathers := f.store.(Gatherer); gathers && b.gave {
			taken = g.Kept(taken)
		}
	}
	b.loader.spool.Taken(taken)
}
