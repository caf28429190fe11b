// Package fakemta stands in for an MTA where none is installed: it drives a
// milter with go-milter's client, an implementation of the protocol that is
// independent of ours, and answers as Postfix would. It carries out the edits
// that the milter asks for, so that the delivered message can be looked at.
//
// What it leaves out is left out on purpose: no queue, no limits, and no
// syntax checks beyond what the cases need. The real Postfix has the last
// word.
package fakemta

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-milter"

	"alignd/e2e/mta"
)

// Options say how the stand-in behaves.
type Options struct {
	Network, Address string // of the milter
	// Old offers neither no-reply bits nor the leading-space bit, like
	// Postfix with milter_protocol=2.
	Old bool
	// NoSkip does not offer SMFIP_SKIP, whose answer go-milter's client cannot read.
	NoSkip bool
	// Timeout is how long it waits for an answer; 0 is a minute.
	Timeout time.Duration
}

// Session is one SMTP session. Not safe for concurrent use.
type Session struct {
	opt     Options
	peer    mta.Peer
	milter  *milter.ClientSession // nil once it failed: then 451, as with milter_default_action=tempfail
	rcpts   int
	mail    bool
	queueID string
}

var queued atomic.Int64

// unavailable is what Postfix says while a milter is away.
var unavailable = mta.Reply{Code: 451, Text: "4.7.1 Service unavailable - try again later"}

// What Postfix offers a milter of version 6.
const (
	allActions  = milter.OptAction(0x1ff)
	allProtocol = milter.OptProtocol(0x1fffff)
	leadingWSP  = milter.OptProtocol(1 << 20) // SMFIP_HDR_LEADSPC
	skip        = milter.OptProtocol(1 << 10) // SMFIP_SKIP
)

// Dial begins a session of peer. A milter that is away is not an error: the
// session then answers as Postfix does.
func Dial(opt Options, peer mta.Peer) *Session {
	s := &Session{opt: opt, peer: peer}
	mask := allProtocol
	if opt.Old {
		mask = 0
	}
	if opt.NoSkip {
		mask &^= skip
	}
	patience := opt.Timeout
	if patience == 0 {
		patience = time.Minute
	}
	client := milter.NewClientWithOptions(opt.Network, opt.Address, milter.ClientOptions{
		ActionMask: allActions, ProtocolMask: mask, ReadTimeout: patience, WriteTimeout: patience,
	})
	var err error
	if s.milter, err = client.Session(); err != nil {
		s.milter = nil
		return s
	}
	s.ask(func(m *milter.ClientSession) (*milter.Action, error) {
		m.Macros(milter.CodeConn, "j", mta.Hostname, "{daemon_name}", mta.Hostname, "v", "Postfix 3.7.11")
		return m.Conn(s.hostname(), s.family(), 40000, s.address())
	})
	return s
}

func (s *Session) hostname() string {
	if s.peer.Name != "" {
		return s.peer.Name
	}
	return "unknown"
}

