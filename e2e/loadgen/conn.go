// Package loadgen plays the MTA side of the milter protocol as fast as it can,
// to measure a running alignd: what Postfix sends for each message, one
// connection for an SMTP session, no answer awaited but that at end of message.
// It makes its mail and the DNS zone for it, from a seed.
//
// It shares no code with alignd's own protocol package, and is no stand-in for
// an MTA: it takes no edits and knows one client.
package loadgen

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// MaxChunk is how much of a body goes into one frame. Postfix and Sendmail.
const MaxChunk = 65535

// patience is how long one write or answer may take.
const patience = 2 * time.Minute

// Client is the address that all mail comes from.
const Client = "192.0.2.1"

// Conn is one milter connection. Not safe for concurrent use.
type Conn struct {
	nc  net.Conn
	in  *bufio.Reader
	out []byte
}

// Dial connects, negotiates and begins an SMTP session.
func Dial(network, address string) (*Conn, error) {
	nc, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, in: bufio.NewReaderSize(nc, 2048)}
	offer := make([]byte, 0, 12)
	for _, n := range []uint32{6, 0x1ff, 0x1fffff} { // what Postfix offers
		offer = binary.BigEndian.AppendUint32(offer, n)
	}
	c.frame('O', string(offer))
	if err := c.flush(); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	if code, err := c.answer(); err != nil || code != 'O' {
		return nil, errors.Join(fmt.Errorf("negotiation: answer %q, %w", code, err), nc.Close())
	}
	c.frame('D', "Cj\x00mx.here.example\x00{daemon_name}\x00smtpd\x00v\x00Postfix\x00")
	c.frame('C', "mail.provider.example\x004\x9c\x40"+Client+"\x00")
	c.frame('H', "mail.provider.example\x00")
	return c, c.flush()
}

func (c *Conn) frame(code byte, data string) {
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(1+len(data)))
	c.out = append(append(c.out, code), data...)
}

func (c *Conn) flush() error {
	c.nc.SetDeadline(time.Now().Add(patience))
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

// answer reads one frame.
func (c *Conn) answer() (code byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, err
	}
	_, err = c.in.Discard(int(binary.BigEndian.Uint32(head[:])) - 1)
	return head[4], err
}

// Begin sends a message from MAIL to end of header.
func (c *Conn) Begin(m *Message) error {
	c.frame('D', "M{mail_addr}\x00"+m.From+"\x00")
	c.frame('M', "<"+m.From+">\x00")
	c.frame('D', "Ri\x004F3A91C0DE\x00{rcpt_addr}\x00b@here.example\x00")
	c.frame('R', "<b@here.example>\x00")
	c.frame('T', "")
	for _, f := range m.Fields {
		c.frame('L', f.Name+"\x00"+f.Value+"\x00")
	}
	c.frame('D', "Ni\x004F3A91C0DE\x00")
	c.frame('N', "")
	return c.flush()
}

// Body sends at most MaxChunk octets.
func (c *Conn) Body(p []byte) error {
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(1+len(p)))
	c.out = append(append(c.out, 'B'), p...)
	return c.flush()
}

// End sends the end of the message and returns the final reply: 'a' for
// accept, 'y' for a reply code.
func (c *Conn) End() (reply byte, err error) {
	c.frame('D', "Ei\x004F3A91C0DE\x00")
	c.frame('E', "")
	if err := c.flush(); err != nil {
		return 0, err
	}
	for {
		switch reply, err = c.answer(); {
		case err != nil:
			return 0, err
		case reply == 'a' || reply == 'c' || reply == 'y' || reply == 'r' || reply == 't' || reply == 'd':
			c.frame('A', "") // as Postfix ends each message; it goes with what comes next
			return reply, nil
		}
	}
}

// Send plays a whole message. eom is the time from its last octet to the reply.
func (c *Conn) Send(m *Message) (reply byte, eom time.Duration, err error) {
	if err := c.Begin(m); err != nil {
		return 0, 0, err
	}
	for rest := m.Body; len(rest) > 0; {
		n := min(len(rest), MaxChunk)
		if err := c.Body(rest[:n]); err != nil {
			return 0, 0, err
		}
		rest = rest[n:]
	}
	start := time.Now()
	reply, err = c.End()
	return reply, time.Since(start), err
}

// Close ends the session.
func (c *Conn) Close() error {
	c.frame('Q', "")
	return errors.Join(c.flush(), c.nc.Close())
}
