// Package probe sends one message through a running filter, as an MTA would, and
// says what came back. It speaks the protocol with go-milter's client, which knows
// nothing of our server.
//
// The message is nobody's: its names are below .invalid (RFC 2606), which no
// resolver finds anywhere, so there is no policy to honour, no report to send and
// no domain whose figures it could spoil. Its client is an address for
// documentation (RFC 5737). It never reaches an MTA, so nothing is delivered.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-milter"
)

// What the message shows in log and record.
const (
	Domain  = "alignd-probe.invalid"
	Address = "probe@" + Domain
)

// Client is the address that the message pretends to come from.
var Client = netip.MustParseAddr("203.0.113.254")

// Options say how to send the message.
type Options struct {
	Network, Address string // as net.Dial wants them
	// Host is the MTA's name, macro {j}: the authserv-id, if the filter has none.
	Host string
	// QueueID is what the filter's log calls the message.
	QueueID string
	// Client is the SMTP client; zero: Client.
	Client netip.Addr
	Now    time.Time
	// Timeout bounds it all.
	Timeout time.Duration
}

// Result is what came back.
type Result struct {
	// Results is the value of the Authentication-Results that was inserted, unfolded;
	// empty: none.
	Results string
	// Fields are the names of all header fields that were inserted.
	Fields []string
	// Held: the filter wants the message in the hold queue, for this reason.
	Held   bool
	Reason string
	// Code and Text are the reply in place of "250": 0 when the message is accepted.
	Code int
	Text string
	// Connected is when the filter had answered the negotiation, Took all.
	Connected, Took time.Duration
}

// offered is what Postfix offers a filter: all of protocol version 6.
const (
	offeredActions  = milter.OptAction(0x1ff)
	offeredProtocol = milter.OptProtocol(0x1fffff)
)

// Send sends the message and waits for the answer. An error means that the filter could not be
// reached or did not answer as one; Result then tells how far it came.
func Send(ctx context.Context, o Options) (r Result, err error) {
	if !o.Client.IsValid() {
		o.Client = Client
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	begun := time.Now()
	defer func() {
		r.Took = time.Since(begun)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("no answer within %s: %w", o.Timeout, err)
		}
	}()
	d := &dialer{ctx: ctx}
	defer d.close()
	s, err := milter.NewClientWithOptions(o.Network, o.Address, milter.ClientOptions{
		Dialer: d, ReadTimeout: 2 * o.Timeout, WriteTimeout: 2 * o.Timeout, // the context ends first
		ActionMask: offeredActions, ProtocolMask: offeredProtocol,
	}).Session()
	if err != nil {
		return r, err
	}
	r.Connected = time.Since(begun)
	if err := r.message(s, &o); err != nil {
		return r, err
	}
	return r, s.Close()
}

// dialer connects, and cuts the connection when the time is over: progress of the filter
// would extend the client's own timeouts for ever.
type dialer struct {
	ctx  context.Context
	mu   sync.Mutex
	conn net.Conn
	stop func() bool
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = &bounded{Conn: conn, left: maxAnswer}
	d.stop = context.AfterFunc(d.ctx, func() { conn.Close() })
	return d.conn, nil
}

// maxAnswer is how many octets are read, all replies together; ours. The client keeps
// what a filter wants changed, however much that is.
const maxAnswer = 4 << 20

var errMuch = fmt.Errorf("more than %d octets of answers", maxAnswer)

// bounded is a connection from which no more than left octets are read.
type bounded struct {
	net.Conn
	left int
}

func (c *bounded) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errMuch
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// close also ends a connection that failed in its negotiation, which the client leaves open.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.stop()
		d.conn.Close()
	}
}

// errEarly: a filter may answer any event, which then decides on the message.
var errEarly = errors.New("answered")

// message goes through one SMTP transaction.
func (r *Result) message(s *milter.ClientSession, o *Options) error {
	family := milter.FamilyInet
	if o.Client.Unmap().Is6() {
		family = milter.FamilyInet6
	}
	next := func(a *milter.Action, err error) error {
		if err != nil {
			return err
		}
		if a.Code != milter.ActContinue {
			r.answer(a)
			return errEarly
		}
		return nil
	}
	// A name that was never asked for has the resolver answer each time, and not a cache.
	from := "probe@" + o.QueueID + "." + Domain
	fields, body := Message(o.Now, o.QueueID)
	steps := []func() error{
		func() error {
			return s.Macros(milter.CodeConn, "j", o.Host, "{daemon_name}", "alignd-probe", "{client_addr}", o.Client.String())
		},
		func() error { return next(s.Conn("["+o.Client.String()+"]", family, 25, o.Client.String())) },
		func() error { return next(s.Helo(Domain)) },
		func() error { return s.Macros(milter.CodeMail, "i", o.QueueID, "{mail_addr}", from) },
		func() error { return next(s.Mail(from, nil)) },
		func() error { return s.Macros(milter.CodeRcpt, "i", o.QueueID, "{rcpt_addr}", Address) },
		func() error { return next(s.Rcpt(Address, nil)) },
		func() error { return s.Macros(milter.CodeData, "i", o.QueueID) },
	}
	for _, f := range fields {
		steps = append(steps, func() error { return next(s.HeaderField(f[0], f[1])) })
	}
	steps = append(steps,
		func() error { return next(s.HeaderEnd()) },
		func() error { return next(s.BodyChunk(body)) },
		func() error { return s.Macros(milter.CodeEOB, "i", o.QueueID) })
	for _, step := range steps {
		if err := step(); errors.Is(err, errEarly) {
			return nil
		} else if err != nil {
			return err
		}
	}
	edits, action, err := s.End()
	if err != nil {
		return err
	}
	r.edits(edits)
	r.answer(action)
	return nil
}

// Message is the canned message: fields with their values as they follow the colon, and
// the body.
func Message(now time.Time, id string) (fields [][2]string, body []byte) {
	return [][2]string{
		{"From", " alignd probe <" + Address + ">"},
		{"To", " " + Address},
		{"Subject", " probe of the mail filter"},
		{"Date", " " + now.Format(time.RFC1123Z)},
		{"Message-ID", " <" + id + "@" + Domain + ">"},
		{"Auto-Submitted", " auto-generated"}, // RFC 3834
	}, []byte("A message of alignd probe. It is never delivered.\r\n")
}

func (r *Result) edits(edits []milter.ModifyAction) {
	for _, e := range edits {
		switch e.Code {
		case milter.ActInsertHeader, milter.ActAddHeader:
			r.Fields = append(r.Fields, e.HeaderName)
			if strings.EqualFold(e.HeaderName, "Authentication-Results") {
				r.Results = strings.Join(strings.Fields(e.HeaderValue), " ")
			}
		case milter.ActQuarantine:
			r.Held, r.Reason = true, e.Reason
		}
	}
}

// answer keeps the reply as the SMTP client would get it from Postfix.
func (r *Result) answer(a *milter.Action) {
	switch a.Code {
	case milter.ActReject:
		r.Code, r.Text = 550, "5.7.1 Command rejected"
	case milter.ActTempFail:
		r.Code, r.Text = 451, "4.7.1 Service unavailable"
	case milter.ActReplyCode:
		r.Code, r.Text = a.SMTPCode, string(bytes.ReplaceAll([]byte(a.SMTPText), []byte("%%"), []byte("%")))
	case milter.ActDiscard:
		r.Text = "discarded"
	}
}
