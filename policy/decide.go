package policy

import (
	"slices"

	"alignd/evidence"
)

// decision is one message on its way to a verdict.
type decision struct {
	ev    *evidence.Message
	rules *Rules
	// audiences are the distinct Profiles of the recipients.
	audiences []audience
	few       [4]audience
	// noProfile is the fact without which no Profile can be found.
	noProfile facts
	// hopeful: what a temporary error left open counts as proven.
	hopeful bool
	// expired: TempErrors.Expired took the place of a deferral.
	expired bool
	// missing are the facts that rules needed in vain.
	missing facts
}

// audience is a Profile that at least one recipient has.
type audience struct {
	profile   int32 // index into Rules.profiles, or -1
	recipient string
}

// ruling is a Verdict in the making.
type ruling struct {
	Verdict
	reply  replyKind
	domain string          // for {domain}
	why    string          // for {reason}: nothing internal
	dm     *evidence.DMARC // what cause is about, where why is not enough; may be nil
	rank   int             // of the evaluation, to choose between equal outcomes
	// published is why less is asked for than what is published; local is why an
	// exception, a Sealer or a temporary error changed the outcome.
	published, local OverrideReason
	// uncorroborated: a rejection was asked for, and no other signal spoke for it.
	uncorroborated bool
	// relayed: a trusted relay would have bounced it, so it was replaced.
	relayed bool
}

// Decide turns what was observed about one message into what the MTA is told.
// It is pure and safe for concurrent use.
func Decide(ev *evidence.Message, rules *Rules) Verdict {
	d := decision{ev: ev, rules: rules}
	d.chooseProfiles()
	id, at, missing := d.notJudged()
	if id != "" {
		return d.letThrough(id, at)
	}
	floor, final := d.unusableFrom()
	if final {
		floor.Evaluation = d.worstEvaluation()
	}
	authors := d.authors()
	worst := d.judge(0)
	d.author(authors, 0, worst, &floor)
	for i := 1; i < len(ev.DMARC); i++ {
		next := d.judge(i)
		d.author(authors, i, next, &floor)
		if next.beats(&worst) {
			worst = next
		}
	}
	if final {
		worst, d.missing = floor, noFacts
	}
	if !final && floor.worse(&worst.Verdict) {
		floor.Evaluation, floor.Requested, floor.published = worst.Evaluation, worst.Requested, worst.published
		worst = floor
	}
	worst.Authors = authors
	if worst.Delivery != Deliver || worst.Monitor != (Outcome{}) {
		d.missing |= missing
	}
	return d.finish(&worst)
}

// beats reports whether r is the one that decides: the worse outcome, then the
// worse evaluation, then the one that came first.
func (r *ruling) beats(other *ruling) bool {
	if a, b := r.Delivery.severity(), other.Delivery.severity(); a != b {
		return a > b
	}
	return r.rank > other.rank
}

// judge takes one Author Domain through steps 3 to 7.
func (d *decision) judge(i int) ruling {
	var dm *evidence.DMARC
	if i < len(d.ev.DMARC) {
		dm = &d.ev.DMARC[i]
	}
	r := d.handled(dm)
	r.rank = d.rank(dm)
	if dm != nil {
		r.Evaluation = i + 1
	}
	if d.soften(&r, dm) {
		return r
	}
	before := r.Verdict
	d.trustSealers(&r, dm)
	d.waitForSpace(&r, dm)
	d.except(&r, &before, dm)
	return r
}

// handled is steps 5 to 7 under the strictest Profile among the recipients.
func (d *decision) handled(dm *evidence.DMARC) ruling {
	var worst ruling
	rule, stricter := d.domainRules(dm)
	for i, a := range d.audiences {
		next := d.baseline(dm, rule, a)
		if d.behindRelay(&next); i == 0 || next.worse(&worst.Verdict) {
			worst = next
		}
		if stricter == nil {
			continue
		}
		next = d.baseline(dm, stricter, a)
		if d.behindRelay(&next); next.worse(&worst.Verdict) || next.heldBack(&worst.Verdict) {
			worst = next
		}
	}
	return worst
}

// chooseProfiles finds the distinct Profiles of the recipients. Without
// recipients, or for those without a Profile, it is profile -1.
func (d *decision) chooseProfiles() {
	d.audiences = d.few[:0]
	if len(d.rules.profiles) > 0 {
		if len(d.ev.Recipients) == 0 {
			d.noProfile = noRecipients
		}
		for i := range d.ev.Recipients {
			d.addAudience(d.ev.Recipients[i].Address)
			d.addHostAudiences(d.ev.Recipients[i].Address)
		}
	}
	if len(d.audiences) == 0 {
		d.audiences = append(d.audiences, audience{profile: -1})
	}
}

