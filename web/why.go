package web

import (
	"cmp"
	"fmt"
	"strings"

	"alignd/evidence"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/policy"
	"alignd/replay/sources"
)

// whyHeadings name what was done, or would have been done.
var whyHeadings = map[policy.Delivery]string{
	policy.DeliverTag: "marked", policy.DeliverHold: "held", policy.DeliverDefer: "put off", policy.Refuse: "refused",
}

// whyNot answers "why was it not delivered?" for who has to help a user: what was done and
// by whose word, what failed, who would have to change what, and what entry lets it in.
// Ways are those of the message as it was; other texts are those of shown, as a reply or a
// reason may have a local part without its "@", as SPF's macros write it.
func (a *asked) whyNot(e, shown *journal.Entry, rules *policy.Rules) []block {
	r := shown.Record
	v := &r.Verdict
	would := cmp.Or(v.Monitor.Delivery, v.Delivery)
	heading := "Why was it " + whyHeadings[v.Delivery] + "?"
	if deliveredAnyway(v) {
		heading = "Why would it have been " + whyHeadings[would] + "?"
	}
	b := block{ID: "why", Heading: heading, Note: terminal.Line(v.Reason)}
	line := func(name, format string, args ...any) {
		b.Lines = append(b.Lines, explained{Name: name, Text: terminal.Line(fmt.Sprintf(format, args...))})
	}
	line("decided by", "%s", a.decider(r.Verdict, &r.Evidence))
	if v.Rule != "" {
		line("rule", "%s, %s", v.Rule, cmp.Or(place(v.File, v.Line), "not in a file"))
	}
	if reply := r.Outcome.Reply.String(); reply != "" {
		line("the sender was told", "%s", reply)
	}
	for i := range r.Evidence.DMARC {
		if dm := &r.Evidence.DMARC[i]; dm.Result != evidence.Pass {
			line("DMARC", "%s for %s: %s", dm.Result, dm.AuthorDomain, whatFailed(&r.Evidence, dm))
		}
	}
	return []block{b, a.toChange(e, shown, rules), a.entryFor(e)}
}

// decider says by whose word it is.
func (a *asked) decider(v policy.Verdict, ev *evidence.Message) string {
	d := policy.Decisive(ev, &v)
	switch v.Step {
	case policy.StepPolicy:
		if d != nil && d.PolicyDomain != "" {
			return fmt.Sprintf("the owner of %s, who publishes the policy %s", d.PolicyDomain, d.Policy)
		}
		return "the owner of the Author Domain, by its published policy"
	case policy.StepFrom:
		return "the message: its From field cannot be used"
	case policy.StepException:
		return "this site, by an exception"
	case policy.StepHandling:
		return "this site, by an option or entry of its own"
	case policy.StepTempError:
		return "DNS, which did not answer: a sender tries again by itself"
	case policy.StepLimit:
		return "this site, by a limit: it was not judged"
	case policy.StepInternal:
		return "alignd, which failed on it; its log says more"
	}
	return string(v.Step)
}

// whatFailed is SPF and each signature, in few words.
func whatFailed(ev *evidence.Message, dm *evidence.DMARC) string {
	list := policy.Identifiers(ev, dm)
	var parts []string
	signed := false
	for i := range list {
		x := &list[i]
		name := "SPF " + cmp.Or(string(x.Result), "not checked") + " for " + cmp.Or(x.Domain, "nobody")
		if x.Signature > 0 {
			signed = true
			name = "signature of " + x.Domain + " " + string(x.Result)
			if why := ev.DKIM[x.Signature-1].Reason; why != "" {
				name += " (" + why + ")"
			}
		}
		parts = append(parts, name+", "+aligns(x))
		if i == 5 && len(list) > 7 {
			parts = append(parts, fmt.Sprintf("and %d other signatures", len(list)-6))
			break
		}
	}
	if !signed {
		parts = append(parts, "no signature")
	}
	if dm.Reason != "" {
		parts = append(parts, dm.Reason)
	}
	return strings.Join(parts, "; ")
}

// aligns says how an identifier stands to the Author Domain.
func aligns(x *policy.Identifier) string {
	switch {
	case x.Ignored:
		return "matches everybody, so it does not count"
	case x.Counts():
		return "aligned"
	case x.Aligned:
		return "aligned, but does not pass"
	case !x.Known:
		return "not known whether aligned"
	case x.Strict:
		return "not aligned: strict"
	}
	return "not aligned"
}

