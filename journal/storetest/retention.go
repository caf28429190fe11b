package storetest

import (
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
)

// filled has ten records of each of the days before noon.
func filled(t *testing.T, p Place, days ...int) {
	t.Helper()
	s := p.Open(t, 0, 0)
	for i, back := range days {
		Take(t, s, spool.ID{1}, Batch(1+10*i, 10, Noon.AddDate(0, 0, -back)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func tidy(t *testing.T, p Place, keep time.Duration, maxSize int64, now time.Time) {
	t.Helper()
	if err := p.Open(t, keep, maxSize).Tidy(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

func age(t *testing.T, p Place) {
	filled(t, p, 5, 3, 2, 1, 0)
	tidy(t, p, 48*time.Hour, 0, Noon)
	if got := Tokens(t, p, journal.Query{}); len(got) != 30 || got[29] != "t21" {
		t.Errorf("got %v", got)
	}
	Take(t, p.Open(t, 0, 0), spool.ID{1}, Batch(1, 50, Noon)) // what is gone is not taken again
	if got := Tokens(t, p, journal.Query{}); len(got) != 30 {
		t.Errorf("got %v", got)
	}
}

func size(t *testing.T, p Place) {
	filled(t, p, 2, 1, 0)
	tidy(t, p, 0, 1, Noon)
	if got := Tokens(t, p, journal.Query{}); len(got) != 10 || got[9] != "t21" {
		t.Errorf("got %v", got)
	}
}

func clock(t *testing.T, p Place) {
	filled(t, p, 2, 1, 0)
	tidy(t, p, 48*time.Hour, 0, Noon.AddDate(1, 0, 0))
	if got := Tokens(t, p, journal.Query{}); len(got) != 30 {
		t.Errorf("got %v", got)
	}
}

// A clock that is wrong at the start is so for the first record, too.
func vouches(t *testing.T, p Place) {
	filled(t, p, 9, 8)
	s := p.Open(t, 48*time.Hour, 0)
	Take(t, s, spool.ID{1}, Batch(100, 10, Noon))
	if err := s.Tidy(t.Context(), Noon); err != nil {
		t.Fatal(err)
	}
	if got := Tokens(t, p, journal.Query{}); len(got) != 30 {
		t.Errorf("got %v", got)
	}
}
