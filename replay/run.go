package replay

import (
	"fmt"
	"sync"
	"time"

	"alignd/record"
)

// RunOptions say what of a stream is judged, and what is told of it.
type RunOptions struct {
	Options
	Since, Until time.Time // Until is excluded; zero times are no bounds
	By           []Dimension
	Samples      int // messages that are told of each Flip and Cause
	// Workers judge side by side; below 1 it is one.
	Workers int
	// Progress hears, from one goroutine, of each batch: the time of its newest
	// message, and how many records were read so far. It may be nil.
	Progress func(newest time.Time, records uint64)
}

// Result is what a replay counted. It is the same for the same stream, however many
// workers there were.
type Result struct {
	Counters Counters
	// First and Last are the times of the oldest and the newest message.
	First, Last time.Time
	Flips       []Flip
	Unknown     []Unknown
	Groupings   []Grouping // one of each of RunOptions.By
	// Problem is what is wrong with the first record that could not be read; nil where
	// all were. Counters.Unreadable says how many there were.
	Problem error
}

// Batch is a number of records, still packed. Records unpacks them, in a worker, and
// hands the encoding of each to found, which does not keep it.
type Batch interface {
	Records(found func(encoded []byte)) error
}

// Run judges all records that feed adds, in the order in which it adds them. The memory
// it takes does not grow with their number. The error is that of feed.
func Run(o *RunOptions, feed func(add func(Batch)) error) (*Result, error) {
	workers := max(1, o.Workers)
	jobs, done := make(chan job, workers), make(chan job, workers)
	// A batch is read only when there is room for what it comes to, so that those that
	// wait for an earlier one are few.
	room := make(chan struct{}, 4*workers)
	var judging sync.WaitGroup
	for range workers {
		judging.Go(func() {
			w := worker{o: o}
			for j := range jobs {
				j.tally = w.judge(j.batch)
				j.batch = nil
				done <- j
			}
		})
	}
	var all *tally
	var reducing sync.WaitGroup
	reducing.Go(func() { all = reduce(o, done, room) })

	number := 0
	err := feed(func(b Batch) {
		room <- struct{}{}
		jobs <- job{number: number, batch: b}
		number++
	})
	close(jobs)
	judging.Wait()
	close(done)
	reducing.Wait()
	return all.result(), err
}

type job struct {
	number int
	batch  Batch
	tally  *tally
}

// reduce merges what batches come to, in their order.
func reduce(o *RunOptions, done <-chan job, room <-chan struct{}) *tally {
	all := newTally(o)
	waiting := map[int]*tally{}
	next := 0
	for j := range done {
		waiting[j.number] = j.tally
		for {
			t, ok := waiting[next]
			if !ok {
				break
			}
			all.merge(t)
			delete(waiting, next)
			next++
			<-room
			if o.Progress != nil {
				o.Progress(t.last, all.counters.Total+all.counters.NotCounted+all.counters.Unreadable)
			}
		}
	}
	return all
}

// worker judges batches, one after the other.
type worker struct {
	o      *RunOptions
	decode record.Decoder
}

func (w *worker) judge(b Batch) (t *tally) {
	t = newTally(w.o)
	defer t.panicked("a batch")
	if err := b.Records(func(encoded []byte) { w.one(t, encoded) }); err != nil {
		t.unreadable(err)
	}
	return t
}

// one judges a record. A fault of ours in it is told as one that cannot be read is: the
// others are judged, and nobody takes the numbers for whole.
func (w *worker) one(t *tally, encoded []byte) {
	defer t.panicked("a record")
	r, err := w.decode.Decode(encoded)
	if err != nil {
		t.unreadable(fmt.Errorf("a record: %w", err))
		return
	}
	if at := r.Evidence.Time; !w.o.Since.IsZero() && at.Before(w.o.Since) || !w.o.Until.IsZero() && !at.Before(w.o.Until) {
		return
	}
	j := w.o.Judge(r)
	t.add(&j, r)
}

// panicked is deferred: a panic counts as one that is unreadable.
func (t *tally) panicked(what string) {
	if p := recover(); p != nil {
		t.unreadable(fmt.Errorf("judging %s: panic: %v", what, p))
	}
}

func (t *tally) unreadable(err error) {
	t.counters.Unreadable++
	if t.problem == nil {
		t.problem = err
	}
}
