// Package configs keeps the configurations that judged past messages beside these, and has
// their texts and rules again.
package configs

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"alignd/config"
	"alignd/internal/owned"
)

// The numbers are ours.
const (
	// maxKeptText is the longest text of a configuration that is kept, in octets; a
	// hundred thousand exceptions take a quarter of it.
	maxKeptText = 256 << 20
	// maxWaitingTexts is how many wait while the store is away.
	maxWaitingTexts = 16
	// keepAgain is how often the one in force is kept again; records are kept for an
	// hour at least, most for days.
	keepAgain = 30 * time.Minute
	// keepRetry is how soon it is tried again to keep one.
	keepRetry = 10 * time.Second
)

// Texts of configurations are kept in a Store: the state of a journal.
type Store interface {
	KeepConfig(ctx context.Context, hash [32]byte, text []byte, at time.Time) error
}

// Keeper keeps the text of each configuration that judges, so that what it judged
// can be judged again under it. Neither mail nor a reload waits for that. A nil keeper
// keeps none.
type Keeper struct {
	to   Store
	log  *slog.Logger
	wake chan struct{} // has room for one
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	waiting []judging // oldest first
	last    *config.Config
}

// judging is a configuration that came into force.
type judging struct {
	cfg *config.Config
	at  time.Time
}

// NewKeeper begins.
func NewKeeper(to Store, log *slog.Logger) *Keeper {
	k := &Keeper{to: to, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	k.done.Go(func() { owned.Guarded(log, "keeping configurations", k.run) })
	return k
}

// Keep has cfg kept, soon.
func (k *Keeper) Keep(cfg *config.Config) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.last = cfg
	if k.waiting = append(k.waiting, judging{cfg: cfg, at: time.Now()}); len(k.waiting) > maxWaitingTexts {
		k.waiting = k.waiting[1:]
	}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *Keeper) run() {
	told := false
	renew := time.NewTicker(keepAgain)
	defer renew.Stop()
	for {
		var again <-chan time.Time
		err := k.write()
		if err != nil {
			again = time.After(keepRetry)
		}
		if err != nil && !told {
			k.log.Warn("the configuration is not kept yet beside what it judges, it is tried again", "err", err)
		}
		told = err != nil
		select {
		case <-k.wake:
		case <-again:
		case <-renew.C: // what judges seldom must not be taken for old
			k.mu.Lock()
			if len(k.waiting) == 0 && k.last != nil {
				k.waiting = []judging{{cfg: k.last, at: time.Now()}}
			}
			k.mu.Unlock()
		case <-k.stop:
			_ = k.write() // the next start keeps the newest one
			return
		}
	}
}

// write keeps what waits.
func (k *Keeper) write() error {
	for {
		k.mu.Lock()
		if len(k.waiting) == 0 {
			k.mu.Unlock()
			return nil
		}
		c := k.waiting[0]
		k.mu.Unlock()
		if err := k.try(c); err != nil {
			return err
		}
		k.mu.Lock()
		if len(k.waiting) > 0 && k.waiting[0] == c {
			k.waiting = k.waiting[1:]
		}
		k.mu.Unlock()
	}
}

func (k *Keeper) try(c judging) error {
	text := c.cfg.Text()
	if len(text) > maxKeptText {
		k.log.Warn("the configuration is too long to be kept, so what it judges cannot be judged again under it", "octets", len(text))
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepRetry)
	defer cancel()
	return k.to.KeepConfig(ctx, sha256.Sum256(text), text, c.at)
}

// Close keeps what waits, if it can.
func (k *Keeper) Close() {
	if k == nil {
		return
	}
	close(k.stop)
	k.done.Wait()
}
