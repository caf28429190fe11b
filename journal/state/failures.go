package state

import (
	"context"
	"database/sql"
	"time"
)

// Failure is a failure report that is due at a time, and until then stands for further
// messages of its kind.
type Failure struct {
	Kind      [32]byte
	Domain    string // the Policy Domain
	Opened    time.Time
	Due       time.Time
	Incidents int64
	Data      []byte
	Own       bool // Domain is of this site; for HoldFailure
}

// FailurePrefix begins the ids of failure reports; those of aggregate reports are hex.
const FailurePrefix = "failure"

// maxFailures is how many are held at a time, half of them on domains of others; ours.
const maxFailures = 1000

const failureColumns = "kind, domain, opened, due, incidents, data"

// HoldFailure keeps a report until it is due. Where one of its kind is held already, its
// messages are added to that. It is not held where its domain has most of them, or all
// domains have too many.
func (s *State) HoldFailure(ctx context.Context, f *Failure, most int) (held bool, err error) {
	err = s.changeShared(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, "UPDATE state_failures SET incidents = incidents + ? WHERE kind = ?", f.Incidents, f.Kind[:])
		if held = n > 0; err != nil || held {
			return err
		}
		all, err := s.number(ctx, tx, "SELECT count(*) FROM state_failures")
		if err != nil {
			return err
		}
		same, err := s.number(ctx, tx, "SELECT count(*) FROM state_failures WHERE domain = ?", f.Domain)
		room := int64(maxFailures)
		if !f.Own {
			room /= 2
		}
		if err != nil || all >= room || same >= int64(most) {
			return err
		}
		n, err = s.exec(ctx, tx, "INSERT INTO state_failures ("+failureColumns+") VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			f.Kind[:], f.Domain, f.Opened.Unix(), f.Due.Unix(), f.Incidents, f.Data)
		held = n > 0
		return err
	})
	return held, err
}

// AddFailures adds messages to a report that is held. It returns false where none is.
func (s *State) AddFailures(ctx context.Context, kind [32]byte, messages int64) (bool, error) {
	n, err := s.exec(ctx, s.db, "UPDATE state_failures SET incidents = incidents + ? WHERE kind = ?", messages, kind[:])
	return n > 0, err
}

// Failures are those that are held and due before a time, longest first.
func (s *State) Failures(ctx context.Context, before time.Time) (list []Failure, err error) {
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var f Failure
		var kind []byte
		var opened, due int64
		err := r.Scan(&kind, &f.Domain, &opened, &due, &f.Incidents, &f.Data)
		copy(f.Kind[:], kind)
		f.Opened, f.Due = time.Unix(opened, 0).UTC(), time.Unix(due, 0).UTC()
		list = append(list, f)
		return err
	}, "SELECT "+failureColumns+" FROM state_failures WHERE due < ? ORDER BY due, kind", before.Unix())
}

// CutFailure puts a report that was held into the outbox and counts its mails for a day;
// without a part it is dropped. It returns ErrUnknown where it was cut meanwhile, or stands
// for more messages.
func (s *State) CutFailure(ctx context.Context, f *Failure, p *Part) error {
	return s.changeShared(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, "DELETE FROM state_failures WHERE kind = ? AND opened = ? AND incidents = ?", f.Kind[:], f.Opened.Unix(), f.Incidents)
		if err == nil && n == 0 {
			err = ErrUnknown
		}
		if err != nil || p == nil {
			return err
		}
		if err := s.putPart(ctx, tx, p); err != nil {
			return err
		}
		for _, t := range p.Targets {
			_, err := s.exec(ctx, tx, "INSERT INTO state_failure_mails VALUES (?, ?, 1) ON CONFLICT (target, day) DO UPDATE SET mails = state_failure_mails.mails + 1",
				t.Address, p.Day.Unix())
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// FailureMails is how many failure reports a target, and all targets, were to get on a day.
func (s *State) FailureMails(ctx context.Context, target string, day time.Time) (one, all int64, err error) {
	if one, err = s.number(ctx, s.db, "SELECT CAST(sum(mails) AS bigint) FROM state_failure_mails WHERE day = ? AND target = ?", day.Unix(), target); err != nil {
		return 0, 0, err
	}
	all, err = s.number(ctx, s.db, "SELECT CAST(sum(mails) AS bigint) FROM state_failure_mails WHERE day = ?", day.Unix())
	return one, all, err
}

// ForgetFailures removes what failure reports told of messages once they have left or were
// given up; where they stand stays as long as for others.
func (s *State) ForgetFailures(ctx context.Context, now time.Time) error {
	_, err := s.exec(ctx, s.db, "UPDATE state_parts SET data = ? WHERE id LIKE '"+FailurePrefix+"%' AND length(data) > 0"+
		" AND NOT EXISTS (SELECT 1 FROM state_outbox o WHERE o.id = state_parts.id AND o.state IN ('waiting', 'sending'))", []byte{})
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, s.db, "DELETE FROM state_failure_mails WHERE day < ?", now.Add(-48*time.Hour).Unix())
	return err
}
