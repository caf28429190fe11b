package milter

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// benchMessage is one message of 30 fields and 20 KB of body as Postfix sends it:
// macros before each event.
func benchMessage() []byte {
	var b []byte
	b = appendFrame(b, 'D', "M{mail_addr}\x00a@example.com\x00")
	b = appendFrame(b, 'M', theMail)
	b = appendFrame(b, 'D', "R{rcpt_addr}\x00b@example.net\x00")
	b = appendFrame(b, 'R', theRcpt)
	for i := range 30 {
		b = appendFrame(b, 'D', "Li\x004ABCDEFGH\x00")
		b = appendFrame(b, 'L', fmt.Sprintf("X-Field-%d\x00 %s\x00", i, strings.Repeat("v", 60)))
	}
	b = appendFrame(b, 'D', "Ni\x004ABCDEFGH\x00")
	b = appendFrame(b, 'N', "")
	b = appendFrame(b, 'D', "Bi\x004ABCDEFGH\x00")
	b = appendFrame(b, 'B', strings.Repeat("0123456789abcdef\r\n", 20_000/18))
	b = appendFrame(b, 'D', "Ei\x004ABCDEFGH\x00")
	return appendFrame(b, 'E', "")
}

// BenchmarkMessage is the protocol alone: a Session that does nothing, an MTA
// that writes 4 KiB at a time. Times are of both ends; server CPU is less.
func BenchmarkMessage(b *testing.B) {
	for _, conns := range []int{1, 8} {
		b.Run(fmt.Sprintf("unix/conns=%d", conns), func(b *testing.B) {
			s, err := New(Options{Handler: func(*Conn) Session { return quiet{} }})
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(b.TempDir(), "s")
			ln, err := Listen("unix:"+path, SocketOptions{})
			if err != nil {
				b.Fatal(err)
			}
			go s.Serve(ln)
			message := benchMessage()
			b.ReportAllocs()
			before := cpuTime()
			var wg sync.WaitGroup
			for i := range conns {
				wg.Go(func() { sendMessages(b, path, message, (b.N+conns-1-i)/conns) })
			}
			wg.Wait()
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e3, "cpu-µs/op")
			s.Shutdown(context.Background())
		})
	}
}

func sendMessages(b *testing.B, path string, message []byte, n int) {
	nc, err := net.Dial("unix", path)
	if err != nil {
		b.Error(err)
		return
	}
	defer nc.Close()
	reply := make([]byte, 4096)
	nc.Write(appendFrame(nil, 'O', offer(6, 0x1ff, allOptions)))
	nc.Read(reply)
	nc.Write(appendFrame(appendFrame(nil, 'C', theConnect), 'H', theHelo))
	for range n {
		for rest := message; len(rest) > 0; {
			piece := min(len(rest), 4096)
			nc.Write(rest[:piece])
			rest = rest[piece:]
		}
		if _, err := io.ReadFull(nc, reply[:5]); err != nil || binary.BigEndian.Uint32(reply) != 1 {
			b.Errorf("reply %q, %v", reply[:5], err)
			return
		}
		nc.Write(abortFrame)
	}
	nc.Write(appendFrame(nil, 'Q', ""))
}

var abortFrame = appendFrame(nil, 'A', "")

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEvents is the loop without any connection: what parsing, order
// checks, limits and dispatch cost by themselves.
func BenchmarkEvents(b *testing.B) {
	s, err := New(Options{Handler: func(*Conn) Session { return quiet{} }})
	if err != nil {
		b.Fatal(err)
	}
	hello := appendFrame(nil, 'O', offer(6, 0x1ff, allOptions))
	hello = appendFrame(appendFrame(hello, 'C', theConnect), 'H', theHelo)
	b.ReportAllocs()
	nc := &scripted{Reader: io.MultiReader(&pieces{hello, 4096}, &endless{benchMessage(), b.N, 0})}
	s.start(nc)
	s.wait(func() bool { return len(s.conns) == 0 })
	if got := nc.sent.Len(); got < 5*b.N {
		b.Fatalf("%d octets of replies to %d messages", got, b.N)
	}
}

// endless gives the same message n times.
type endless struct {
	message []byte
	n, at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	m := copy(p, e.message[e.at:])
	if e.at += m; e.at == len(e.message) {
		e.at = 0
		e.n--
	}
	return m, nil
}

// BenchmarkIdleSessions reports what 1,000 sessions that have had a message keep
// in memory, client sides included.
func BenchmarkIdleSessions(b *testing.B) {
	const sessions = 1000
	for b.Loop() {
		s, addr := serve(b, Options{Handler: func(*Conn) Session { return quiet{} }})
		before := memoryInUse()
		conns := make([]*mta, sessions)
		body := strings.Repeat("x", 65535)
		for i := range conns {
			conns[i] = greet(b, addr, 0)
			conns[i].begin()
			conns[i].event('B', body)
			conns[i].verdict()
		}
		b.ReportMetric(float64(memoryInUse()-before)/sessions, "B/session")
		runtime.KeepAlive(conns)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		s.Shutdown(ctx)
		cancel()
	}
}