func (d *decision) addAudience(address string) {
	found := int32(-1)
	for p := range addressKeys(address, d.rules.delimiters) {
		if i, ok := d.rules.profileOf[p]; ok && (found < 0 || i < found) {
			found = i
		}
	}
	for _, a := range d.audiences {
		if a.profile == found {
			return
		}
	}
	d.audiences = append(d.audiences, audience{found, address})
}

// addHostAudiences adds every Profile that lists the local part of a recipient
// at an address literal, or a whole domain. As the strictest outcome of all
// audiences holds, and the one without them is there, they never soften it.
func (d *decision) addHostAudiences(address string) {
	for p := range hostKeys(address, d.rules.delimiters) {
		for _, i := range d.rules.hostProfiles[p] {
			if !slices.ContainsFunc(d.audiences, func(a audience) bool { return a.profile == i }) {
				d.audiences = append(d.audiences, audience{i, address})
			}
		}
	}
}

// rank orders evaluations by how bad they are (RFC 9989 section 11.5: the
// strictest policy among those that fail): a fail by its policy, then
// temperror, permerror, none, pass. What is the author to some readers only
// counts if it fails, or may.
func (d *decision) rank(dm *evidence.DMARC) int {
	if dm == nil {
		return 0
	}
	weak := slices.Contains(d.ev.From.Partial, dm.AuthorDomain) || d.ev.From.Behind(dm.AuthorDomain) != nil
	if weak && dm.Result != evidence.Fail && dm.Result != evidence.TempError || d.sameAuthor(dm) {
		return 0
	}
	switch dm.Result {
	case evidence.Fail:
		switch dm.Policy {
		case evidence.PolicyReject:
			return 7
		case evidence.PolicyQuarantine:
			return 6
		}
		return 5
	case evidence.TempError:
		return 4
	case evidence.PermError:
		return 3
	case evidence.Pass:
		return 1
	}
	return 2
}

// worstEvaluation is the number of the worst evaluation, 0 without any.
func (d *decision) worstEvaluation() int {
	worst := 0
	for i := range d.ev.DMARC {
		if worst == 0 || d.rank(&d.ev.DMARC[i]) > d.rank(&d.ev.DMARC[worst-1]) {
			worst = i + 1
		}
	}
	return worst
}

// trustSealers is step 4.
func (d *decision) trustSealers(r *ruling, dm *evidence.DMARC) {
	if dm == nil || dm.Result == evidence.Pass {
		return
	}
	v, ok, missing := d.vouch(dm)
	if !ok {
		if r.Delivery != Deliver || r.Monitor != (Outcome{}) {
			d.missing |= missing
		}
		r.Reason += d.disbelief(dm)
		return
	}
	set := &d.ev.ARC.Sets[v.at]
	if v.temporary {
		if r.Delivery != Deliver && r.Delivery != DeliverDefer {
			d.waitForChain(r, v)
		}
		return
	}
	r.TrustedSealer = set.SealDomain
	r.Monitor = Outcome{}
	if r.Delivery == Deliver {
		return
	}
	r.set(Accept, Tag)
	r.by(StepSealer, v.by.ID, v.by.Source)
	r.Recipient, r.Signals, r.relayed = "", nil, false
	r.Reason = "The trusted ARC sealer " + set.SealDomain + " received " + dm.AuthorDomain + " authenticated."
	r.local = OverrideReason{}
	if dm.Result == evidence.Fail && r.Requested != RequestedNone {
		r.local = OverrideReason{OverrideLocalPolicy, v.comment(&d.ev.ARC)}
	}
}

// waitForChain puts off a message whose chain of trusted sealers could not be
// validated for a temporary DNS error and would have decided. Anybody can forge a
// seal under a selector whose key is never answered, so it gains time and nothing
// else: once the message waited, and where nothing is put off, the outcome is the
// one without that Sealer.
func (d *decision) waitForChain(r *ruling, v voucher) {
	why := "The chain of the trusted ARC sealer " + d.ev.ARC.Sets[v.at].SealDomain + " could not be validated"
	if d.waited() || d.rules.tempErrors.Unresolved != Tempfail {
		r.Reason += " " + why + "."
		return
	}
	d.deferFor(r, Tempfail)
	r.by(StepTempError, v.by.ID, v.by.Source)
	r.Recipient, r.Signals, r.Monitor = "", nil, Outcome{}
	r.Reason = why + " for now."
	r.local = OverrideReason{}
	d.behindRelay(r)
}
