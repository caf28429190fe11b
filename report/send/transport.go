package send

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Transport hands mail on. Send returns nil once the mail is taken, a *Refusal where it
// is not, ErrLost where that is not known, and any other error where it was not offered.
type Transport interface {
	Send(ctx context.Context, from, to string, mail []byte) error
}

// Refusal is a reply that says no.
type Refusal struct {
	// Temporary: later may be better. So is what the relay says of us and not of the mail:
	// refusals of AUTH and of MAIL FROM, and policies (RFC 3463 class 5.7) before the mail.
	Temporary bool
	// NoMailbox: there is no such address.
	NoMailbox bool
	Text      string
}

func (r *Refusal) Error() string { return r.Text }

// ErrLost: the mail was offered as a whole, and the answer did not come.
var ErrLost = errors.New("the answer to the mail was lost")

// TLS says what of STARTTLS (RFC 3207).
type TLS string

// The modes.
const (
	TLSOffered TLS = "offered" // where it is offered; names of certificates are not checked
	TLSRequire TLS = "require" // always, and checked
	TLSNone    TLS = "none"
)

// SMTP sends to a relay.
type SMTP struct {
	Network, Address string // "tcp" and HOST:PORT, or "unix" and a path
	Hello            string // our name
	TLS              TLS
	// User and Password are for AUTH PLAIN (RFC 4954), with TLS or on this host only.
	User, Password string
}

// Times that RFC 5321 section 4.5.3.2 wants to be waited at least.
const (
	dialTime    = time.Minute
	commandTime = 5 * time.Minute
	finalTime   = 10 * time.Minute
)

// Send implements Transport.
func (s *SMTP) Send(ctx context.Context, from, to string, mail []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // which closes the connections
	c, err := s.connect(ctx)
	if err != nil {
		return ours(err)
	}
	defer c.Close()
	if s.User != "" {
		if err := c.Auth(sasl.NewPlainClient("", s.User, s.Password)); err != nil {
			return ours(fmt.Errorf("AUTH: %w", err))
		}
	}
	if err := c.Mail(from, nil); err != nil {
		return ours(err)
	}
	if err := c.Rcpt(to, nil); err != nil {
		return recipient(err)
	}
	w, err := c.Data()
	if err != nil {
		return ours(err)
	}
	if _, err := w.Write(mail); err != nil {
		return refusal(err) // without the final dot nothing was taken
	}
	err = w.Close()
	var reply *smtp.SMTPError
	switch {
	case err == nil:
		c.Quit() // the mail is taken whatever becomes of this
		return nil
	case errors.As(err, &reply):
		return refusal(err)
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// connect greets the relay, in TLS as the mode says.
func (s *SMTP) connect(ctx context.Context) (*smtp.Client, error) {
	c, err := s.dial(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := c.Hello(s.Hello); err != nil {
		c.Close()
		return nil, err
	}
	offered, _ := c.Extension("STARTTLS")
	mode := s.mode()
	switch {
	case mode == TLSNone || mode == TLSOffered && !offered:
		return c, nil
	case !offered:
		c.Close()
		return nil, errors.New("the relay offers no STARTTLS, which is required")
	}
	c.Close()
	host, _, _ := net.SplitHostPort(s.Address)
	if c, err = s.dial(ctx, &tls.Config{ServerName: host, InsecureSkipVerify: mode == TLSOffered}); err != nil {
		return nil, fmt.Errorf("STARTTLS: %w", err)
	}
	if err := c.Hello(s.Hello); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// dial makes a connection that ends with ctx: a relay that has no process free takes
// connections and greets nobody, and who stops alignd does not wait for that.
func (s *SMTP) dial(ctx context.Context, config *tls.Config) (*smtp.Client, error) {
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, s.Network, s.Address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	var c *smtp.Client
	if config == nil {
		c = smtp.NewClient(conn)
	} else if c, err = smtp.NewClientStartTLS(conn, config); err != nil {
		return nil, err
	}
	c.CommandTimeout, c.SubmissionTimeout = commandTime, finalTime
	return c, nil
}

// mode is TLS, but a password goes to another host only where its certificate is right.
func (s *SMTP) mode() TLS {
	host, _, _ := net.SplitHostPort(s.Address)
	ip, err := netip.ParseAddr(host)
	if s.User == "" || s.Network == "unix" || err == nil && ip.IsLoopback() {
		return s.TLS
	}
	return TLSRequire
}

// ours is a refusal that is about us.
func ours(err error) error {
	err = refusal(err)
	var no *Refusal
	if errors.As(err, &no) {
		no.Temporary = true
	}
	return err
}

// recipient is a refusal of RCPT TO.
func recipient(err error) error {
	out := refusal(err)
	var reply *smtp.SMTPError
	var no *Refusal
	if !errors.As(err, &reply) || !errors.As(out, &no) || no.Temporary {
		return out
	}
	code := reply.EnhancedCode
	plain := code[0] != 5 || code[1] == 0 // it says no more than the code of three digits
	switch {
	case !plain && code[1] == 7, plain && reply.Code == 554:
		no.Temporary = true
	case !plain && code[1] == 1, plain && (reply.Code == 550 || reply.Code == 551 || reply.Code == 553):
		no.NoMailbox = true
	}
	return out
}

// refusal is err, or the Refusal that a reply is.
func refusal(err error) error {
	var reply *smtp.SMTPError
	if errors.As(err, &reply) {
		return &Refusal{Temporary: reply.Temporary(), Text: fmt.Sprintf("%d %s", reply.Code, strings.ReplaceAll(reply.Message, "\n", " "))}
	}
	return err
}
