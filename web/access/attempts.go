package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Bounds of logins; ours.
const (
	tryWindow = 5 * time.Minute
	// maxTries is how many logins may fail in tryWindow from a network, or in a browser in
	// which that name logged in before.
	maxTries = 5
	// maxOfName is how many may fail for a name from wherever. It is far above maxTries, so
	// that a stranger who fails keeps nobody else out, and far below what guessing takes.
	maxOfName = 50
	maxTried  = 10_000 // names, networks and browsers that are remembered
	// maxLogins is how many passwords wait to be checked; one is at a time, as each takes a
	// processor for some tenths of a second.
	maxLogins = 8
)

// limit is what is counted, and how often it may fail.
type limit struct {
	of   string
	most int
}

// attempts counts logins, so that passwords cannot be guessed at speed. A login counts
// when it begins, so that many at once are no way around.
type attempts struct {
	now   func() time.Time
	mu    sync.Mutex
	tries map[string]*tried
	full  time.Time // when it was last said that there are too many
}

type tried struct {
	count int
	since time.Time
	told  bool // that it has too many
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, tries: map[string]*tried{}}
}

// begin counts a try for each of limits, up to the first that has too many: then it is not
// ok to make it. first: that was not said of it before in this window.
func (a *attempts) begin(limits ...limit) (first, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.tries) > maxTried {
		for k, t := range a.tries {
			if now.Sub(t.since) > tryWindow {
				delete(a.tries, k)
			}
		}
		if len(a.tries) > maxTried {
			if first = now.Sub(a.full) > tryWindow; first {
				a.full = now
			}
			return first, false // somebody tries many names; nobody new logs in meanwhile
		}
	}
	for _, l := range limits {
		t := a.tries[l.of]
		if t == nil || now.Sub(t.since) > tryWindow {
			t = &tried{since: now}
			a.tries[l.of] = t
		}
		if t.count++; t.count > l.most {
			first, t.told = !t.told, true
			return first, false
		}
	}
	return false, true
}

// forgive takes back a try that was right. Others stay: who may log in himself must not
// guess the passwords of others in between.
func (a *attempts) forgive(limits ...limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range limits {
		if t := a.tries[l.of]; t != nil {
			if t.count--; t.count <= 0 {
				delete(a.tries, l.of)
			}
		}
	}
}

// knownCookie says that a name logged in from this browser before. Its failures count for
// themselves, and those of others, whatever network they share, do not keep it out.
const (
	knownCookie = "alignd-known"
	knownAge    = 90 * 24 * time.Hour
)

// knownValue is one for a user, as long as his password is this one and alignd web runs.
func (c *Control) knownValue(nonce, name, hash string) string {
	m := hmac.New(sha256.New, c.key)
	fmt.Fprintf(m, "known %q %q %q", nonce, name, hash)
	return nonce + "." + encoded(m.Sum(nil))
}

// limitsOf are what a login counts for, and whether it is of a known browser.
func (c *Control) limitsOf(r *http.Request, name, from string) (list []limit, known bool) {
	value := c.cookie(r, knownCookie)
	nonce, _, _ := strings.Cut(value, ".")
	if name != "" && len(nonce) == 22 { // 16 octets
		if hash := c.opt.Users.Hash(name); hash != "" && hmac.Equal([]byte(value), []byte(c.knownValue(nonce, name, hash))) {
			return []limit{{"browser " + nonce, maxTries}}, true
		}
	}
	// The network first: who has tried too often has no further name remembered.
	return []limit{{"from " + from, maxTries}, {"name " + name, maxOfName}}, false
}

// lane is where passwords wait to be checked.
type lane struct{ waiting, running chan struct{} }

func newLane() *lane { return &lane{make(chan struct{}, maxLogins), make(chan struct{}, 1)} }

// enter takes a place among those who wait; false: there is none.
func (l *lane) enter() bool {
	select {
	case l.waiting <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *lane) leave() { <-l.waiting }

// check looks whether a password is that of a user, one at a time.
func (l *lane) check(ctx context.Context, u *Users, name, password string) (hash string, ok bool) {
	select {
	case l.running <- struct{}{}:
		defer func() { <-l.running }()
		return u.Check(name, password)
	case <-ctx.Done():
		return "", false
	}
}
