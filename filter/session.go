package filter

import (
	"context"
	"time"

	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/judge"
	"alignd/verify"
)

// session is one MTA connection. Connection facts stay for all its messages;
// message is made anew at each MAIL FROM.
type session struct {
	filter *Filter
	conn   *milter.Conn

	client  evidence.Client
	scratch judge.Scratch
	message *message // nil between messages
}

// message is one SMTP transaction.
type message struct {
	settings *judge.Settings // the snapshot that judges it
	envelope verify.Envelope
	begun    time.Time
	check    *verify.Message
	marks    *judge.Marks
	// queueID is the MTA's name of it where that is known from MAIL on (Sendmail): the
	// macros of a next MAIL replace it before this message is told to be over.
	queueID string
	// recipients counts them. notice is kept of a message that may be one.
	recipients int
	notice     *notice
	// aborted: the checks ended without a verdict.
	aborted bool
	// received is when the body came to its end; judged what was decided then.
	received time.Time
	judged   *judge.Judgement
}

func (s *session) Connect(c milter.Connect) {
	s.client = evidence.Client{Peer: c.Addr, PeerName: c.Host, Port: c.Port}
}

func (s *session) Helo(name string) { s.client.HELO = name }

func (s *session) Mail(m milter.Mail) {
	s.drop()
	msg := &message{settings: s.filter.settings.Load(), begun: time.Now()}
	s.message = msg
	msg.queueID = s.conn.QueueID()
	msg.envelope = verify.Envelope{
		Client:           s.client,
		MTA:              s.conn.Macro("j"),
		Token:            newToken(),
		AuthUser:         s.conn.Macro("auth_authen"),
		AuthType:         s.conn.Macro("auth_type"),
		MailFrom:         m.Address,
		MailArgs:         m.Args,
		LeadingSpaceLost: !s.conn.LeadingSpace(),
	}
	msg.marks = msg.settings.NewMarks(msg.envelope.MTA, &s.scratch)
	msg.envelope.Unchecked = msg.exempt()
	msg.check = verify.Begin(s.conn.Context(), s.filter.lookup, &msg.settings.Verify, msg.envelope)
}

// exempt reports whether the message need not be checked, as it will not be
// judged. Behind a trusted relay the client is not known yet.
func (msg *message) exempt() bool {
	ev := msg.envelope.Evidence(msg.begun)
	if !ev.Authenticated() && msg.settings.Verify.Relays.Trusts(ev.Client.Peer) {
		return false
	}
	return msg.settings.Rules.NotJudged(&ev)
}

func (s *session) Rcpt(r milter.Rcpt) {
	address := s.conn.Macro("rcpt_addr")
	if address == "" {
		address = r.Address
	}
	s.message.check.Recipient(address)
	s.expect(address)
}

func (s *session) Header(name, value []byte) {
	s.message.marks.Note(name, value)
	s.message.check.Header(name, value)
	s.message.notice.field(name, value)
}

func (s *session) EndOfHeader() {
	s.message.check.EndOfHeader()
	s.message.notice.add([]byte("\r\n"))
}

func (s *session) Body(chunk []byte) {
	s.message.check.Body(chunk)
	s.message.notice.add(chunk)
}

// EndOfMessage waits for the checks, decides, and answers.
func (s *session) EndOfMessage(ctx context.Context) milter.Response {
	msg := s.message
	msg.received = time.Now()
	msg.check.QueueID(s.conn.QueueID())
	if !s.conn.LeadingSpace() {
		s.filter.spaceless.Add(1)
	}
	ev := msg.check.Finish(ctx)
	j := msg.settings.Judge(ev, msg.check, msg.marks, s.filter.waits)
	msg.judged = &j
	return respond(&j, msg.settings)
}

// Abort ends the checks. The message is still told of, by Done.
func (s *session) Abort() {
	if s.message != nil && s.message.check != nil {
		s.message.aborted = true
		s.message.check.Cancel()
	}
}

func (s *session) Close() { s.drop() }

func (s *session) drop() {
	if s.message != nil && s.message.check != nil {
		s.message.check.Release()
	}
	s.message = nil
}
