package journal

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"alignd/journal/spool"
)

// tidied is a shelf that has its turn, behind what it took, do something.
type tidied struct {
	shelf
	turn func(n int)
	n    int // turns
}

func (s *tidied) Tidy(context.Context, time.Time) error {
	if s.count() > 0 {
		s.n++
		s.turn(s.n)
	}
	return nil
}

// What comes first in the spool is taken again in each pass, also where the pass fails
// behind it: that is no recovery, and the next pass is to wait longer.
func TestReadingThatFailsBehindTheFirstRecordsHasNotRecovered(t *testing.T) {
	dir := t.TempDir()
	open := func() *spool.Spool {
		sp, err := spool.Open(spool.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return sp
	}
	before := open() // the answer is known from the begin
	NewSink(before).Take(message("first"))(true)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	sp := open()
	var said syncBuffer
	var l *Loader
	began := make(chan struct{})
	s := &tidied{shelf: shelf{have: map[spool.ID]spool.Number{}}, turn: func(n int) {
		<-began // l is set
		switch {
		case n == 1:
			panic("behind what was taken")
		case n == 2 && (l.Status().Err == nil || l.reading.wait <= loadEvery || strings.Contains(said.String(), "again")):
			t.Errorf("status %+v, the next wait %v, said %s", l.Status(), l.reading.wait, said.String())
		}
	}}
	l = NewLoader(sp, dir, slog.New(slog.NewTextHandler(&said, nil)), s)
	close(began)
	for start := time.Now(); !strings.Contains(said.String(), "takes records again"); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%+v, said %s", l.Status(), said.String())
		}
	}
	if err := sp.Close(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if st := l.Status(); st.Err != nil || !st.Since.IsZero() || l.reading.fails() || s.n < 2 {
		t.Errorf("status %+v, the next wait %v, %d turns", st, l.reading.wait, s.n)
	}
	if strings.Count(said.String(), "is not read on") != 1 || strings.Count(said.String(), "takes records again") != 1 {
		t.Errorf("said %s", said.String())
	}
}
