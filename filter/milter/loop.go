package milter

import (
	"bytes"
	"errors"
	"fmt"

	protocol "github.com/emersion/go-milter"
)

// event handles one frame.
func (d *dialogue) event(code protocol.Code, data []byte) error {
	var err error
	switch code {
	case protocol.CodeMacro:
		d.macro(data)
		return nil
	case protocol.CodeHeader:
		err = d.header(data)
	case protocol.CodeBody:
		err = d.body(data)
	case protocol.CodeConn:
		err = d.connect(data)
	case protocol.CodeHelo:
		err = d.hello(data)
	case protocol.CodeMail:
		err = d.mail(data)
	case protocol.CodeRcpt:
		err = d.rcpt(data)
	case protocol.CodeEOH:
		err = d.endOfHeader()
	case protocol.CodeEOB:
		return d.endOfMessage(data)
	case protocol.CodeAbort:
		return d.forget()
	case protocol.CodeQuit:
		return errQuit
	case protocol.CodeQuitNewConn:
		return d.newConnection()
	case protocol.CodeOptNeg:
		return errors.New("second option negotiation")
	case protocol.CodeData, codeUnknown:
	default:
		d.unknown(code)
		return nil
	}
	if err != nil {
		return err
	}
	return d.answer(code)
}

// answer tells the MTA to go on, where it waits for that.
func (d *dialogue) answer(code protocol.Code) error {
	silence := silences[code]
	if silence == 0 || d.conn.options&silence != 0 {
		return nil
	}
	return d.write(continueFrame)
}

var continueFrame = appendFrame(nil, byte(protocol.ActContinue), "")

func (d *dialogue) macro(data []byte) {
	if !d.conn.macros.set(data) {
		d.srv.log.Warn("macros over the limit are dropped", "conn_id", d.conn.id,
			"event", eventName(protocol.Code(data[0])), "octets", len(data), "limit", maxMacros)
	}
}

// unknown ignores a command as libmilter does. Whether the MTA waits for a reply
// cannot be known.
func (d *dialogue) unknown(code protocol.Code) {
	if !d.ignored {
		d.ignored = true
		d.srv.log.Warn("unknown command is ignored", "conn_id", d.conn.id, "command", eventName(code))
	}
}

// connect starts an SMTP session.
func (d *dialogue) connect(data []byte) error {
	client, ok := parseConnect(data)
	if !ok {
		return malformed(protocol.CodeConn)
	}
	if err := d.forget(); err != nil {
		return err
	}
	d.closeSession()
	d.conn.macros.begin(macroConnect)
	d.client, d.connected = client, true
	d.helo, d.greeted = "", false
	if d.nc.LocalAddr().Network() != "pipe" { // else Alive
		d.srv.sessions.Add(1)
	}
	d.open()
	return nil
}

// open makes a Session and tells it what the connection is known for.
func (d *dialogue) open() {
	session := d.srv.opt.Handler(&d.conn)
	if session == nil {
		panic("handler returned no session")
	}
	d.session = session
	if d.msg.part != partNone { // before a panic, which is then to be told of
		d.msg.owner = session
	}
	if !d.connected { // an MTA that skips CONNECT knows nothing of the client
		d.client = Connect{Family: protocol.FamilyUnknown}
	}
	session.Connect(d.client)
	if d.greeted {
		session.Helo(d.helo)
	}
}

// hello may come again, with STARTTLS or within a transaction, which it ends
// (RFC 5321 section 4.1.4).
func (d *dialogue) hello(data []byte) error {
	if !terminated(data) {
		return malformed(protocol.CodeHelo)
	}
	if err := d.forget(); err != nil {
		return err
	}
	d.conn.macros.begin(macroHelo)
	d.helo, d.greeted = string(clip(data[:len(data)-1])), true
	if d.session == nil {
		d.open()
		return nil
	}
	d.session.Helo(d.helo)
	return nil
}

// mail starts a message. Sendmail sends no ABORT before it.
func (d *dialogue) mail(data []byte) error {
	if !terminated(data) {
		return malformed(protocol.CodeMail)
	}
	if d.msg.part == partNone {
		if !d.srv.begin(d) {
			return errDrained
		}
	} else {
		d.abort()
		d.tell(Outcome{End: Aborted, Problem: "a new MAIL"})(true)
	}
	d.msg = message{part: partEnvelope}
	d.conn.macros.begin(macroMail)
	if d.session == nil {
		d.open()
	}
	d.msg.owner = d.session
	d.session.Mail(clippedMail(data)) // also where it is over a limit, as Done follows
	d.envelope(data)
	return nil
}

