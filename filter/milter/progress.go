package milter

import (
	"sync"
	"time"
)

// progress tells the MTA every so often that a verdict is under way. Its ticks
// come from another goroutine; after stop there are none. One serves all messages
// of a connection.
type progress struct {
	d *dialogue

	mu    sync.Mutex
	timer *time.Timer
	on    bool // a verdict is awaited
	err   error
}

var progressFrame = appendFrame(nil, actProgress, "")

func (d *dialogue) startProgress() {
	p := &d.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	p.d, p.on = d, true
	if p.timer == nil {
		p.timer = time.AfterFunc(d.srv.opt.ProgressInterval, p.tick)
		return
	}
	p.timer.Reset(d.srv.opt.ProgressInterval)
}

// tick sends one sign of life. When that fails the MTA is gone: the Session's
// context ends, so that it can give up.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on {
		return
	}
	if p.err = p.d.write(progressFrame); p.err != nil {
		p.on = false
		p.d.cancel()
		return
	}
	p.timer.Reset(p.d.srv.opt.ProgressInterval)
}

// stopProgress waits for a tick that is being sent. An error means that the
// connection is lost, and that nothing may be written any more.
func (d *dialogue) stopProgress() error {
	p := &d.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = false
	if p.timer != nil {
		p.timer.Stop()
	}
	return p.err
}
