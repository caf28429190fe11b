package logging

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reader takes what is written while it is not held up.
type reader struct {
	hold chan struct{} // holds a token while it is held up
	text strings.Builder
}

func newReader() *reader { return &reader{hold: make(chan struct{}, 1)} }

func (r *reader) Write(p []byte) (int, error) {
	r.hold <- struct{}{}
	defer func() { <-r.hold }()
	return r.text.Write(p)
}

func missing(n int) entry { return entry{line: fmt.Appendf(nil, "%d missing\n", n)} }

func failed(p any, _ []byte) entry { return entry{line: fmt.Appendf(nil, "%v\n", p)} }

func lines(w io.Writer) *Backlog {
	return newBacklog((&lineWriter{w: w}).write, linesTogether, missing, failed)
}

func (b *Backlog) line(text string) { b.put(entry{line: []byte(text)}) }

func TestLinesAreWrittenInOrderAndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		b := lines(r)
		var want string
		for i := range 100 {
			line := fmt.Sprintf("line %d\n", i)
			want += line
			b.line(line)
			if i%10 > 0 { // some come together
				continue
			}
			if i > 0 {
				time.Sleep(pause)
			}
			if synctest.Wait(); r.text.String() != want {
				t.Errorf("line %d waits: %q", i, r.text.String())
			}
		}
		if b.Close(); r.text.String() != want {
			t.Errorf("at the end %q", r.text.String())
		}
	})
}

func TestLinesThatNobodyReadsAreBoundedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		b := lines(r)
		line := strings.Repeat("x", 100) + "\n"
		r.hold <- struct{}{}
		b.line("first\n")
		synctest.Wait()
		for range 3 * maxBacklog {
			b.line(line)
		}
		b.line("short\n") // it would fit, but in the wrong place
		<-r.hold
		time.Sleep(pause)
		synctest.Wait()
		b.line("then\n")
		b.Close()
		want := "first\n" + strings.Repeat(line, maxBacklog) + fmt.Sprintf("%d missing\nthen\n", 2*maxBacklog+1)
		if got := r.text.String(); got != want {
			t.Errorf("got %d octets that end with %q, want %d", len(got), got[max(0, len(got)-60):], len(want))
		}
		if got := b.Lost(); got != 2*maxBacklog+1 {
			t.Errorf("%d are counted", got)
		}
	})
}

func TestTheEndDoesNotWaitForAReaderThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		b := lines(r)
		r.hold <- struct{}{}
		b.line("line\n")
		start := time.Now()
		if b.Close(); time.Since(start) != flushTime {
			t.Errorf("it took %s", time.Since(start))
		}
		<-r.hold
	})
}

// disk has room for some octets.
type disk struct {
	room int
	text strings.Builder
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	d.text.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left")
	}
	return n, nil
}

func TestWhatAFullDiskDoesNotTakeIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 10}
		b := lines(d)
		write := func(text string) {
			b.line(text)
			time.Sleep(pause)
			synctest.Wait()
		}
		write("line 0\n")
		write("line 1\n") // cut off
		write("line 2\n")
		write("line 3\n")
		d.room = 1000
		write("line 4\n")
		write("line 5\n")
		b.Close()
		if want := "line 0\nlin\n4 missing\nline 5\n"; d.text.String() != want {
			t.Errorf("got %q, want %q", d.text.String(), want)
		}
		if got := b.Lost(); got != 4 {
			t.Errorf("%d are counted", got)
		}
	})
}

// While many come, one write takes them all: the reader is called once in a pause.
func TestABusyServerWritesManyLinesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		var text strings.Builder
		b := lines(writerFunc(func(p []byte) (int, error) {
			writes++
			return text.Write(p)
		}))
		var want string
		for i := range 1000 {
			line := fmt.Sprintf("line %d\n", i)
			want += line
			b.line(line)
			time.Sleep(pause / 20)
		}
		b.Close()
		if text.String() != want {
			t.Errorf("%d octets, want %d", text.Len(), len(want))
		}
		if writes > 60 {
			t.Errorf("%d writes", writes)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Of lines that were written together those that the disk took whole are not lost.
func TestOfLinesTogetherThoseThatFitAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 17}
		b := lines(d)
		for _, line := range []string{"line 0\n", "line 1\n", "line 2\n", "line 3\n"} {
			b.line(line)
		}
		time.Sleep(pause)
		synctest.Wait()
		d.room = 1000
		b.line("line 4\n") // before the gap was told
		time.Sleep(pause)
		b.line("line 5\n")
		b.Close()
		if want := "line 0\nline 1\nlin\n3 missing\nline 5\n"; d.text.String() != want {
			t.Errorf("got %q, want %q", d.text.String(), want)
		}
	})
}

// A panic while a line is written costs that one, and the log goes on.
func TestAPanicCostsTheLineUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		writer := &lineWriter{w: r}
		left := 1
		b := newBacklog(func(entries []entry) int {
			if left--; left == 0 {
				panic("boom")
			}
			return writer.write(entries)
		}, 1, missing, failed)
		b.line("first\n")
		synctest.Wait()
		b.line("second\n")
		b.Close()
		if got, want := r.text.String(), "boom\n1 missing\nsecond\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
