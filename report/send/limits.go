package send

import (
	"context"
	"time"

	"alignd/journal/state"
)

// used is what is used up of the limits. Mails of a day are those of all hosts: the state
// counts them.
type used struct {
	sent   map[string]int64 // mails of today, by organization; "" is all
	minute time.Time        // begin of the minute that count is about
	count  int              // mails in it
}

// today is the day that mails are counted on.
func (s *Sender) today() time.Time { return s.now().UTC().Truncate(24 * time.Hour) }

// readUsed reads what all hosts have sent today.
func (s *Sender) readUsed(ctx context.Context) (err error) {
	s.used.sent, err = s.state.Mails(ctx, s.today())
	return err
}

// room reports whether a further mail is within the limits; whole: none is, to whomever. Failure
// reports have limits of their own by day, so that they are never in the way of others.
func (s *Sender) room(x *state.Item) (ok, whole bool) {
	if now := s.now(); now.Sub(s.used.minute).Abs() >= time.Minute {
		s.used.minute, s.used.count = now, 0
	}
	switch l := &s.Limits; {
	case l.PerMinute > 0 && s.used.count >= l.PerMinute:
		return false, true
	case isFailure(x.ID):
		return true, false
	case l.PerDay > 0 && s.used.sent[""] >= int64(l.PerDay):
		return false, true
	case l.PerOrganization > 0 && s.used.sent[organization(x.Target)] >= int64(l.PerOrganization):
		return false, false
	}
	return true, false
}

// use counts a mail that is about to leave. One that does not leave then, as alignd ends, is
// counted all the same.
func (s *Sender) use(ctx context.Context, x *state.Item) error {
	s.used.count++
	if isFailure(x.ID) {
		return nil
	}
	org := organization(x.Target)
	if err := s.state.CountMail(ctx, s.today(), org); err != nil {
		return err
	}
	s.used.sent[""]++
	s.used.sent[org]++
	return nil
}
