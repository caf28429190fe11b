package send

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Who wants reports runs the DNS that says who may get them, and may have it answer as
// slowly as can be. The times keep that from holding up the reports of others; ours.
const (
	// askTime is how long is asked whether one address may get a report.
	askTime = 5 * time.Second
	// cutTime is how long a step cuts, until it goes on to what is to be sent.
	cutTime = 5 * time.Minute
	// maxWaiting is how many reports and organizations are known to wait; of more it is
	// forgotten which they are.
	maxWaiting = 100_000
)

// patience has those go last who keep us waiting.
type patience struct {
	ask, cut time.Duration
	slow     map[string]bool        // organizations whose DNS did not answer in time
	asked    map[[32]byte]time.Time // reports that wait for DNS, and when it was asked last
}

func newPatience() patience {
	return patience{askTime, cutTime, map[string]bool{}, map[[32]byte]time.Time{}}
}

// note keeps how it went with a report.
func (p *patience) note(key [32]byte, domain string, targets []target, waits bool, now time.Time) {
	if len(p.asked) >= maxWaiting || len(p.slow) >= maxWaiting {
		clear(p.asked)
		clear(p.slow)
	}
	if org := organization(domain); slices.ContainsFunc(targets, func(t target) bool { return t.slow }) {
		p.slow[org] = true
	} else {
		delete(p.slow, org)
	}
	if waits {
		p.asked[key] = now
	} else {
		delete(p.asked, key)
	}
}

// asking is what a report is called that is to be cut, and whom it is about.
type asking struct {
	key    [32]byte
	domain string
}

// each calls cut for reports, those first whose DNS is not known to be slow, and those last that
// were asked for last. It leaves out what was asked for just now. done is false where it had
// no time for one that is not known to be slow.
func (p *patience) each(ctx context.Context, list []asking, now time.Time, cut func(i int)) (done bool) {
	order := make([]int, 0, len(list))
	for i := range list {
		if since := now.Sub(p.asked[list[i].key]); since >= lookAgain || since < 0 {
			order = append(order, i)
		}
	}
	rank := func(i int) int {
		if p.slow[organization(list[i].domain)] {
			return 1
		}
		return 0
	}
	less := func(a, b int) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), p.asked[list[a].key].Compare(p.asked[list[b].key]))
	}
	slices.SortStableFunc(order, less)
	end := time.Now().Add(p.cut)
	var late []int // of an organization that turned out to be slow meanwhile
	for n, i := range order {
		switch {
		case ctx.Err() != nil:
			return false
		case time.Now().After(end):
			return !slices.ContainsFunc(order[n:], func(i int) bool { return rank(i) == 0 })
		case rank(i) > 0:
			late = append(late, i)
		default:
			cut(i)
		}
	}
	for _, i := range late {
		if ctx.Err() != nil || time.Now().After(end) {
			break
		}
		cut(i)
	}
	return true
}
