package policy

import (
	"cmp"

	"alignd/evidence"
)

// verdict carries out what the steps came to. authors is what holds for each Author
// Domain alone.
func (d decision) verdict(p *proposal, authors []AuthorOutcome) (v Verdict) {
	p = d.watched(p)
	v = d.carriedOut(p)
	v.Authors = authors
	if reasons, n := d.reasons(p); n > 0 {
		v.Override, v.OverrideComment = reasons[0].Type, reasons[0].Comment
	}
	v.Waited = p.expired && p.outcome < putOff
	return v
}

// watched delivers everything in monitor mode, and notes what would have been done.
func (d decision) watched(p *proposal) *proposal {
	if d.rules.mode != Monitor {
		return p
	}
	next := *p
	next.monitor = cmp.Or(p.monitor, p.outcome)
	next.outcome = delivered
	return &next
}

// carriedOut is the verdict of a proposal, with what delivering it needs.
func (d decision) carriedOut(p *proposal) Verdict {
	v := Verdict{
		Disposition: p.outcome.disposition(), Delivery: p.outcome.delivery(), Requested: p.requested,
		Step: p.step, Rule: p.rule, File: p.at.File, Line: p.at.Line, Reason: p.reason,
		Evaluation: p.evaluation, Stage: p.stage, Recipient: p.recipient, TrustedSealer: p.sealer, Signals: p.signals,
		Undecidable: p.missing.list(),
	}
	if p.monitor != open {
		v.Monitor = Outcome{Disposition: p.monitor.disposition(), Delivery: p.monitor.delivery(), Reply: d.reply(p, p.monitor)}
	}
	v.Reply = d.reply(p, p.outcome)
	if p.outcome == tagged {
		v.TagName, v.TagValue = d.rules.tag.Name, d.rules.tag.Value
	}
	return v
}

// reply renders the reply for an outcome, with a template of its class. What is
// delivered has none.
func (d decision) reply(p *proposal, o outcome) Reply {
	if o < putOff {
		return Reply{}
	}
	kind := p.reply
	if o == putOff && kind != replyTempError && kind != replyInternal {
		kind = replyDefer
	}
	why := p.why
	if p.dm != nil && d.rules.replies.kinds[kind].reason && (kind == replyDMARC || kind == replyUnauthenticated) {
		why = d.cause(p.dm)
	}
	return d.rules.replies.render(kind, values{domain: p.domain, reason: why, token: cmp.Or(d.ev.Token, d.ev.QueueID)})
}

// Failed is the verdict on a message that alignd itself failed on. In monitor
// mode it is accepted.
func (r *Rules) Failed(ev *evidence.Message) Verdict {
	p := proposal{outcome: r.onError.outcome(Tag), requested: RequestedNone, reply: replyInternal, why: "internal error"}
	p.byOption(StepInternal, "on_error", r)
	p.reason = "alignd failed while it judged the message."
	if p.outcome == refused {
		p.reply = replyInternalReject
	}
	d := decision{ev: ev, rules: r}
	return d.carriedOut(d.watched(&p))
}

// OverLimit is the verdict on a message that is above one of our limits and so
// is not judged. why is one sentence for the log. It is refused in monitor mode
// too: forged fields were not looked for, so it must not pass. What its checks
// found, as far as they were made, stays true.
func (r *Rules) OverLimit(ev *evidence.Message, why string) Verdict {
	p := proposal{outcome: refused, reply: replyLimit, why: "the message exceeds a limit", reason: why}
	p.by(StepLimit, "limit", Source{})
	judged := Decide(ev, r)
	p.requested, p.evaluation = judged.Requested, judged.Evaluation
	d := decision{ev: ev, rules: r}
	return d.carriedOut(&p)
}
