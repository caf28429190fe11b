// Package play plays the session of a case to an MTA and hands back what
// became of each message. The MTA is a real Postfix or a stand-in that speaks
// milter to alignd itself; the case does not know which.
package play

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"alignd/e2e/cases"
	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
)

// deliveryTimeout is how long a message may take from Postfix's 250 to the
// sink. Unit: time. It takes well below a second.
const deliveryTimeout = 20 * time.Second

// MTA takes SMTP sessions.
type MTA interface {
	Dial(peer mta.Peer) (Conn, error)
}

// Conn is one SMTP session. An error means that the session broke, or that
// the MTA did what no MTA should; a refusal is a reply.
type Conn interface {
	Command(line string) (mta.Reply, error)
	// Data sends a message and waits for its delivery. A message that was held
	// is released first, so that it can be looked at.
	Data(message []byte, held bool) (Outcome, error)
	Close() error
}

// Outcome is what became of one message.
type Outcome struct {
	Step      cases.Step // the data step
	Sent      []byte
	Reply     mta.Reply
	Delivered []byte // nil when it was not accepted
	Held      bool
}

// Play runs the steps of c in order and calls seen after each data step. It
// stops at the first reply that is not the wanted one. d is the daemon behind
// m, for cases that stop and start it.
func Play(c *cases.Case, m MTA, d *daemon.Daemon, seen func(Outcome)) error {
	p := player{c: c, mta: m, daemon: d, seen: seen}
	defer p.close()
	for _, s := range c.Steps {
		if err := p.step(s); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", filepath.Join(c.Dir, "session"), s.Line, s.Verb, err)
		}
	}
	return nil
}

type player struct {
	c      *cases.Case
	mta    MTA
	daemon *daemon.Daemon
	seen   func(Outcome)
	conn   Conn
}

func (p *player) step(s cases.Step) error {
	switch s.Verb {
	case "mta": // the caller chose the MTA by it
		return nil
	case "alignd":
		return p.control(s.Text)
	case "connect":
		p.close()
		var err error
		p.conn, err = p.mta.Dial(mta.Peer{Addr: s.Addr, Name: s.Name, User: s.User})
		return err
	}
	if p.conn == nil {
		return errors.New("no connection yet")
	}
	if s.Verb == "data" {
		return p.data(s)
	}
	reply, err := p.conn.Command(s.Command())
	if err != nil {
		return err
	}
	return want(s, reply)
}

func (p *player) data(s cases.Step) error {
	message, err := p.c.Message(s)
	if err != nil {
		return err
	}
	out, err := p.conn.Data(message, s.Held)
	if err != nil {
		return err
	}
	out.Step, out.Sent = s, message
	p.seen(out)
	if s.Held != out.Held {
		return fmt.Errorf("held: want %v, got %v", s.Held, out.Held)
	}
	return want(s, out.Reply)
}

func (p *player) control(what string) error {
	switch what {
	case "stop":
		return p.daemon.Stop()
	case "start":
		return p.daemon.Start()
	case "restart":
		return errors.Join(p.daemon.Stop(), p.daemon.Start())
	}
	if err := p.daemon.Reload(); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // a signal has no answer
	return nil
}

func (p *player) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

func want(s cases.Step, reply mta.Reply) error {
	if !cases.Match(s.Want, reply.String()) {
		return fmt.Errorf("want the reply %q, got %q", s.Want, reply)
	}
	return nil
}

// Config writes the configuration that a case's daemon runs with: the case's
// own with the files that it may name, and the DNS server at dns unless the
// case names servers itself. It keeps no journal unless the case does.
func Config(c *cases.Case, dir, dns string) (string, error) {
	var text []byte
	if c.Config != "" {
		var err error
		if text, err = os.ReadFile(c.Config); err != nil {
			return "", err
		}
		if err := copyNamed(c, dir); err != nil {
			return "", err
		}
	}
	all := string(text)
	server := fmt.Sprintf("servers: [%q]\n", dns)
	if before, after, ok := strings.Cut("\n"+all, "\ndns:\n"); ok {
		all = strings.TrimPrefix(before, "\n") + "\ndns:\n  " + server + after
	} else {
		all += "\ndns:\n  " + server
	}
	if !strings.Contains("\n"+all, "\njournal:") {
		all += daemon.NoJournal
	}
	path := filepath.Join(dir, c.Name+".yaml")
	return path, os.WriteFile(path, []byte(all), 0o644)
}

// copyNamed copies the files beside config.yaml that it may name.
func copyNamed(c *cases.Case, dir string) error {
	for _, pattern := range []string{"*.yaml", "*.txt"} {
		files, err := filepath.Glob(filepath.Join(c.Dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stand is the stand-in MTA.
type Stand struct{ fakemta.Options }

// Dial begins a session.
func (m Stand) Dial(peer mta.Peer) (Conn, error) {
	return standConn{fakemta.Dial(m.Options, peer)}, nil
}

type standConn struct{ s *fakemta.Session }

func (c standConn) Command(line string) (mta.Reply, error) { return c.s.Command(line), nil }
func (c standConn) Close() error                           { return c.s.Close() }

func (c standConn) Data(message []byte, _ bool) (Outcome, error) {
	r := c.s.Data(message)
	return Outcome{Reply: r.Reply, Held: r.Held, Delivered: r.Delivered}, nil
}

// Postfix is one smtpd line of a real Postfix.
type Postfix struct {
	*mta.Postfix
	Line string
}

// Dial begins a session.
func (m Postfix) Dial(peer mta.Peer) (Conn, error) {
	c, err := mta.Dial(m.Addr(m.Line), peer)
	if err != nil {
		return nil, err
	}
	return &postfixConn{Client: c, mta: m.Postfix}, nil
}

type postfixConn struct {
	*mta.Client
	mta *mta.Postfix
}

func (c *postfixConn) Command(line string) (mta.Reply, error) { return c.Client.Command("%s", line) }

func (c *postfixConn) Data(message []byte, held bool) (Outcome, error) {
	reply, err := c.Client.Data(message)
	out := Outcome{Reply: reply}
	id := reply.QueueID()
	if err != nil || id == "" {
		return out, err
	}
	if held {
		if out.Held, err = c.mta.Held(id); err != nil || !out.Held {
			return out, err
		}
		if err := c.mta.Release(id); err != nil {
			return out, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), deliveryTimeout)
	defer cancel()
	d, err := c.mta.Sink().Wait(ctx, id)
	if err != nil {
		queue, _ := c.mta.Queue()
		return out, fmt.Errorf("%w; the queue:\n%s", err, queue)
	}
	out.Delivered = d.Data
	return out, nil
}
