package owned

import (
	"strings"
	"sync/atomic"
	"testing"
)

// panics is what f panics with; nil when it returns.
func panics(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func fails() { panic("no") }

func TestAPanicReachesTheOwner(t *testing.T) {
	for _, row := range []struct {
		name string
		work []func()
		want bool
	}{
		{name: "no work"},
		{name: "work that ends well", work: []func(){func() {}, func() {}}},
		{name: "work that panics", work: []func(){fails}, want: true},
		{name: "one of several", work: []func(){func() {}, fails, func() {}}, want: true},
		{name: "all of several", work: []func(){fails, fails, fails}, want: true},
		{name: "work of its work", work: []func(){func() {
			var inner Group
			inner.Go(fails)
			inner.Wait()
		}}, want: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var g Group
			for _, f := range row.work {
				g.Go(f)
			}
			p, ok := panics(g.Wait).(*Panic)
			if ok != row.want {
				t.Fatalf("told of %v, want one: %v", p, row.want)
			}
			if !ok {
				return
			}
			if text := p.String(); p.Value != "no" || !strings.Contains(text, "owned.fails(") || strings.Count(text, "[running]") != 1 {
				t.Errorf("got %s\nwant the value and where it came from, once", text)
			}
			if again := panics(g.Wait); again != nil {
				t.Errorf("told again: %v", again)
			}
		})
	}
}

func TestWaitingIsForAllWork(t *testing.T) {
	for _, row := range []struct {
		name string
		wait func(*Group)
	}{
		{name: "Wait", wait: func(g *Group) { panics(g.Wait) }},
		{name: "Settle, which tells of no panic", wait: (*Group).Settle},
	} {
		t.Run(row.name, func(t *testing.T) {
			var g Group
			var ended atomic.Int64
			release := make(chan struct{})
			g.Go(fails)
			for range 8 {
				g.Go(func() {
					g.Go(func() {
						<-release
						ended.Add(1)
					})
				})
			}
			waited := make(chan int64)
			go func() {
				row.wait(&g)
				waited <- ended.Load()
			}()
			close(release)
			if n := <-waited; n != 8 {
				t.Errorf("waited for %d of 8", n)
			}
		})
	}
}
