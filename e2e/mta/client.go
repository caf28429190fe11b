package mta

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// replyTimeout is how long a Client waits for one reply; longer than
// Postfix's own patience with a milter (300 s for content) would hide a hang
// no better, so tests end sooner. Unit: time.
const replyTimeout = 90 * time.Second

// Reply is one SMTP reply.
type Reply struct {
	Code int
	Text string // without the code, lines joined by "\n"
}

// String is the reply as one line.
func (r Reply) String() string {
	return strconv.Itoa(r.Code) + " " + strings.ReplaceAll(r.Text, "\n", " ")
}

// QueueID is the ID in Postfix's or Sendmail's answer to DATA; empty in any
// other reply.
func (r Reply) QueueID() string {
	if r.Code != 250 {
		return ""
	}
	if _, id, ok := strings.Cut(r.Text, "queued as "); ok { // Postfix
		return id
	}
	if before, ok := strings.CutSuffix(r.Text, " Message accepted for delivery"); ok { // Sendmail
		return before[strings.LastIndexByte(before, ' ')+1:]
	}
	return ""
}

// Client is an SMTP client that sends what it is told to, byte for byte. Its
// errors are those of the connection; a refusal is a Reply. Not safe for
// concurrent use.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

// Peer is whom the client claims to be, by XCLIENT.
type Peer struct {
	Addr netip.Addr // zero: no XCLIENT, the client stays 127.0.0.1
	Name string     // empty: [UNAVAILABLE], so Postfix knows no name
	User string     // SASL login name; empty when not authenticated
}

// Dial connects, reads the greeting and becomes peer.
func Dial(addr string, peer Peer) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriterSize(conn, 64<<10)}
	if err := c.become(peer); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) become(peer Peer) error {
	if err := expect(220)(c.read()); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	if !peer.Addr.IsValid() {
		return nil
	}
	if err := expect(250)(c.Command("EHLO client.test")); err != nil {
		return fmt.Errorf("EHLO before XCLIENT: %w", err)
	}
	if err := expect(220)(c.Command("%s", xclient(peer))); err != nil {
		return fmt.Errorf("XCLIENT: %w", err)
	}
	return nil
}

func xclient(peer Peer) string {
	addr, name := peer.Addr.String(), peer.Name
	if peer.Addr.Is6() {
		addr = "IPV6:" + addr
	}
	if name == "" {
		name = "[UNAVAILABLE]"
	}
	cmd := "XCLIENT NAME=" + name + " ADDR=" + addr
	if peer.User != "" {
		cmd += " LOGIN=" + peer.User
	}
	return cmd
}

// Command sends one line and reads its reply.
func (c *Client) Command(format string, args ...any) (Reply, error) {
	fmt.Fprintf(c.w, format+"\r\n", args...)
	if err := c.w.Flush(); err != nil {
		return Reply{}, err
	}
	return c.read()
}

// Data sends DATA and the message, and returns the last reply. Line ends LF
// become CRLF; a bare CR stays. Dots are stuffed.
func (c *Client) Data(message []byte) (Reply, error) {
	return c.DataFrom(bytes.NewReader(message))
}

// DataFrom is Data for a message that is too large to hold.
func (c *Client) DataFrom(message io.Reader) (Reply, error) {
	reply, err := c.Command("DATA")
	if err != nil || reply.Code != 354 {
		return reply, err
	}
	if err := copyLines(c.w, message); err != nil {
		return Reply{}, err
	}
	return c.Command(".")
}

// copyLines writes the lines of r with CRLF and stuffed dots (RFC 5321 section
// 4.5.2); a last line without end gets one.
func copyLines(w *bufio.Writer, r io.Reader) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	start, ended := true, true
	var last byte
	for {
		part, err := lines.ReadSlice('\n')
		if len(part) > 0 {
			if start && part[0] == '.' {
				w.WriteByte('.')
			}
			ended = part[len(part)-1] == '\n'
			if ended {
				part = part[:len(part)-1]
			}
			w.Write(part)
			if len(part) > 0 {
				last = part[len(part)-1]
			}
			if ended && last != '\r' {
				w.WriteByte('\r')
			}
			if ended {
				w.WriteByte('\n')
				last = 0
			}
		}
		start = ended
		switch err {
		case nil, bufio.ErrBufferFull:
		case io.EOF:
			if !ended {
				w.WriteString("\r\n")
			}
			return nil // a write error shows at the next Flush
		default:
			return err
		}
	}
}

// Close ends the session with QUIT.
func (c *Client) Close() error {
	c.Command("QUIT") // the connection goes away whatever the answer
	return c.conn.Close()
}

// Cut closes the connection without a word.
func (c *Client) Cut() error { return c.conn.Close() }

func (c *Client) read() (Reply, error) {
	c.conn.SetReadDeadline(time.Now().Add(replyTimeout))
	var reply Reply
	for n := 0; ; n++ {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return Reply{}, fmt.Errorf("reading an SMTP reply: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return Reply{}, fmt.Errorf("not an SMTP reply: %q", line)
		}
		if reply.Code, err = strconv.Atoi(line[:3]); err != nil {
			return Reply{}, fmt.Errorf("not an SMTP reply: %q", line)
		}
		if n > 0 {
			reply.Text += "\n"
		}
		if len(line) > 4 {
			reply.Text += line[4:]
		}
		if len(line) == 3 || line[3] == ' ' {
			return reply, nil
		}
	}
}

// expect makes an error of every reply that does not have this code.
func expect(code int) func(Reply, error) error {
	return func(r Reply, err error) error {
		if err != nil {
			return err
		}
		if r.Code != code {
			return fmt.Errorf("want %d, got %s", code, r)
		}
		return nil
	}
}
