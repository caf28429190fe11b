package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Sessions are kept for the next question, by whichever Reader: the first question of a
// new one takes long, as the server reads what it knows of the partitions. They are safe
// for concurrent use.
type Sessions struct {
	access Access
	most   int // that wait for a question

	mu     sync.Mutex
	idle   []session // who waited longest first
	closed bool
	prune  *time.Timer
}

type session struct {
	conn       *pgx.Conn
	begun, put time.Time
}

// The numbers are ours.
const (
	idleSessions = 4
	// sessionIdle is how long one waits for a question, and sessionAge how old it gets: after
	// a failover the place may be another server's.
	sessionIdle = time.Minute
	sessionAge  = 5 * time.Minute
	// aliveWithin is how long a session may take to show that it is alive.
	aliveWithin = 2 * time.Second
)

// NewSessions does not reach for the server.
func NewSessions(access Access) *Sessions { return &Sessions{access: access, most: idleSessions} }

// Reader reads a journal by these sessions, which its Close leaves open.
func (p *Sessions) Reader() *Reader { return &Reader{sessions: p, shared: true} }

// Close ends those that wait, and each other one once its question is answered.
func (p *Sessions) Close() error {
	p.mu.Lock()
	p.closed = true
	list := p.idle
	p.idle = nil
	if p.prune != nil {
		p.prune.Stop()
	}
	p.mu.Unlock()
	for _, s := range list {
		shut(s.conn)
	}
	return nil
}

// get is one that waited, if it is alive still, or a new one.
func (p *Sessions) get(ctx context.Context) (session, error) {
	for s, ok := p.pop(); ok; s, ok = p.pop() {
		if time.Since(s.begun) < sessionAge && alive(ctx, s.conn) {
			return s, nil
		}
		shut(s.conn)
	}
	conn, err := p.access.connect(ctx)
	if err != nil {
		return session{}, err
	}
	if _, err := checkSchema(ctx, conn); err != nil {
		shut(conn)
		return session{}, err
	}
	return session{conn: conn, begun: time.Now()}, nil
}

func alive(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	return conn.Ping(ctx) == nil
}

func (p *Sessions) pop() (s session, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		s, p.idle, ok = p.idle[n-1], p.idle[:n-1], true
	}
	return s, ok
}

func (p *Sessions) put(s session) {
	s.put = time.Now()
	p.mu.Lock()
	room := len(p.idle) < p.most && !p.closed
	if room {
		p.idle = append(p.idle, s)
		if p.most > 1 && p.prune == nil {
			p.prune = time.AfterFunc(sessionIdle, p.forget)
		}
	}
	p.mu.Unlock()
	if !room {
		shut(s.conn)
	}
}

// forget ends those that waited for long.
func (p *Sessions) forget() {
	p.mu.Lock()
	var old []session
	p.idle = slices.DeleteFunc(p.idle, func(s session) bool {
		if time.Since(s.put) < sessionIdle {
			return false
		}
		old = append(old, s)
		return true
	})
	p.prune = nil
	if len(p.idle) > 0 {
		p.prune = time.AfterFunc(sessionIdle, p.forget)
	}
	p.mu.Unlock()
	for _, s := range old {
		shut(s.conn)
	}
}