func (d *dialogue) rcpt(data []byte) error {
	if d.msg.part != partEnvelope {
		return misplaced(protocol.CodeRcpt)
	}
	if !terminated(data) {
		return malformed(protocol.CodeRcpt)
	}
	d.conn.macros.begin(macroRcpt) // {rcpt_addr} is not the recipient before
	d.msg.recipients++
	if within(d, "recipients", d.msg.recipients, d.srv.opt.MaxRecipients) && d.envelope(data) {
		raw, args := parsePath(data)
		d.session.Rcpt(Rcpt{Address: Mailbox(raw), Args: args})
	}
	return nil
}

// envelope reports whether a command of the envelope is within the limits.
func (d *dialogue) envelope(data []byte) bool {
	d.msg.envelope += len(data)
	return within(d, "envelope octets", d.msg.envelope, d.srv.opt.MaxEnvelopeBytes) &&
		within(d, "ESMTP arguments", bytes.Count(data, nul)-1, maxArgs)
}

func (d *dialogue) header(data []byte) error {
	if d.msg.part != partEnvelope && d.msg.part != partHeader {
		return misplaced(protocol.CodeHeader)
	}
	d.content(partHeader)
	d.msg.headers++
	d.msg.headerBytes += len(data)
	if !within(d, "header fields", d.msg.headers, d.srv.opt.MaxHeaders) ||
		!within(d, "header octets", d.msg.headerBytes, d.srv.opt.MaxHeaderBytes) {
		return nil
	}
	name, value, ok := parseHeader(data, d.conn.LeadingSpace())
	if !ok {
		return malformed(protocol.CodeHeader)
	}
	d.session.Header(name, value)
	return nil
}

func (d *dialogue) endOfHeader() error {
	if d.msg.part != partEnvelope && d.msg.part != partHeader {
		return misplaced(protocol.CodeEOH)
	}
	d.content(partBody)
	if d.listening() {
		d.session.EndOfHeader()
	}
	return nil
}

func (d *dialogue) body(data []byte) error {
	switch d.msg.part {
	case partNone:
		return misplaced(protocol.CodeBody)
	case partEnvelope, partHeader: // the MTA left end of header out
		if err := d.endOfHeader(); err != nil {
			return err
		}
	}
	d.msg.body += int64(len(data))
	limit := d.srv.opt.MaxBody
	if limit > 0 && !within(d, "body octets", d.msg.body, limit) {
		return nil
	}
	if len(data) > 0 && d.listening() {
		d.session.Body(data)
	}
	return nil
}

// newConnection is QUIT_NC: the next frame is a CONNECT without negotiation.
func (d *dialogue) newConnection() error {
	if err := d.forget(); err != nil {
		return err
	}
	d.closeSession()
	d.client, d.connected = Connect{}, false
	d.helo, d.greeted = "", false
	d.conn.macros.end(macroConnect)
	return nil
}

// content moves to a part of the message's content, whose time runs from its
// first frame.
func (d *dialogue) content(next part) {
	if d.msg.part == partEnvelope {
		d.deadline = false
	}
	d.msg.part = next
}

// listening reports whether the Session is to hear more of the message.
func (d *dialogue) listening() bool {
	return d.session != nil && !d.msg.failed && !d.msg.judged && d.msg.refusal == ""
}

// within reports whether the Session is to hear of an event that brought a count
// to n. Over the limit the message is refused: its end will say so.
func within[T int | int64](d *dialogue, what string, n, limit T) bool {
	if d.listening() && n > limit {
		d.refuse(what, int64(limit))
	}
	return d.listening()
}

// refuse drops a message that is over a limit; its end will say so.
func (d *dialogue) refuse(what string, limit int64) {
	if !d.listening() {
		return
	}
	d.srv.log.Warn("message is refused, it is over a limit", "conn_id", d.conn.id,
		"queue_id", d.conn.QueueID(), "what", what, "limit", limit)
	d.abort()
	d.msg.refusal = fmt.Sprintf("%s, limit %d", what, limit)
}

func malformed(code protocol.Code) error {
	return fmt.Errorf("malformed frame: %s", eventName(code))
}

func misplaced(code protocol.Code) error {
	return fmt.Errorf("frame out of order: %s", eventName(code))
}

// eventName is a command for logs.
func eventName(code protocol.Code) string {
	switch code {
	case 0:
		return "reading"
	case protocol.CodeConn:
		return "connect"
	case protocol.CodeHelo:
		return "helo"
	case protocol.CodeMail:
		return "mail"
	case protocol.CodeRcpt:
		return "rcpt"
	case protocol.CodeHeader:
		return "header"
	case protocol.CodeEOH:
		return "end of header"
	case protocol.CodeBody:
		return "body"
	case protocol.CodeEOB:
		return "end of message"
	case protocol.CodeAbort:
		return "abort"
	}
	return fmt.Sprintf("%q", byte(code))
}
