package journal

import (
	"context"
	"time"

	"alignd/journal/spool"
)

// Survey is what a store says of itself.
type Survey struct {
	Version    int         // of its schema
	Parts      []Part      // oldest first
	Watermarks []Watermark // by spool: how far the store has taken each
	// Oldest and Newest are times of records, not exact to the record; zero without any.
	Oldest, Newest time.Time
}

// Part is a file or a partition of a store.
type Part struct {
	Name    string
	Day     string // 2006-01-02, UTC
	Sealed  bool   // nothing is added to it any more
	Records int64
	Octets  int64  // on disk, with what belongs to it
	Problem string // why it cannot be read; empty where it can
}

// Watermark says up to which number a store has a spool.
type Watermark struct {
	Spool  spool.ID
	Number spool.Number
}

// Surveyor is a Reader that knows what the store holds without reading all of it.
type Surveyor interface {
	Survey(ctx context.Context) (*Survey, error)
}

// Records is how many there are.
func (s *Survey) Records() (n int64) {
	for i := range s.Parts {
		n += s.Parts[i].Records
	}
	return n
}

// Octets is what all takes on disk.
func (s *Survey) Octets() (n int64) {
	for i := range s.Parts {
		n += s.Parts[i].Octets
	}
	return n
}

// Taken is up to which number the store has a spool; 0 is nothing of it.
func (s *Survey) Taken(id spool.ID) spool.Number {
	for _, w := range s.Watermarks {
		if w.Spool == id {
			return w.Number
		}
	}
	return 0
}
