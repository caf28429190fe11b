package state

import (
	"context"
	"database/sql"
	"time"
)

// Stop is a stage of a rollout that was stopped. It holds over restarts and on all hosts
// until its entry has another fingerprint or Resume was called.
type Stop struct {
	ID          string // of the entry or stage
	At          time.Time
	Reason      string
	Fingerprint []byte // of the entry as it was
	// Resumed is when an admin said to go on; zero while the stop holds. What counted
	// before says nothing against the stage any more.
	Resumed time.Time
}

// Stops are all of them, by their ids.
func (s *State) Stops(ctx context.Context) (list []Stop, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var x Stop
		var at, resumed int64
		err := r.Scan(&x.ID, &at, &x.Reason, &x.Fingerprint, &resumed)
		x.At = time.Unix(at, 0).UTC()
		if resumed != 0 {
			x.Resumed = time.Unix(resumed, 0).UTC()
		}
		list = append(list, x)
		return err
	}, "SELECT id, at, reason, fingerprint, resumed FROM state_stops ORDER BY id")
}

// SetStop keeps a stop in place of an earlier one of its id.
func (s *State) SetStop(ctx context.Context, x Stop) error {
	resumed := int64(0)
	if !x.Resumed.IsZero() {
		resumed = x.Resumed.Unix()
	}
	_, err := s.exec(ctx, s.db, `INSERT INTO state_stops VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
		SET at = excluded.at, reason = excluded.reason, fingerprint = excluded.fingerprint, resumed = excluded.resumed`,
		x.ID, x.At.Unix(), x.Reason, append([]byte{}, x.Fingerprint...), resumed)
	return err
}

// Resume ends a stop. It returns ErrUnknown where none holds.
func (s *State) Resume(ctx context.Context, id string, at time.Time) error {
	n, err := s.exec(ctx, s.db, "UPDATE state_stops SET resumed = ? WHERE id = ? AND resumed = 0", at.Unix(), id)
	if err == nil && n == 0 {
		err = ErrUnknown
	}
	return err
}
