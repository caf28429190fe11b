package milter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	protocol "github.com/emersion/go-milter"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// allOptions is what Postfix and Sendmail offer with version 6.
const allOptions = 0x1fffff

// recorder is a Session that writes down what it is told. It is shared by all
// sessions of a server.
type recorder struct {
	mu       sync.Mutex
	events   []string
	outcomes []Outcome
	sent     []bool // what the functions that Done returned have heard
	conn     *Conn

	judge   func(context.Context) Response // nil accepts
	panicAt func(event string) bool        // nil never
}

func (r *recorder) note(format string, args ...any) {
	event := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.events = append(r.events, event)
	r.mu.Unlock()
	if r.panicAt != nil && r.panicAt(event) {
		panic("told to panic at " + event)
	}
}

// text returns the events so far.
func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.events, "\n")
}

func (r *recorder) handler(c *Conn) Session {
	r.mu.Lock()
	r.conn = c
	r.mu.Unlock()
	return r
}

func (r *recorder) Connect(c Connect) {
	r.note("connect %s %c %d %v%s", c.Host, c.Family, c.Port, c.Addr, c.Path)
}
func (r *recorder) Helo(name string) { r.note("helo %s", name) }
func (r *recorder) Mail(m Mail)      { r.note("mail %s %q", m.Address, m.Args) }
func (r *recorder) Rcpt(m Rcpt)      { r.note("rcpt %s %q", m.Address, m.Args) }
func (r *recorder) Header(name, value []byte) {
	r.note("header %s:%q", name, value)
}
func (r *recorder) EndOfHeader()      { r.note("end of header") }
func (r *recorder) Body(chunk []byte) { r.note("body %d", len(chunk)) }
func (r *recorder) Abort()            { r.note("abort") }
func (r *recorder) Close()            { r.note("close") }
func (r *recorder) Done(o Outcome) func(bool) {
	r.mu.Lock()
	r.outcomes = append(r.outcomes, o)
	r.mu.Unlock()
	if r.panicAt != nil && r.panicAt("done") {
		panic("told to, at done")
	}
	return func(written bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent = append(r.sent, written)
	}
}
func (r *recorder) EndOfMessage(ctx context.Context) Response {
	r.note("end of message")
	if r.judge != nil {
		return r.judge(ctx)
	}
	return Response{Reply: Accept}
}

// logBuffer is a log that tests can read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve starts a server on the loopback interface; it is shut down with the test.
func serve(t testing.TB, opt Options) (*Server, string) {
	t.Helper()
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen("inet:127.0.0.1:0", SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: got %v, want ErrServerClosed", err)
		}
	})
	return s, ln.Addr().String()
}

// mta is the other end, frame by frame.
type mta struct {
	t       testing.TB
	nc      net.Conn
	options protocol.OptProtocol // as negotiated
}

// dial connects without saying anything.
func dial(t testing.TB, addr string) *mta {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &mta{t: t, nc: nc}
}

// greet negotiates with everything offered except some options.
func greet(t testing.TB, addr string, without protocol.OptProtocol) *mta {
	t.Helper()
	m := dial(t, addr)
	m.send('O', offer(6, 0x1ff, allOptions&^uint32(without)))
	cmd, data := m.receive()
	if cmd != 'O' || len(data) < 12 {
		t.Fatalf("answer to the offer: got %q %x", cmd, data)
	}
	m.options = protocol.OptProtocol(binary.BigEndian.Uint32([]byte(data[8:])))
	return m
}

func offer(version, actions, options uint32) string {
	b := binary.BigEndian.AppendUint32(nil, version)
	b = binary.BigEndian.AppendUint32(b, actions)
	return string(binary.BigEndian.AppendUint32(b, options))
}

func (m *mta) send(cmd byte, data string) {
	m.t.Helper()
	m.raw(string(appendFrame(nil, cmd, data)))
}

func (m *mta) raw(data string) {
	m.t.Helper()
	if _, err := io.WriteString(m.nc, data); err != nil {
		m.t.Fatalf("sending %.40q: %v", data, err)
	}
}

func (m *mta) receive() (cmd byte, data string) {
	m.t.Helper()
	cmd, data, err := m.tryReceive()
	if err != nil {
		m.t.Fatalf("reading a frame: %v", err)
	}
	return cmd, data
}

func (m *mta) tryReceive() (byte, string, error) {
	var head [5]byte
	if _, err := io.ReadFull(m.nc, head[:]); err != nil {
		return 0, "", err
	}
	data := make([]byte, binary.BigEndian.Uint32(head[:])-1)
	_, err := io.ReadFull(m.nc, data)
	return head[4], string(data), err
}

// event sends a frame and reads the reply that is due before end of message.
func (m *mta) event(cmd byte, data string) {
	m.t.Helper()
	m.send(cmd, data)
	if silence := silences[cmd]; silence != 0 && m.options&silence == 0 {
		if got, _ := m.receive(); got != 'c' {
			m.t.Fatalf("reply to %q: got %q, want 'c'", cmd, got)
		}
	}
}

// closed waits for the server to close the connection.
func (m *mta) closed() {
	m.t.Helper()
	if cmd, data, err := m.tryReceive(); err == nil {
		m.t.Fatalf("got frame %q %q, want the connection closed", cmd, data)
	} else if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		m.t.Fatal("the connection is still open")
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// Content of the usual frames.
const (
	theConnect = "client.example\x004\x00\x19192.0.2.1\x00"
	theHelo    = "client.example\x00"
	theMail    = "<a@example.com>\x00SIZE=10\x00"
	theRcpt    = "<b@example.net>\x00"
	theHeader  = "Subject\x00 hello\x00"
	theBody    = "text\r\n"
)

// verdict sends end of message and reads up to the final reply.
func (m *mta) verdict() (edits []string, reply string) {
	m.t.Helper()
	m.send('E', "")
	for {
		cmd, data := m.receive()
		switch cmd {
		case 'p':
		case 'a', 'c', 'd', 'r', 't', 'y':
			return edits, string(cmd) + data
		default:
			edits = append(edits, string(cmd)+data)
		}
	}
}

// begin sends a message up to its body.
func (m *mta) begin() {
	m.t.Helper()
	m.event('M', theMail)
	m.event('R', theRcpt)
	m.event('L', theHeader)
	m.event('N', "")
	m.event('B', theBody)
}

// eventually waits until ok reports true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not happen", what)
		}
	}
}
