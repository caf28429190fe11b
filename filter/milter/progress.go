package milter

import (
	"errors"
	"fmt"
	"runtime/debug"
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
	armed bool      // timer will call tick
	on    bool      // a verdict is awaited
	next  time.Time // when to tell of progress, if it still is
	err   error
}

var progressFrame = appendFrame(nil, actProgress, "")

func (d *dialogue) startProgress() {
	p := &d.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	p.d, p.on, p.next = d, true, time.Now().Add(d.srv.opt.ProgressInterval)
	if !p.armed { // otherwise it fires in time, and tick sets it anew
		p.arm(d.srv.opt.ProgressInterval)
	}
}

// arm has tick called after wait. The timer of a message that ended stays armed for
// the next one: most messages come and go without touching it.
func (p *progress) arm(wait time.Duration) {
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.tick)
		return
	}
	p.timer.Reset(wait)
}

// tick sends one sign of life, if it is due. When that fails the MTA is gone: the
// Session's context ends, so that it can give up.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	if !p.on {
		return
	}
	if wait := time.Until(p.next); wait > 0 { // set for an earlier message
		p.arm(wait)
		return
	}
	if p.err = p.send(); p.err != nil {
		p.on = false
		p.d.cancel()
		return
	}
	p.next = time.Now().Add(p.d.srv.opt.ProgressInterval)
	p.arm(p.d.srv.opt.ProgressInterval)
}

// send writes the frame. A panic is an error: this goroutine is the timer's, so
// nobody else would catch it.
func (p *progress) send() (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.d.srv.log.Error("panic while telling of progress", "conn_id", p.d.conn.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return p.d.write(progressFrame)
}

// stopProgress waits for a tick that is being sent. An error means that the
// connection is lost, and that nothing may be written any more.
func (d *dialogue) stopProgress() error {
	p := &d.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = false
	return p.err
}

// endProgress stops the timer for good.
func (d *dialogue) endProgress() {
	d.stopProgress()
	d.progress.mu.Lock()
	defer d.progress.mu.Unlock()
	if d.progress.timer != nil {
		d.progress.timer.Stop()
	}
}
