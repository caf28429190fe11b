package milter

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"strings"

	protocol "github.com/emersion/go-milter"
)

// Session is one SMTP session as the filter sees it. All methods are called
// from one goroutine, in the order of the SMTP transaction:
//
//	Connect, Helo*, (Mail, Rcpt*, Header*, EndOfHeader, Body*, EndOfMessage, Done)*, Close
//
// Abort may come in place of everything between Mail and Done. Only EndOfMessage
// may take long; the other methods hold up the reading. After a panic only Done
// is called, if a message was under way, and Close.
type Session interface {
	// Connect tells who the SMTP client is. It is called once, first.
	Connect(Connect)
	// Helo tells the argument of HELO or EHLO, cut at 4 KiB. It may come again
	// (STARTTLS), or never.
	Helo(name string)
	// Mail starts a message; nothing of an earlier message is valid any more.
	Mail(Mail)
	Rcpt(Rcpt)
	// Header gives a field as on the wire: its name, and what follows the colon
	// with lines divided by LF. Where the MTA does not grant the leading space
	// (Conn.LeadingSpace), one space is put in front of value, the usual case.
	// The slices are valid during the call only.
	Header(name, value []byte)
	// EndOfHeader is called once in each message, before Body and EndOfMessage.
	EndOfHeader()
	// Body gives a piece of the body with CRLF line ends, which may be cut
	// anywhere. The slice is valid during the call only.
	Body(chunk []byte)
	// EndOfMessage asks for the verdict and ends the message. ctx ends when the
	// connection is lost or the server is cut off.
	EndOfMessage(ctx context.Context) Response
	// Abort ends the message without a verdict: RSET, a new MAIL or HELO, a
	// limit, or a lost connection.
	Abort()
	// Done tells what became of the message, once for each Mail. It is called when
	// the reply is composed and before it is sent; so it may also come when Mail or
	// another method has panicked. What it returns, if anything, is called once the
	// reply was written, or could not be; where there is none, it is as if written.
	Done(Outcome) (sent func(written bool))
	// Close ends the session. It is the last call.
	Close()
}

// Replier is a Session that has words of its own for a message without a Response.
// Like Done it may be asked after a panic.
type Replier interface {
	// Reply is for OverLimit, Failed and Unsendable. What an MTA would not pass on
	// is replaced by the server's Replies.
	Reply(End) Reply
}

// Outcome is what became of one message.
type Outcome struct {
	End End
	// Reply is what the MTA is told; the zero Reply for Aborted.
	Reply Reply
	// Problem says what stood in the way of a verdict or of telling it; empty for
	// Answered. It may quote text of the Session's.
	Problem string
	// HeaderEnded: the MTA came to the end of the header, whether or not the Session
	// was still told of it.
	HeaderEnded bool
}

// End is how a message ended.
type End int

// The ends of a message.
const (
	Answered   End = iota // with the Session's Response
	OverLimit             // with OnLimit
	Failed                // with OnPanic, as the Session panicked
	Unsendable            // with OnPanic or, where that is no 4xx, 451: the Response cannot be told to this MTA
	Aborted               // without a reply: the MTA gave it up
)

// Connect is the SMTP client as the MTA knows it.
type Connect struct {
	Host   string // the name found for the address, or "[address]"
	Family protocol.ProtoFamily
	Port   uint16
	// Addr is the client's address, an IPv4 one never in IPv6 form; invalid
	// when it is not known or the client came through a unix socket.
	Addr netip.Addr
	Path string // of a unix socket
}

// Mail is the command MAIL FROM.
type Mail struct {
	Address string   // without angle brackets and source route; "" is the null reverse-path
	Args    []string // ESMTP arguments: "SIZE=1000", "SMTPUTF8"
}

// Rcpt is the command RCPT TO.
type Rcpt struct {
	Address string
	Args    []string
}

// Longest texts that are kept of CONNECT and HELO, and most ESMTP arguments of
// one command. MTAs stop at 2 KiB and far fewer arguments.
const (
	maxGreeting = 4 << 10
	maxArgs     = 64
)

// parseConnect reads the content of CONNECT: name, family, port, address.
func parseConnect(data []byte) (Connect, bool) {
	host, rest, ok := bytes.Cut(data, nul)
	if !ok || len(rest) == 0 {
		return Connect{}, false
	}
	c := Connect{Host: string(clip(host)), Family: protocol.ProtoFamily(rest[0])}
	rest = rest[1:]
	switch c.Family {
	case protocol.FamilyInet, protocol.FamilyInet6:
		if len(rest) < 2 {
			return Connect{}, false
		}
		c.Port = binary.BigEndian.Uint16(rest)
		addr, _, ok := bytes.Cut(rest[2:], nul)
		if !ok {
			return Connect{}, false
		}
		c.Addr = parseAddr(string(clip(addr)))
	case protocol.FamilyUnix:
		// Sendmail sends a port of zero here too, others leave it out.
		rest = bytes.TrimLeft(rest, "\x00")
		path, _, _ := bytes.Cut(rest, nul)
		c.Path = string(clip(path))
	}
	return c, true
}

// parseAddr reads an address; Sendmail writes IPv6 as "IPv6:" and the address.
func parseAddr(text string) netip.Addr {
	const tag = "IPv6:"
	if len(text) > len(tag) && strings.EqualFold(text[:len(tag)], tag) {
		text = text[len(tag):]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// terminated reports whether data is a list of strings, each with its NUL.
func terminated(data []byte) bool { return len(data) > 0 && data[len(data)-1] == 0 }

// parsePath reads the content of MAIL and RCPT: the path, then ESMTP arguments.
func parsePath(data []byte) (raw string, args []string) {
	raw, rest, _ := strings.Cut(string(data), "\x00")
	if rest != "" {
		args = strings.Split(rest[:len(rest)-1], "\x00")
	}
	return raw, args
}

// Mailbox takes the brackets and the source route off a path (RFC 5321 section
// 4.1.2 and appendix C). Everything else stays as it is.
func Mailbox(path string) string {
	if len(path) >= 2 && path[0] == '<' && path[len(path)-1] == '>' {
		path = path[1 : len(path)-1]
	}
	if !strings.HasPrefix(path, "@") {
		return path
	}
	literal := false // a colon within an address literal does not end the route
	for i := range len(path) {
		switch path[i] {
		case '[':
			literal = true
		case ']':
			literal = false
		case ':':
			if !literal {
				return path[i+1:]
			}
		}
	}
	return path
}

// parseHeader reads the content of HEADER. Without leading space granted it
// puts one in front of the value, over the NUL that ended the name.
func parseHeader(data []byte, leadingSpace bool) (name, value []byte, ok bool) {
	end := bytes.IndexByte(data, 0)
	last := len(data) - 1
	if end < 0 || end == last || bytes.IndexByte(data[end+1:], 0) != last-end-1 {
		return nil, nil, false
	}
	if leadingSpace {
		return data[:end:end], data[end+1 : last : last], true
	}
	data[end] = ' '
	return data[:end:end], data[end:last:last], true
}

var nul = []byte{0}

// clippedMail reads MAIL and cuts it at the limits.
func clippedMail(data []byte) Mail {
	raw, args := parsePath(data)
	raw = raw[:min(len(raw), maxGreeting)]
	return Mail{Address: Mailbox(raw), Args: args[:min(len(args), maxArgs)]}
}

// clip cuts what is kept of a text that the protocol does not limit.
func clip(b []byte) []byte { return b[:min(len(b), maxGreeting)] }