// toChange says who would have to change what.
func (a *asked) toChange(e, shown *journal.Entry, rules *policy.Rules) block {
	ev := &e.Record.Evidence
	t := &table{Columns: columns("Who", "Would have to see to it that", "Then")}
	ways := policy.Ways(ev, rules)
	if s := shown.Record.Verdict.Step; s == policy.StepLimit || s == policy.StepInternal {
		ways = nil // it was not DMARC
	}
	for _, w := range ways {
		then := "it would have been treated milder"
		if w.Passes {
			then = "DMARC passes for " + w.Author
		}
		text := w.Text
		if e != shown {
			text = withoutLocals(text)
		}
		t.Rows = append(t.Rows, []cell{plain(whoChanges(&w, ev)), plain(text), plain(then)})
	}
	if len(t.Rows) == 0 {
		return block{Heading: "Who has to change what", Note: noWay(&shown.Record.Verdict)}
	}
	return block{Heading: "Who has to change what", Note: "Each would do by itself what stands beside it.", Table: t}
}

// noWay says why nothing that is known of a message would have let it in.
func noWay(v *policy.Verdict) string {
	switch v.Step {
	case policy.StepLimit:
		return "The sender: a smaller message. Or this site: a higher limit. Neither DMARC nor an entry has to do with it."
	case policy.StepInternal:
		return "This site: it is a fault of alignd or its host. The sender can try again."
	}
	return "Nothing that is known of this message would have let it in."
}

// whoChanges names who can change something.
func whoChanges(w *policy.Way, ev *evidence.Message) string {
	c := &w.Change
	switch {
	case c.Answers:
		return "who runs the DNS of " + w.Author
	case c.Relaxed:
		return "who publishes DMARC of " + w.Author
	case c.Signature > 0 && c.Signature <= len(ev.DKIM):
		s := &ev.DKIM[c.Signature-1]
		switch s.FailedOn {
		case evidence.FailedBody, evidence.FailedHeader:
			return "who changed it on its way, as lists and forwarders do, or who signs for " + s.Domain
		case evidence.FailedDNS:
			return "who runs the DNS of " + s.Domain
		}
		return "who signs for " + s.Domain
	case c.Signer != "":
		return "who sends as " + w.Author + ": sign it"
	case c.SPF != "":
		return "who publishes SPF of " + c.SPF
	case c.From:
		return "who wrote the program that sends it"
	case len(c.Trusted) > 0:
		return "this site: trusted_sealers"
	case c.Entry != "":
		return "this site: exception " + c.Entry
	case c.Without != "":
		return "this site: " + c.Without
	}
	return "this site"
}

// entryFor leads to where an entry is suggested and measured, and to what can be tried.
func (a *asked) entryFor(e *journal.Entry) block {
	r := e.Record
	ev, v := &r.Evidence, &r.Verdict
	author := journal.AuthorOf(r)
	if author == "" || v.Step == policy.StepLimit || v.Step == policy.StepInternal {
		return block{Heading: "An entry that lets it in"}
	}
	source := sources.Infrastructure(ev, a.opt.Backend.Organization)
	b := block{Heading: "An entry that lets it in", Links: []link{{"Suggest one, with its effect", to("/sender", "domain", author, "source", source) + "#entry"}},
		Note: terminal.Line("For " + brief(author) + " from " + source + ". A suggestion is made only where something proves who sends, and says whom else it would let in.")}
	if d := policy.Decisive(ev, v); d == nil || d.Result == evidence.Pass || v.Step == policy.StepException {
		b.Note = "An exception or option of this site decided: change it there. Rules shows what it does to other mail."
		b.Links = []link{{"The rule and what would be without it", to("/rule", "id", v.Rule)}}
		return b
	}
	if name := signerOf(ev); name != "" {
		b.Note += terminal.Line(" A signature of " + brief(name) + " verifies, which proves nothing but that it signed this: whoever forges can sign as himself. Where you know from elsewhere that it sends for " +
			brief(author) + ", name it there, under Somebody you know.")
	}
	return b
}

// signerOf is the domain of the first signature that verifies. It is told, and stands in no
// entry to paste: one message is no proof that its signer may write as its author.
func signerOf(ev *evidence.Message) string {
	for i := range ev.DKIM {
		if s := &ev.DKIM[i]; s.Result == evidence.Pass && !s.PublicSuffix && !s.Testing {
			return s.Domain
		}
	}
	return ""
}

// placeShown is where something stands: the name of the file, with its path as title.
func placeShown(s policy.Source) cell {
	return cell{Text: terminal.Line(place(s.File, s.Line)), Title: terminal.Line(s.File)}
}

// place is a line of a file, without its path.
func place(file string, line int) string {
	if file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line)
}

// heldBack reports whether something would have been done, but for monitor mode or a stage.
func heldBack(v *policy.Verdict) bool {
	return v.Monitor.Delivery != "" && v.Monitor.Delivery != policy.Deliver && v.Monitor.Delivery != v.Delivery
}

// whyLink is the question that is put first.
func whyLink(v *policy.Verdict) []link {
	switch {
	case v.Delivery == policy.DeliverTag:
		return []link{{"Why was it marked?", "#why"}}
	case !deliveredAnyway(v):
		return []link{{"Why not delivered?", "#why"}}
	case heldBack(v):
		return []link{{"What was held back, and why?", "#why"}}
	}
	return nil
}
