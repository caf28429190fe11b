package milter

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
)

// A body of 100 MB costs no more memory than a small one.
func TestBigBodyTakesNoMemory(t *testing.T) {
	const chunks = 100_000_000 / 65535
	s, err := New(Options{Handler: func(*Conn) Session { return quiet{} }})
	if err != nil {
		t.Fatal(err)
	}
	hello := appendFrame(appendFrame(nil, 'O', offer(6, 0x1ff, allOptions)), 'M', theMail)
	chunk := appendFrame(nil, 'B', strings.Repeat("x", 65535))
	end := appendFrame(nil, 'E', "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	nc := &scripted{Reader: io.MultiReader(&pieces{hello, 4096}, &endless{chunk, chunks, 0}, &pieces{end, 4096})}
	s.start(nc)
	s.wait(func() bool { return len(s.conns) == 0 })
	runtime.ReadMemStats(&after)
	if got := nc.sent.Bytes(); got[len(got)-1] != 'a' {
		t.Fatalf("reply: got %q", got)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("took %d octets", got)
	}
}

// An idle session after a message with a big body keeps little memory: what the
// process needs for 300 of them, client side included.
func TestIdleSessionsAreSmall(t *testing.T) {
	const sessions, most = 300, 32 << 10
	_, addr := serve(t, Options{Handler: func(*Conn) Session { return quiet{} }})
	before := memoryInUse()
	conns := make([]*mta, sessions)
	body := strings.Repeat("x", 65535)
	for i := range conns {
		conns[i] = greet(t, addr, 0)
		m := conns[i]
		m.event('C', theConnect)
		m.begin()
		m.event('B', body)
		m.verdict()
	}
	if got := (memoryInUse() - before) / sessions; got > most {
		t.Errorf("an idle session keeps %d octets, want at most %d", got, most)
	} else {
		t.Logf("an idle session keeps %d octets", got)
	}
	runtime.KeepAlive(conns)
}

func memoryInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// quiet is a Session that does nothing.
type quiet struct{}

func (quiet) Connect(Connect)         {}
func (quiet) Helo(string)             {}
func (quiet) Mail(Mail)               {}
func (quiet) Rcpt(Rcpt)               {}
func (quiet) Header(_, _ []byte)      {}
func (quiet) EndOfHeader()            {}
func (quiet) Body([]byte)             {}
func (quiet) Abort()                  {}
func (quiet) Done(Outcome) func(bool) { return nil }
func (quiet) Close()                  {}
func (quiet) EndOfMessage(context.Context) Response {
	return Response{Reply: Accept}
}
