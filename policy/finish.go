package policy

import (
	"cmp"

	"alignd/evidence"
)

// finish turns a ruling into the verdict: override, mode, reply, tag.
func (d *decision) finish(r *ruling) Verdict {
	d.hold(r)
	reasons, n := d.reasons(r)
	if n > 0 {
		r.Override, r.OverrideComment = reasons[0].Type, reasons[0].Comment
	}
	d.complete(r)
	r.Waited = d.expired && r.Delivery.severity() < DeliverDefer.severity()
	r.Undecidable = d.missing.list()
	return r.Verdict
}

// behindRelay replaces what a trusted relay would have to turn into a bounce.
// Every outcome goes through it before outcomes are compared.
func (d *decision) behindRelay(r *ruling) {
	id := d.ev.Client.Relay
	if id == "" || r.Delivery.severity() < DeliverDefer.severity() {
		return
	}
	y, ok := d.rules.relays[id]
	if !ok {
		y = Relay{Reject: Quarantine, Tempfail: Tempfail}
	}
	a, as := y.Tempfail, d.rules.handling.QuarantineAs
	if r.Delivery == Refuse {
		a = y.Reject
	}
	if as == Reject {
		as = Tag
	}
	before := r.Delivery
	if r.set(a, as); r.Delivery != before {
		r.relayed = true
		r.Reason += " Behind the trusted relay " + id + " it is handled otherwise, as the relay would have to keep or bounce it."
	}
}

// hold holds the verdict back in monitor mode.
func (d *decision) hold(r *ruling) {
	v := &r.Verdict
	if d.rules.mode != Monitor {
		return
	}
	if v.Monitor == (Outcome{}) {
		v.Monitor = Outcome{Disposition: v.Disposition, Delivery: v.Delivery}
	}
	v.Disposition, v.Delivery = DispositionAccept, Deliver
}

// complete adds what delivering the verdict needs.
func (d *decision) complete(r *ruling) {
	v := &r.Verdict
	if v.Monitor.Delivery.severity() >= DeliverDefer.severity() {
		v.Monitor.Reply = d.reply(r, v.Monitor.Delivery)
	}
	if v.Delivery.severity() >= DeliverDefer.severity() {
		v.Reply = d.reply(r, v.Delivery)
	}
	if v.Delivery == DeliverTag {
		v.TagName, v.TagValue = d.rules.tag.Name, d.rules.tag.Value
	}
}

// reply renders the reply for a delivery, with a template of its class.
func (d *decision) reply(r *ruling, how Delivery) Reply {
	kind := r.reply
	if how == DeliverDefer && kind != replyTempError && kind != replyInternal {
		kind = replyDefer
	}
	why := r.why
	if r.dm != nil && d.rules.replies.kinds[kind].reason && (kind == replyDMARC || kind == replyUnauthenticated) {
		why = d.cause(r.dm)
	}
	return d.rules.replies.render(kind, values{domain: r.domain, reason: why, token: cmp.Or(d.ev.Token, d.ev.QueueID)})
}

// Failed is the verdict on a message that alignd itself failed on. In monitor
// mode it is accepted.
func (r *Rules) Failed(ev *evidence.Message) Verdict {
	g := ruling{reply: replyInternal, why: "internal error"}
	g.set(r.onError, Tag)
	g.byOption(StepInternal, "on_error", r)
	g.Reason = "alignd failed while it judged the message."
	if g.Delivery == Refuse {
		g.reply = replyInternalReject
	}
	return r.without(ev, &g)
}

// OverLimit is the verdict on a message that is above one of our limits and so
// is not judged. why is one sentence for the log. It is refused in monitor mode
// too: forged fields were not looked for, so it must not pass. What its checks
// found, as far as they were made, stays true.
func (r *Rules) OverLimit(ev *evidence.Message, why string) Verdict {
	g := ruling{reply: replyLimit, why: "the message exceeds a limit"}
	g.set(Reject, Tag)
	g.by(StepLimit, "limit", Source{})
	g.Reason = why
	enforcing := *r
	enforcing.mode = Enforce
	v, judged := enforcing.without(ev, &g), Decide(ev, r)
	v.Requested, v.Evaluation = judged.Requested, judged.Evaluation
	return v
}

// without completes a verdict that was reached without evaluations.
func (r *Rules) without(ev *evidence.Message, g *ruling) Verdict {
	d := decision{ev: ev, rules: r}
	g.Requested = RequestedNone
	d.hold(g)
	d.complete(g)
	return g.Verdict
}
