package filter

import (
	"crypto/rand"
	"encoding/base32"
	"time"

	"alignd/filter/milter"
	"alignd/policy"
	"alignd/record"
	"alignd/verify"
)

// Done hands on the record of a message, whatever became of it. One that the MTA
// gave up before the end of its header leaves none.
func (s *session) Done(o milter.Outcome) (sent func(written bool)) {
	defer s.drop()
	msg := s.current()
	if o.End == milter.Aborted && !o.HeaderEnded {
		return nil
	}
	if o.End == milter.Answered {
		s.tell()
	}
	r := s.record(msg, o.End)
	r.Basis = msg.settings.Basis
	r.Basis.Options.LeadingSpace = s.conn.LeadingSpace()
	r.Outcome = outcome(o)
	if msg.judged != nil {
		r.Outcome.AuthservID = msg.judged.Results.ServID
		if r.Outcome.Delivered && o.End == milter.Answered {
			r.Outcome.Deleted = msg.judged.Deleted()
		}
	}
	r.Outcome.Receiving, r.Outcome.Checking = msg.times(time.Now())
	sent = s.filter.sink.Take(r)
	if s.filter.failures == nil || o.End != milter.Answered || msg.judged == nil {
		return sent
	}
	return both(sent, s.filter.failures.Note(r, msg.check.Fields()))
}

func both(a, b func(bool)) func(bool) {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(written bool) { a(written); b(written) }
}

// current is the message in progress. One whose MAIL failed is made up.
func (s *session) current() *message {
	if s.message == nil {
		s.message = &message{settings: s.filter.settings.Load(), begun: time.Now(),
			envelope: verify.Envelope{Client: s.client, Token: newToken()}}
	}
	return s.message
}

// Reply implements milter.Replier: a message without a verdict, too, is answered by
// the rules in force at its MAIL, and with its token.
func (s *session) Reply(end milter.End) milter.Reply {
	msg := s.current()
	ev := msg.envelope.Evidence(msg.begun)
	v := msg.settings.Rules.Failed(&ev)
	if end == milter.OverLimit {
		v = msg.settings.Rules.OverLimit(&ev, overLimit)
	}
	if v.Reply == (policy.Reply{}) {
		return milter.Accept
	}
	return milter.Text(v.Reply.Code, v.Reply.Enhanced, v.Reply.Text)
}

const overLimit = "The message exceeds a limit of this server."

// record is evidence and verdict of a message that ended in this way.
func (s *session) record(msg *message, end milter.End) *record.Record {
	r := new(record.Record)
	switch {
	case msg.judged != nil:
		r.Evidence, r.Verdict = *msg.judged.Evidence, msg.judged.Verdict
		return r
	case end == milter.Failed || !msg.sound(end): // what is half done is not trusted
		r.Evidence = msg.envelope.Evidence(msg.begun)
	default:
		r.Evidence = *msg.check.GiveUp()
	}
	if r.Evidence.QueueID = msg.queueID; msg.queueID == "" {
		r.Evidence.QueueID = s.conn.QueueID()
	}
	switch end {
	case milter.OverLimit:
		r.Verdict = msg.settings.Rules.OverLimit(&r.Evidence, overLimit)
	case milter.Failed:
		r.Verdict = msg.settings.Rules.Failed(&r.Evidence)
	}
	return r
}

// sound reports whether the checks can be looked at: they were not left by a panic,
// after which a message that the MTA gives up hears no Abort.
func (msg *message) sound(end milter.End) bool {
	return msg.check != nil && (end != milter.Aborted || msg.aborted)
}

// times are those of receiving and of checking.
func (msg *message) times(told time.Time) (receiving, checking time.Duration) {
	if msg.received.IsZero() {
		return told.Sub(msg.begun), 0
	}
	return msg.received.Sub(msg.begun), told.Sub(msg.received)
}

var ends = map[milter.End]record.End{
	milter.Answered:   record.EndAnswered,
	milter.OverLimit:  record.EndLimit,
	milter.Failed:     record.EndPanic,
	milter.Unsendable: record.EndEdits,
	milter.Aborted:    record.EndAborted,
}

func outcome(o milter.Outcome) record.Outcome {
	out := record.Outcome{End: ends[o.End], Problem: o.Problem, Delivered: o.Reply.Delivers()}
	if code, enhanced, text, ok := o.Reply.Parts(); ok {
		out.Reply = policy.Reply{Code: code, Enhanced: enhanced, Text: text}
	}
	return out
}

// tokenLetters leave out i, l, o and u, so that a token can be read out.
var tokenLetters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newToken is 80 random bits, so that no two messages of a site share one.
func newToken() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return tokenLetters.EncodeToString(b[:])
}
