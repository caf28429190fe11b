package milter

import (
	"encoding/binary"
	"errors"
	"fmt"

	protocol "github.com/emersion/go-milter"
)

// Protocol versions. Version 2 is the oldest with all commands that a verdict
// needs; 6 is the newest there is.
const (
	minVersion = 2
	maxVersion = 6
)

// Codes that the imported vocabulary lacks.
const (
	codeUnknown = 'U' // SMFIC_UNKNOWN: an SMTP command that the MTA does not know
	actProgress = 'p' // SMFIR_PROGRESS
)

// wantedActions is what a filter of ours may do to a message.
const wantedActions = protocol.OptAddHeader | protocol.OptChangeHeader |
	protocol.OptQuarantine | protocol.OptSetSymList

// wantedOptions: no events that nobody looks at, no replies before end of
// message, and header values as they were.
const wantedOptions = protocol.OptNoUnknown | protocol.OptNoData |
	protocol.OptNoConnReply | protocol.OptNoHeloReply | protocol.OptNoMailReply |
	protocol.OptNoRcptReply | protocol.OptNoDataReply | protocol.OptNoUnknownReply |
	protocol.OptNoHeaderReply | protocol.OptNoEOHReply | protocol.OptNoBodyReply |
	protocol.OptHeaderLeadingSpace

// wantedMacros are those that a filter of inbound mail has use for, by event, divided by
// spaces. The MTA is asked for them in place of those that it would send by itself.
// Postfix sends those of end of header before each field and those of end of
// message before each body chunk, so these lists are short.
var wantedMacros = [...]struct {
	event protocol.Stage
	names string
}{
	{protocol.StageConnect, "j {daemon_name} {client_addr} {client_name} {client_ptr}"},
	{protocol.StageHelo, "{tls_version}"},
	{protocol.StageMailFrom, "i {auth_type} {auth_authen} {mail_addr}"},
	{protocol.StageRcptTo, "i {rcpt_addr}"},
	{protocol.StageEOH, "i"},
	{protocol.StageEOM, "i"},
}

var errNotNegotiated = errors.New("first frame is no option negotiation")

// negotiate reads the MTA's offer and answers with a part of it.
func (d *dialogue) negotiate() error {
	cmd, data, err := d.in.next()
	if err != nil {
		return err
	}
	if protocol.Code(cmd) != protocol.CodeOptNeg {
		return errNotNegotiated
	}
	if len(data) < 12 {
		return fmt.Errorf("option negotiation has %d octets", len(data))
	}
	version := binary.BigEndian.Uint32(data)
	if version < minVersion {
		return fmt.Errorf("MTA offers protocol version %d, at least %d is needed", version, minVersion)
	}
	c := &d.conn
	c.version = min(version, maxVersion)
	c.actions = protocol.OptAction(binary.BigEndian.Uint32(data[4:])) & wantedActions
	c.options = protocol.OptProtocol(binary.BigEndian.Uint32(data[8:])) & wantedOptions
	if !c.LeadingSpace() {
		d.srv.warnSpace(version)
	}
	d.negotiated = true
	return d.write(appendAnswer(make([]byte, 0, 512), c))
}

// warnSpace tells once that an MTA does not grant the leading space: what it says
// of a signature is then less than what could be known.
func (s *Server) warnSpace(version uint32) {
	s.spaceTold.Do(func() {
		s.log.Warn("the MTA does not hand on the space after the colon of header fields, so genuine DKIM signatures may fail: "+
			"Postfix needs milter_protocol = 6 in main.cf, its default; Sendmail a newer version", "offered_version", version)
	})
}

func appendAnswer(dst []byte, c *Conn) []byte {
	dst, start := openFrame(dst, byte(protocol.CodeOptNeg))
	dst = binary.BigEndian.AppendUint32(dst, c.version)
	dst = binary.BigEndian.AppendUint32(dst, uint32(c.actions))
	dst = binary.BigEndian.AppendUint32(dst, uint32(c.options))
	if c.actions&protocol.OptSetSymList != 0 {
		for _, list := range wantedMacros {
			dst = binary.BigEndian.AppendUint32(dst, uint32(list.event))
			dst = appendString(dst, list.names)
		}
	}
	return closeFrame(dst, start)
}

// silences has for each event with a reply the bit that takes it away.
var silences = [256]protocol.OptProtocol{
	protocol.CodeConn:   protocol.OptNoConnReply,
	protocol.CodeHelo:   protocol.OptNoHeloReply,
	protocol.CodeMail:   protocol.OptNoMailReply,
	protocol.CodeRcpt:   protocol.OptNoRcptReply,
	protocol.CodeData:   protocol.OptNoDataReply,
	protocol.CodeHeader: protocol.OptNoHeaderReply,
	protocol.CodeEOH:    protocol.OptNoEOHReply,
	protocol.CodeBody:   protocol.OptNoBodyReply,
	codeUnknown:         protocol.OptNoUnknownReply,
}
