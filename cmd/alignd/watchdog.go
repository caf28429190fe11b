package main

import (
	"context"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// watchdog tells systemd again and again that alignd works, as long as it does, if
// systemd asked for it (WatchdogSec=); else systemd kills and starts it again. It
// returns when done is closed.
func (d *daemon) watchdog(done <-chan struct{}) {
	interval, err := sd.SdWatchdogEnabled(true)
	if err != nil {
		d.log.Warn("systemd asks for signs of life in a way that cannot be read", "err", err)
	}
	if interval <= 0 {
		return
	}
	// Three times in an interval: one that comes late does no harm.
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		d.signOfLife(interval / 4)
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// signOfLife is sent only when the server shows within limit that it works.
func (d *daemon) signOfLife(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := d.server.Alive(ctx); err != nil {
		d.log.Error("alignd does not work as it should, systemd starts it again if that lasts", "err", err)
		return
	}
	d.notify(sd.SdNotifyWatchdog)
}
