package state

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"alignd/journal/spool"
)

// Told is what the daemon of a host told of itself last. What is in it is the daemon's to
// say; who reads it passes over what it does not know.
type Told struct {
	Spool spool.ID // of the host
	At    time.Time
	Data  []byte
}

const (
	// maxTold bounds what a daemon tells, in octets; ours.
	maxTold = 64 << 10
	// keepTold is how long a host that tells no more is remembered; ours.
	keepTold = 30 * 24 * time.Hour
	// maxHosts is how many hosts are shown; ours.
	maxHosts = 1000
)

// Tell keeps what the daemon of a host tells of itself in place of what it told before.
func (s *State) Tell(ctx context.Context, t *Told) error {
	if len(t.Data) > maxTold {
		return errors.New("a daemon tells too much of itself")
	}
	_, err := s.exec(ctx, s.db, "INSERT INTO state_daemons VALUES (?, ?, ?) ON CONFLICT (spool) DO UPDATE SET at = excluded.at, told = excluded.told",
		t.Spool[:], t.At.Unix(), t.Data)
	if err == nil {
		_, err = s.exec(ctx, s.db, "DELETE FROM state_daemons WHERE at < ?", t.At.Add(-keepTold).Unix())
	}
	return err
}

// Daemons are what those of all hosts told last, the newest first.
func (s *State) Daemons(ctx context.Context) (list []Told, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var t Told
		var id []byte
		var at int64
		err := r.Scan(&id, &at, &t.Data)
		copy(t.Spool[:], id)
		t.At = time.Unix(at, 0).UTC()
		list = append(list, t)
		return err
	}, "SELECT spool, at, told FROM state_daemons ORDER BY at DESC, spool LIMIT ?", maxHosts)
}
