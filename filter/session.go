package filter

import (
	"context"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/policy"
	"alignd/verify"
	"alignd/verify/spf"
)

// session is one MTA connection. Connection facts stay for all its messages;
// message is made anew at each MAIL FROM.
type session struct {
	filter *Filter
	conn   *milter.Conn

	client  evidence.Client
	message *message // nil between messages
}

// message is one SMTP transaction.
type message struct {
	settings *Settings        // the snapshot that judges it
	check    *verify.Message  // nil when the message need not be checked
	ev       evidence.Message // what the MTA tells: envelope and login
	marks    marks            // the fields that the edits delete
}

func (s *session) Connect(c milter.Connect) {
	s.client = evidence.Client{Peer: c.Addr, PeerName: c.Host}
}

func (s *session) Helo(name string) { s.client.HELO = name }

func (s *session) Mail(m milter.Mail) {
	s.drop()
	settings := s.filter.settings.Load()
	msg := &message{settings: settings}
	msg.ev = evidence.Message{
		Schema:   evidence.SchemaVersion,
		Time:     time.Now(),
		Client:   s.client,
		MTA:      s.conn.Macro("j"),
		AuthUser: s.conn.Macro("auth_authen"),
		AuthType: s.conn.Macro("auth_type"),
		MailFrom: m.Address,
		Sample:   -1,
	}
	msg.marks.own = settings.own(msg.ev.MTA)
	if !s.exempt(msg) {
		msg.check = verify.Begin(s.conn.Context(), s.filter.lookup, &settings.Verify,
			verify.Envelope{Client: s.client, MailFrom: m.Address, Receiver: msg.ev.MTA,
				LeadingSpaceLost: !s.conn.LeadingSpace()})
	}
	s.message = msg
}

// exempt reports whether the message need not be checked, as it will not be
// judged. Behind a trusted relay the client is not known yet.
func (s *session) exempt(msg *message) bool {
	if !msg.ev.Authenticated() && msg.settings.Verify.Relays.Trusts(s.client.Peer) {
		return false
	}
	return msg.settings.Rules.NotJudged(&msg.ev)
}

func (s *session) Rcpt(r milter.Rcpt) {
	address := s.conn.Macro("rcpt_addr")
	if address == "" {
		address = r.Address
	}
	s.message.ev.Recipients = append(s.message.ev.Recipients, evidence.Recipient{Address: domain.NormalizeAddress(address)})
}

func (s *session) Header(name, value []byte) {
	s.message.marks.note(name, value, s.message.settings)
	if s.message.check != nil {
		s.message.check.Header(name, value)
		return
	}
	s.message.ev.Size += int64(len(name) + len(":") + len(value) + len("\r\n"))
}

func (s *session) EndOfHeader() {
	if s.message.check != nil {
		s.message.check.EndOfHeader()
	}
}

func (s *session) Body(chunk []byte) {
	if s.message.check != nil {
		s.message.check.Body(chunk)
		return
	}
	s.message.ev.Size += int64(len(chunk))
}

// EndOfMessage waits for the checks, decides, and answers.
func (s *session) EndOfMessage(ctx context.Context) milter.Response {
	msg := s.message
	defer s.drop()
	msg.ev.QueueID = s.conn.QueueID()
	if !s.conn.LeadingSpace() {
		s.filter.spaceless.Add(1)
	}
	var j Judgement
	if msg.check == nil {
		ev := msg.ev
		ev.Size += int64(len("\r\n")) // between header and body
		ev.Elapsed = time.Since(ev.Time)
		if d, err := domain.Normalize(spf.Domain(ev.MailFrom)); err == nil {
			ev.MailFromDomain = d
		}
		j = Judgement{Evidence: &ev, Verdict: policy.Decide(&ev, msg.settings.Rules)}
		j.Results = Results(msg.settings.ServID(ev.MTA), &ev, &j.Verdict)
		msg.settings.limitForged(&j, &msg.marks)
	} else {
		ev := msg.check.Finish(ctx)
		ev.MTA, ev.AuthUser, ev.AuthType = msg.ev.MTA, msg.ev.AuthUser, msg.ev.AuthType
		ev.Recipients, ev.QueueID = msg.ev.Recipients, msg.ev.QueueID
		j = s.filter.judge(msg.settings, ev, msg.check, &msg.marks)
	}
	s.filter.logMessage(&j)
	return respond(&j, msg)
}

func (s *session) Abort() { s.drop() }

func (s *session) Done(milter.Outcome) {}

func (s *session) Close() { s.drop() }

func (s *session) drop() {
	if s.message != nil && s.message.check != nil {
		s.message.check.Release()
	}
	s.message = nil
}
