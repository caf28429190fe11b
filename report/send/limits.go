package send

import (
	"context"
	"slices"
	"time"

	"alignd/journal/state"
)

// used is what is used up of the limits. Mails of a day are those of all hosts: the state
// counts them.
type used struct {
	sent map[string]int64 // mails of today, by organization; "" is all
	// pairs are mails of today from one organization to another, of this process.
	pairs  map[string]int
	day    time.Time // of pairs
	minute time.Time // begin of the minute that count is about
	count  int       // mails in it
}

// today is the day that mails are counted on.
func (s *Sender) today() time.Time { return s.now().UTC().Truncate(24 * time.Hour) }

// readUsed reads what all hosts have sent today.
func (s *Sender) readUsed(ctx context.Context) (err error) {
	if today := s.today(); !s.used.day.Equal(today) {
		s.used.day, s.used.pairs = today, map[string]int{}
	}
	s.used.sent, err = s.state.Mails(ctx, s.today())
	return err
}

// pairShare is what part of the mails to an organization may be about one other: many read
// reports for others, and agree to all that name them, so anybody could use up the limit. Ours.
const pairShare = 4

func pair(x *state.Item) string { return organization(x.Domain) + " " + organization(x.Target) }

// fair sorts items so that each organization that reports are about has its turn before any
// other has a further one.
func (s *Sender) fair(items []state.Item) []state.Item {
	turns, before := make([]int, len(items)), map[string]int{}
	order := make([]int, len(items))
	for i := range items {
		p := pair(&items[i])
		order[i], turns[i] = i, s.used.pairs[p]+before[p]
		before[p]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return turns[a] - turns[b] })
	list := make([]state.Item, 0, len(items))
	for _, i := range order {
		list = append(list, items[i])
	}
	return list
}

// crowds reports whether an organization had its part of the mails to another one. Reports on
// domains of one's own are not others' doing.
func (s *Sender) crowds(x *state.Item) bool {
	own := organization(x.Domain) == organization(x.Target) || s.Own != nil && s.Own(x.Domain)
	return !own && s.used.pairs[pair(x)] >= max(1, s.Limits.PerOrganization/pairShare)
}

// room says which limit is in the way of a further mail; empty: none. whole: none may leave now,
// to whomever. Failure reports have limits of their own by day, so that they are never in the way
// of others, nor others in theirs.
func (s *Sender) room(x *state.Item) (limit string, whole bool) {
	if now := s.now(); now.Sub(s.used.minute).Abs() >= time.Minute {
		s.used.minute, s.used.count = now, 0
	}
	switch l := &s.Limits; {
	case l.PerMinute > 0 && s.used.count >= l.PerMinute:
		return "limit of mails a minute", true
	case isFailure(x.ID):
		return "", false
	case l.PerDay > 0 && s.used.sent[""] >= int64(l.PerDay):
		return "limit of mails a day", false
	case l.PerOrganization > 0 && (s.crowds(x) || s.used.sent[organization(x.Target)] >= int64(l.PerOrganization)):
		return "limit of mails to one organization", false
	}
	return "", false
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
	s.used.pairs[pair(x)]++
	return nil
}
