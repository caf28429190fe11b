package milter

import (
	"context"

	protocol "github.com/emersion/go-milter"
)

// Conn is what a Session may ask about its connection. Its methods belong to the
// goroutine that calls the Session; Context alone may be used by others.
type Conn struct {
	id      string
	ctx     context.Context
	macros  macros
	version uint32
	actions protocol.OptAction
	options protocol.OptProtocol
}

// ID names the connection in logs. It is unique in the life of the process.
func (c *Conn) ID() string { return c.id }

// Context ends when the connection ends or the server is cut off.
func (c *Conn) Context() context.Context { return c.ctx }

// Macro returns the value of an MTA macro, with or without braces around a long
// name: "j", "{auth_type}". Of several stages that gave it the latest one counts;
// an empty value is the same as none.
func (c *Conn) Macro(name string) string { return c.macros.lookup(name) }

// QueueID is the MTA's name of the message, macro i. Postfix tells it at the
// first header field at the latest; Sendmail at MAIL.
func (c *Conn) QueueID() string { return c.Macro("i") }

// LeadingSpace reports whether header values come with the space that the
// message had after the colon.
func (c *Conn) LeadingSpace() bool { return c.options&protocol.OptHeaderLeadingSpace != 0 }

// Grants reports whether the MTA will carry out edits of this kind.
func (c *Conn) Grants(op Op) bool { return needs[op] != 0 && c.actions&needs[op] != 0 }

// Version is the protocol version in use, 2 to 6.
func (c *Conn) Version() int { return int(c.version) }
