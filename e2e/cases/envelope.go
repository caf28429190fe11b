package cases

import (
	"net/netip"
	"strings"
)

// Envelope is what `alignd check` must be told about one message of a session.
type Envelope struct {
	Step       Step // the data step
	IP         netip.Addr
	HELO, From string
	Rcpts      []string // those that the MTA took
}

// Envelopes follows the session as far as check's arguments go: one Envelope a
// message, in order.
func (c *Case) Envelopes() []Envelope {
	var all []Envelope
	var e Envelope
	for _, s := range c.Steps {
		switch s.Verb {
		case "connect":
			e = Envelope{IP: s.Addr}
		case "helo", "ehlo":
			e.HELO = s.Text
		case "rset":
			e.From, e.Rcpts = "", nil
		case "mail":
			e.From, e.Rcpts = s.Address(), nil
		case "rcpt":
			if strings.HasPrefix(s.Want, "2") {
				e.Rcpts = append(e.Rcpts, s.Address())
			}
		case "data":
			e.Step = s
			all = append(all, e)
		}
	}
	return all
}

// Args are the arguments for check that tell the envelope.
func (e *Envelope) Args() []string {
	args := []string{"--helo", e.HELO, "--mail-from", e.From}
	if e.IP.IsValid() {
		args = append(args, "--ip", e.IP.String())
	}
	for _, r := range e.Rcpts {
		args = append(args, "--rcpt", r)
	}
	return args
}