func (s *Session) addr() netip.Addr {
	if s.peer.Addr.IsValid() {
		return s.peer.Addr
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func (s *Session) address() string { return s.addr().String() }

func (s *Session) family() milter.ProtoFamily {
	if s.addr().Is6() {
		return milter.FamilyInet6
	}
	return milter.FamilyInet
}

// Command answers one SMTP command other than DATA.
func (s *Session) Command(line string) mta.Reply {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "HELO", "EHLO":
		return s.ask(func(m *milter.ClientSession) (*milter.Action, error) { return m.Helo(rest) })
	case "MAIL":
		return s.mailFrom(rest)
	case "RCPT":
		return s.rcptTo(rest)
	case "RSET":
		s.abort()
		return ok("2.0.0 Ok")
	case "NOOP":
		return ok("2.0.0 Ok")
	}
	return mta.Reply{Code: 502, Text: "5.5.2 Error: command not recognized"}
}

func (s *Session) mailFrom(rest string) mta.Reply {
	if s.mail {
		return mta.Reply{Code: 503, Text: "5.5.1 Error: nested MAIL command"}
	}
	addr, args := path(rest, "FROM:")
	reply := s.ask(func(m *milter.ClientSession) (*milter.Action, error) {
		macros := []string{"{mail_addr}", addr}
		if s.peer.User != "" {
			macros = append(macros, "{auth_type}", "XCLIENT", "{auth_authen}", s.peer.User)
		}
		m.Macros(milter.CodeMail, macros...)
		return m.Mail(addr, args)
	})
	s.mail, s.rcpts = reply.Code == 250, 0
	return reply
}

func (s *Session) rcptTo(rest string) mta.Reply {
	addr, args := path(rest, "TO:")
	if !s.mail {
		return mta.Reply{Code: 503, Text: "5.5.1 Error: need MAIL command"}
	}
	if !strings.HasSuffix(strings.ToLower(addr), "@"+mta.Domain) {
		return mta.Reply{Code: 554, Text: "5.7.1 <" + addr + ">: Relay access denied"}
	}
	reply := s.ask(func(m *milter.ClientSession) (*milter.Action, error) {
		m.Macros(milter.CodeRcpt, "i", s.nextID(), "{rcpt_addr}", addr, "{rcpt_host}", mta.Domain, "{rcpt_mailer}", "lmtp")
		return m.Rcpt(addr, args)
	})
	if reply.Code == 250 {
		s.rcpts++
	}
	return reply
}

// nextID is the queue ID of the message in progress. As in Postfix it exists
// from the first recipient on.
func (s *Session) nextID() string {
	if s.queueID == "" {
		s.queueID = fmt.Sprintf("FAKE%04d", queued.Add(1))
	}
	return s.queueID
}

// Result is what became of a message.
type Result struct {
	Reply     mta.Reply
	Held      bool   // put on hold by the milter
	Delivered []byte // as edited; nil when it was not accepted
}

// Data hands over one message.
func (s *Session) Data(message []byte) Result {
	if s.milter == nil {
		return Result{Reply: unavailable}
	}
	if !s.mail || s.rcpts == 0 {
		return Result{Reply: mta.Reply{Code: 554, Text: "5.5.1 Error: no valid recipients"}}
	}
	id := s.nextID()
	s.mail, s.queueID = false, ""
	fields, body := split(message)
	edits, act, err := s.send(id, fields, body)
	if err != nil {
		s.fail()
		return Result{Reply: unavailable}
	}
	r := Result{Reply: reply(act)}
	if r.Reply.Code != 250 {
		return r
	}
	r.Reply.Text = "2.0.0 Ok: queued as " + id
	fields, r.Held = s.edit(fields, edits)
	r.Delivered = join(fields, body)
	return r
}

func (s *Session) send(id string, fields []field, body []byte) ([]milter.ModifyAction, *milter.Action, error) {
	m := s.milter
	for _, f := range fields {
		value := strings.ReplaceAll(f.value, "\r\n", "\n")
		if !m.ProtocolOption(leadingWSP) {
			value = strings.TrimLeft(value, " \t")
		}
		if act, err := m.HeaderField(f.name, value); err != nil || act.Code != milter.ActContinue {
			return nil, act, err
		}
	}
	m.Macros(milter.CodeEOH, "i", id)
	if act, err := m.HeaderEnd(); err != nil || act.Code != milter.ActContinue {
		return nil, act, err
	}
	for len(body) > 0 {
		n := min(len(body), 65535)
		if act, err := m.BodyChunk(body[:n]); err != nil || act.Code != milter.ActContinue {
			return nil, act, err
		}
		body = body[n:]
	}
	m.Macros(milter.CodeEOB, "i", id)
	return m.End()
}

// edit carries out what the milter asked for, in its order.
func (s *Session) edit(fields []field, edits []milter.ModifyAction) (edited []field, held bool) {
	for _, e := range edits {
		value := strings.ReplaceAll(e.HeaderValue, "\n", "\r\n")
		if !s.milter.ProtocolOption(leadingWSP) {
			value = " " + value
		}
		switch e.Code {
		case milter.ActQuarantine:
			held = true
		case milter.ActAddHeader:
			fields = append(fields, field{e.HeaderName, value})
		case milter.ActInsertHeader:
			at := min(int(e.HeaderIndex), len(fields))
			fields = append(fields[:at:at], append([]field{{e.HeaderName, value}}, fields[at:]...)...)
		case milter.ActChangeHeader:
			fields = change(fields, e.HeaderName, int(e.HeaderIndex), e.HeaderValue, value)
		}
	}
	return fields, held
}

// change replaces, or with an empty raw value deletes, the nth field of a name.
func change(fields []field, name string, nth int, raw, value string) []field {
	for i, f := range fields {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		if nth--; nth > 0 {
			continue
		}
		if raw == "" {
			return append(fields[:i:i], fields[i+1:]...)
		}
		fields[i].value = value
		return fields
	}
	return fields
}

// Close ends the session.
func (s *Session) Close() error {
	if s.milter == nil {
		return nil
	}
	return s.milter.Close()
}

func (s *Session) abort() {
	s.mail, s.rcpts, s.queueID = false, 0, ""
	if s.milter != nil && s.milter.Abort() != nil {
		s.fail()
	}
}

func (s *Session) fail() {
	s.milter.Close()
	s.milter = nil
}

// ask puts one event to the milter and turns its answer into a reply.
func (s *Session) ask(event func(*milter.ClientSession) (*milter.Action, error)) mta.Reply {
	if s.milter == nil {
		return unavailable
	}
	act, err := event(s.milter)
	if err != nil {
		s.fail()
		return unavailable
	}
	return reply(act)
}

func reply(act *milter.Action) mta.Reply {
	switch act.Code {
	case milter.ActReplyCode:
		return mta.Reply{Code: act.SMTPCode, Text: strings.ReplaceAll(act.SMTPText, "%%", "%")}
	case milter.ActReject:
		return mta.Reply{Code: 550, Text: "5.7.1 Command rejected"}
	case milter.ActTempFail:
		return unavailable
	}
	return ok("2.1.0 Ok")
}

func ok(text string) mta.Reply { return mta.Reply{Code: 250, Text: text} }

// path reads "FROM:<addr> ARGS".
func path(rest, prefix string) (addr string, args []string) {
	rest = strings.TrimPrefix(rest, prefix)
	inside, after, _ := strings.Cut(strings.TrimPrefix(rest, "<"), ">")
	return inside, strings.Fields(after)
}

// field is one header field: its value is everything after the colon.
type field struct{ name, value string }

// split parts a message into fields and body, with CRLF throughout.
func split(message []byte) (fields []field, body []byte) {
	text := strings.ReplaceAll(string(message), "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if line == "" {
			text = rest
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1].value += "\r\n" + line
			text = rest
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.ContainsAny(name, " \t") {
			break // the body begins without an empty line
		}
		fields = append(fields, field{name, value})
		text = rest
	}
	return fields, []byte(strings.ReplaceAll(text, "\n", "\r\n"))
}

func join(fields []field, body []byte) []byte {
	var b bytes.Buffer
	for _, f := range fields {
		b.WriteString(f.name + ":" + f.value + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
