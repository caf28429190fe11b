// Package owned has work run aside for an owner, who waits for it and to whom its
// panic comes: one in a goroutine that nobody guards would end the daemon, while the
// owner knows which message it was about. What serves many owners at a time, a
// connection or a DNS question that several messages wait for, has a guard of its
// own where it runs.
package owned

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// Group is work aside of one owner. The zero value is ready to use. Go and the two
// that wait are called by the owner; Go also by its work.
type Group struct {
	wg sync.WaitGroup

	mu       sync.Mutex
	panicked *Panic // the first; nil when it was told
}

// Panic is what Wait panics with: the value and where it came from.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) String() string { return fmt.Sprintf("%v\n%s", p.Value, p.Stack) }

// Go runs f in a goroutine of its own.
func (g *Group) Go(f func()) {
	g.wg.Go(func() {
		defer g.catch()
		f()
	})
}

func (g *Group) catch() {
	v := recover()
	if v == nil {
		return
	}
	p, nested := v.(*Panic) // of a Group that f waited for
	if !nested {
		p = &Panic{Value: v, Stack: debug.Stack()}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.panicked == nil {
		g.panicked = p
	}
}

// Wait returns when all has ended. Where something panicked Wait panics, with a
// *Panic, and is then done with it.
func (g *Group) Wait() {
	g.wg.Wait()
	g.mu.Lock()
	p := g.panicked
	g.panicked = nil
	g.mu.Unlock()
	if p != nil {
		panic(p)
	}
}

// Settle returns when all has ended, whatever became of it.
func (g *Group) Settle() { g.wg.Wait() }
