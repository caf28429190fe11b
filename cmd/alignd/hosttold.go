package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"alignd/config"
	"alignd/internal/owned"
	"alignd/journal/place"
	"alignd/journal/spool"
	"alignd/journal/state"
)

// hostEvery is how often a daemon tells of itself. The number is ours.
const hostEvery = time.Minute

// hostTold is what the daemon of a host told of itself.
type hostTold struct{ state.Daemon }

// hostTeller has the state keep it: at the start, after each reload, each minute and at the
// end. Nothing waits for that, and where it cannot be written Health says since when.
type hostTeller struct {
	d     *daemon
	to    *state.State
	id    spool.ID
	began time.Time
	wake  chan struct{} // has room for one
	stop  chan struct{}
	ended sync.WaitGroup
	asked struct{ misses, failures uint64 } // as told before

	mu     sync.Mutex
	config state.DaemonConfig
	reload state.DaemonReload
}

// tellHost begins; nil without a state.
func (d *daemon) tellHost() *hostTeller {
	if d.memory.State() == nil {
		return nil
	}
	t := &hostTeller{d: d, to: d.memory.State(), id: d.memory.Spool(), began: time.Now().UTC().Truncate(time.Second), wake: make(chan struct{}, 1), stop: make(chan struct{})}
	t.config = toldConfigOf(d.file, d.cfg, nil, t.began)
	t.ended.Go(func() { owned.Guarded(d.log, "telling how the daemon is", t.run) })
	return t
}

func toldConfigOf(file string, cfg *config.Config, pending []string, since time.Time) state.DaemonConfig {
	return state.DaemonConfig{File: file, Hash: fmt.Sprintf("%x", cfg.Hash()), Mode: string(cfg.Mode), Since: since, Pending: listOf(pending)}
}

