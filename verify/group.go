package verify

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// group runs the checks of one message side by side. A panic in one of them
// must not end the daemon: it is kept and raised by Wait.
type group struct {
	wg    sync.WaitGroup
	mu    sync.Mutex
	panic *checkPanic
}

// checkPanic is what Wait panics with: the value and where it came from.
type checkPanic struct {
	value any
	stack []byte
}

func (p *checkPanic) String() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// Go runs f in a goroutine of its own.
func (g *group) Go(f func()) {
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		defer func() {
			if v := recover(); v != nil {
				g.mu.Lock()
				g.panic = &checkPanic{value: v, stack: debug.Stack()}
				g.mu.Unlock()
			}
		}()
		f()
	}()
}

// settle returns when all have ended, whatever became of them.
func (g *group) settle() { g.wg.Wait() }

// Wait returns when all have ended. It panics when one of them did.
func (g *group) Wait() {
	g.wg.Wait()
	if g.panic != nil {
		panic(g.panic)
	}
}
