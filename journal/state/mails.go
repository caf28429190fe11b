package state

import (
	"context"
	"database/sql"
	"time"
)

// CountMail counts a mail with a report on a day (midnight UTC), to an organization.
func (s *State) CountMail(ctx context.Context, day time.Time, org string) error {
	_, err := s.exec(ctx, s.db, "INSERT INTO state_mails VALUES (?, ?, 1) ON CONFLICT (day, org) DO UPDATE SET mails = state_mails.mails + 1", day.Unix(), org)
	return err
}

// Mails are how many were counted on a day by all hosts, by organization; "" is all of them.
func (s *State) Mails(ctx context.Context, day time.Time) (map[string]int64, error) {
	list := map[string]int64{}
	return list, s.rows(ctx, s.db, func(r *sql.Rows) error {
		var org string
		var n int64
		err := r.Scan(&org, &n)
		list[org] += n
		list[""] += n
		return err
	}, "SELECT org, mails FROM state_mails WHERE day = ?", day.Unix())
}

// keepMails is how long mails are counted; limits are about a day.
const keepMails = 48 * time.Hour
