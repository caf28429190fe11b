package milter

import (
	"context"

	protocol "github.com/emersion/go-milter"
)

// Conn is what a Session may ask about its connection. Its methods belong to the
// goroutine that calls the Session; Context alone may be used by others.
type Conn struct {
	id      string // names the connection in logs; unique in the life of the process
	ctx     context.Context
	macros  macros
	version uint32
	actions protocol.OptAction
	options protocol.OptProtocol
}

// Context ends when the connection ends or the server is cut off; that of the zero
// Conn never does.
func (c *Conn) Context() context.Context {
	if c.ctx == nil {
		return context.Background()
	}
	return c.ctx
}

// Macro returns the value of an MTA macro, with or without braces around a long
// name: "j", "{auth_type}". Of several events that it came with the latest one counts;
// an empty value is the same as none.
func (c *Conn) Macro(name string) string { return c.macros.lookup(name) }

// QueueID is the MTA's name of the message, macro i. Postfix tells it at the
// first header field at the latest; Sendmail at MAIL.
func (c *Conn) QueueID() string { return c.Macro("i") }

// LeadingSpace reports whether header values come with the space that the
// message had after the colon. MTAs grant it from version 6 of the protocol on.
func (c *Conn) LeadingSpace() bool { return c.options&protocol.OptHeaderLeadingSpace != 0 }