// reloaded notes what became of a reload.
func (t *hostTeller) reloaded(cfg *config.Config, file, by string, pending []string, failed bool) {
	if t == nil {
		return
	}
	now := time.Now().UTC().Truncate(time.Second)
	t.mu.Lock()
	t.reload = state.DaemonReload{At: now, By: by, Failed: failed, Times: t.reload.Times + 1}
	if !failed {
		t.config = toldConfigOf(file, cfg, pending, now)
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *hostTeller) run() {
	every := time.NewTicker(hostEvery)
	defer every.Stop()
	t.awaitListeners()
	for {
		t.write(false)
		select {
		case <-every.C:
		case <-t.wake:
		case <-t.stop:
			t.write(true)
			return
		}
	}
}

// awaitListeners waits a moment for the goroutines that serve the sockets, so that what is
// told first is not that none is open.
func (t *hostTeller) awaitListeners() {
	for range 100 {
		if !slices.ContainsFunc(t.d.listeners(), func(l state.DaemonListener) bool { return !l.Open }) {
			return
		}
		select {
		case <-t.stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (t *hostTeller) close() {
	if t != nil {
		close(t.stop)
		t.ended.Wait()
	}
}

func (t *hostTeller) write(stopped bool) {
	told := t.told(stopped)
	data, err := json.Marshal(told)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = t.to.Tell(ctx, &state.Told{Spool: t.id, At: told.At, Data: data})
	}
	if err != nil {
		t.d.log.Debug("how the daemon is cannot be told", "err", err)
	}
}

// told is how the daemon is now. All that it asks may be asked beside a reload.
func (t *hostTeller) told(stopped bool) *state.Daemon {
	d := t.d
	name, _ := os.Hostname()
	x := &state.Daemon{Host: name, PID: os.Getpid(), Program: "alignd " + version, Started: t.began, At: time.Now().UTC().Truncate(time.Second), Every: int(hostEvery / time.Second),
		Stopped: stopped, Listeners: d.listeners(), Metrics: listOf(d.begun.Metrics.Listen), LinesLost: d.lines.Lost()}
	t.mu.Lock()
	x.Config, x.Reload = t.config, t.reload
	t.mu.Unlock()
	m := d.server.Stats()
	x.MTA = state.DaemonMTA{Connections: m.Connections, Open: m.Open, Limit: m.Limit, Messages: m.Messages}
	s := d.dns.Stats()
	x.DNS = state.DaemonDNS{Servers: listOf(d.dns.Servers()), Cached: s.Hits, Asked: s.Misses, Sent: s.Sent, Failures: s.Failures}
	x.DNS.Lately.Asked, x.DNS.Lately.Failures = s.Misses-t.asked.misses, s.Failures-t.asked.failures
	t.asked.misses, t.asked.failures = s.Misses, s.Failures
	j := d.memory.Health(d.begun)
	x.Journal = state.DaemonJournal{Written: j.Written, Late: j.Late, Dropped: j.Dropped, Loaded: j.Loaded, Octets: j.Octets, Bound: j.Bound, Oldest: j.Oldest.UTC(), FailingSince: j.FailingSince.UTC()}
	return x
}

// listeners are the places where MTAs find alignd.
func (d *daemon) listeners() []state.DaemonListener {
	open := d.server.Listening()
	list := []state.DaemonListener{}
	for i, l := range d.open {
		x := state.DaemonListener{Place: placeOf(l), By: "alignd"}
		if i < len(d.passed) {
			x.By = "systemd"
		}
		x.Open = slices.ContainsFunc(open, func(a net.Addr) bool { return a.Network() == l.Addr().Network() && a.String() == l.Addr().String() })
		if u, ok := l.Addr().(*net.UnixAddr); ok && x.Open {
			if _, err := os.Lstat(u.Name); err != nil {
				x.Fault = "the MTA does not find the socket: " + err.Error()
			}
		}
		list = append(list, x)
	}
	return list
}

// readHosts are what the daemons of all hosts told last, those that told most lately first.
func readHosts(ctx context.Context, cfg *config.Config) []hostTold {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	st, err := place.ReadState(ctx, cfg)
	if err != nil {
		return nil
	}
	defer st.Close()
	list, err := st.Daemons(ctx)
	if err != nil {
		return nil
	}
	var all []hostTold
	for i := range list {
		var x hostTold
		if json.Unmarshal(list[i].Data, &x) == nil {
			all = append(all, x)
		}
	}
	return all
}

// life is whether it runs, in words.
func (x *hostTold) life(now time.Time) string {
	switch {
	case x.Stopped:
		return "stopped, " + timeText(x.At)
	case x.Silent(now):
		return "silent since " + timeText(x.At) + ": it has ended, or cannot write"
	}
	return fmt.Sprintf("process %d, as of %s", x.PID, timeText(x.At))
}

// show writes it for people.
func (x *hostTold) show(line lineWriter) {
	line("host", "%s: %s, %s", x.Host, x.Program, x.life(time.Now()))
	line("", "configuration %.12s of %s, mode %s, in force since %s", x.Config.Hash, cmp.Or(x.Config.File, "no file"), x.Config.Mode, timeText(x.Config.Since))
	if r := &x.Reload; !r.At.IsZero() {
		said := "it is in force"
		if r.Failed {
			said = "the old configuration stays (alignd config check, and the log, say why)"
		}
		line("", "reloaded %s by %s: %s", timeText(r.At), r.By, said)
	}
	if len(x.Config.Pending) > 0 {
		line("", "changed options that need a restart: %s", strings.Join(x.Config.Pending, ", "))
	}
	for _, l := range x.Listeners {
		said := "open"
		if !l.Open {
			said = "not open"
		}
		if l.Fault != "" {
			said += ", " + l.Fault
		}
		line("", "listener %s, by %s: %s", l.Place, l.By, said)
	}
	line("", "DNS %s: %d questions asked, %d failed", strings.Join(x.DNS.Servers, ", "), x.DNS.Asked, x.DNS.Failures)
	if !x.Journal.Oldest.IsZero() {
		line("", "its oldest record that waits for the store is of %s", timeText(x.Journal.Oldest))
	}
}
