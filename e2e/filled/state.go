package filled

import (
	"context"
	"path/filepath"
	"time"

	"alignd/internal/made"
	"alignd/journal/spool"
	"alignd/journal/state"
)

// State counts the records that Journal makes, in the state beside the journal.
func State(ctx context.Context, path string, n int, days float64) error {
	s, err := state.OpenFile(ctx, filepath.Join(path, "state.db"), state.Options{})
	if err != nil {
		return err
	}
	end := time.Now().UTC()
	span := time.Duration(days * float64(24*time.Hour))
	world := made.World{Begin: end.Add(-span), Step: span / time.Duration(n)}
	for at := 0; at < n && err == nil; at += perBatch {
		err = s.Take(ctx, spool.ID{1}, batch(&world, at, min(n, at+perBatch)))
	}
	if err != nil {
		s.Close()
		return err
	}
	return s.Close()
}
