package policy

import "alignd/evidence"

// fromText says in words what is wrong with From, for log and reply.
var fromText = map[evidence.FromProblem]string{
	evidence.FromMissing:    "the message has no From field",
	evidence.FromSeveral:    "the message has several From fields",
	evidence.FromEmpty:      "the From field names no mailbox",
	evidence.FromUnparsable: "the From field is not a list of addresses with domains",
	evidence.FromTooMany:    "the From field names too many domains",
	evidence.FromUnread:     "the header section is too large to read",
}

func fromWhy(from *evidence.From) string {
	why, ok := fromText[from.Problem]
	switch {
	case !ok:
		return "the From field is unusable"
	case from.Problem == evidence.FromTooMany && from.Fields > 1:
		return "the message has several From fields with too many domains"
	}
	return why
}

// unusableFrom is step 2: the least that is done. A refusal settles the outcome;
// otherwise the domains that there are get judged.
func (d decision) unusableFrom() proposal {
	a, option := d.rules.from.Unparsable, "from.unparsable"
	switch d.ev.From.Problem {
	case evidence.FromOK:
		if !d.ev.Has(evidence.SectionFrom) {
			return proposal{missing: noFrom} // also where there are evaluations: a record may be cut
		}
		return proposal{}
	case evidence.FromUnparsable:
		if d.soleAuthorPasses() {
			return proposal{}
		}
	case evidence.FromMissing:
		a, option = d.rules.from.Missing, "from.missing"
	case evidence.FromSeveral:
		a, option = d.rules.from.Several, "from.several"
	case evidence.FromTooMany:
		a, option = d.rules.from.TooMany, "from.too_many"
	case evidence.FromEmpty:
		a, option = d.rules.from.Empty, "from.empty"
	}
	p := proposal{outcome: a.outcome(d.rules.handling.QuarantineAs), reply: replyFrom, why: fromWhy(&d.ev.From)}
	p.byOption(StepFrom, option, d.rules)
	p.reason = "No Author Domain: " + p.why + "."
	if d.ev.From.Problem == evidence.FromUnparsable && len(d.ev.From.Domains) > 0 {
		p.reason = "No Author Domain can be relied on: " + p.why + "."
	}
	return p
}
