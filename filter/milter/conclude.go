package milter

import (
	"fmt"
	"time"

	protocol "github.com/emersion/go-milter"
)

// endOfMessage may carry the last piece of the body.
func (d *dialogue) endOfMessage(data []byte) error {
	if d.msg.part == partNone {
		return misplaced(protocol.CodeEOB)
	}
	if err := d.body(data); err != nil {
		return err
	}
	if d.msg.failed {
		return d.concludePanic()
	}
	if d.msg.refusal != "" {
		return d.conclude(Response{Reply: d.without(OverLimit)}, Outcome{End: OverLimit, Problem: d.msg.refusal})
	}
	d.startProgress()
	response := d.session.EndOfMessage(d.conn.ctx)
	d.msg.judged = true
	if err := d.stopProgress(); err != nil {
		return fmt.Errorf("while a verdict was awaited: %w", err)
	}
	return d.conclude(response, Outcome{End: Answered})
}

// concludePanic answers a message whose Session panicked.
func (d *dialogue) concludePanic() error {
	return d.conclude(Response{Reply: d.without(Failed)}, Outcome{End: Failed, Problem: d.msg.panicked})
}

// without is the reply to a message that has no Response, or none that can be sent.
func (d *dialogue) without(end End) (reply Reply) {
	if r, ok := d.msg.owner.(Replier); ok {
		d.shielded("reply", func() { reply = r.Reply(end) })
	}
	replies := d.srv.replies.Load()
	switch {
	case CheckReply(reply) == nil:
	case end == OverLimit:
		reply = replies.OnLimit
	default:
		reply = replies.OnPanic
	}
	if end == Unsendable && reply.code/100 != 4 {
		// Never let through, as forged fields would stay; nor refused for good, as the
		// MTA's settings are at fault.
		return later
	}
	return reply
}

// conclude answers the message and ends it. The Session hears the outcome before
// the MTA does, so that what it keeps of the message is kept first.
func (d *dialogue) conclude(response Response, o Outcome) error {
	begun := time.Now()
	o.Reply = response.Reply
	out, err := d.appendResponse(d.out[:0], response)
	if err != nil {
		o = Outcome{End: Unsendable, Reply: d.without(Unsendable), Problem: err.Error()}
		d.srv.log.Error("response cannot be sent", "conn_id", d.conn.id, "queue_id", d.conn.QueueID(),
			"err", err, "reply", o.Reply.String())
		out = o.Reply.append(d.out[:0])
	}
	sent := d.tell(o)
	d.current = 0 // from here on a panic is ours, and a second reply would be one too many
	err = d.write(out)
	sent(err == nil)
	if err != nil {
		return err
	}
	if told := d.srv.opt.Answered; told != nil {
		told(time.Since(begun))
	}
	if d.out = out; cap(out) > smallBuffer {
		d.out = nil
	}
	return d.endMessage()
}

func (d *dialogue) appendResponse(dst []byte, r Response) ([]byte, error) {
	if err := CheckReply(r.Reply); err != nil {
		return nil, err
	}
	if r.Reply.Delivers() {
		var err error
		dst, err = appendEdits(dst, r.Edits, d.conn.actions, d.conn.LeadingSpace())
		if err != nil {
			return nil, err
		}
	}
	return r.Reply.append(dst), nil
}

// forget ends the message in progress, if there is one, without a verdict.
func (d *dialogue) forget() error {
	if d.msg.part == partNone {
		return nil
	}
	d.abort()
	d.tell(Outcome{End: Aborted, Problem: "the MTA gave the message up"})(true)
	return d.endMessage()
}

// tell ends the message for the Session that it began with. What it returns is to be
// called when the reply was written, or could not be.
func (d *dialogue) tell(o Outcome) (sent func(written bool)) {
	sent = func(bool) {}
	session := d.msg.owner
	if session == nil {
		return sent
	}
	d.msg.owner = nil
	o.HeaderEnded = d.msg.part == partBody
	if o.End == Aborted {
		o.Problem += d.msg.before()
	}
	ok := d.shielded("done", func() {
		if hear := session.Done(o); hear != nil {
			sent = func(written bool) { d.shielded("sent", func() { hear(written) }) }
		}
	})
	switch {
	case session != d.session: // it panicked, and waited for this
		d.shielded("close", session.Close)
	case !ok:
		d.closeSession()
	}
	return sent
}

// abort tells the Session that its message is over, unless it knows that.
func (d *dialogue) abort() {
	if d.msg.part == partNone || !d.listening() {
		return
	}
	if !d.shielded("abort", d.session.Abort) {
		d.msg.failed, d.msg.panicked = true, "panic in abort"
		d.closeSession()
	}
}

// endMessage goes back to the state between messages and lets go of memory.
func (d *dialogue) endMessage() error {
	d.msg = message{}
	d.deadline = false
	d.conn.macros.end(macroMail)
	d.in.release()
	if !d.srv.end(d) {
		return errDrained
	}
	return nil
}
