package main

import (
	"os"
	"time"

	"alignd/internal/owned"
)

// endWithin is how long the end waits for what is beside mail, such as a database that
// hangs. Behind drain (20 s) it has room within TimeoutStopSec of the unit (40 s). The
// number is ours.
const endWithin = 15 * time.Second

// endAtOnce is that wait where a second signal cut off what was left of mail; ours.
const endAtOnce = time.Second

// leave ends what is beside mail, within endWithin or until another signal. What is not
// written by then follows from the spool at the next start, as after a kill.
func (d *daemon) leave(stop <-chan os.Signal) {
	within := endWithin
	if d.hurried {
		within = endAtOnce
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		owned.Guarded(d.log, "the end", d.closeAll)
	}()
	select {
	case <-ended:
	case s := <-stop:
		d.log.Warn("alignd stops at once", "signal", s.String())
	case <-time.After(within):
		d.log.Warn("alignd does not wait longer for the journal, what it has not taken stays in the spool for the next start")
	}
}

// closeAll closes in the order in which one needs the other.
func (d *daemon) closeAll() {
	d.host.close()
	d.telemetry.close()
	d.reports.Close()
	if d.dns != nil {
		d.dns.Close()
	}
	d.rollout.Close()
	d.tests.close()
	d.memory.Close()
}
