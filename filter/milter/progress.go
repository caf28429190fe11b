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
	if p.err = p.send(); p.err != nil {
		p.on = false
		p.d.cancel()
		return
	}
	p.timer.Reset(p.d.srv.opt.ProgressInterval)
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
	if p.timer != nil {
		p.timer.Stop()
	}
	return p.err
}
