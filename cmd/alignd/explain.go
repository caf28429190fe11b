package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"alignd/evidence"
	"alignd/judge"
	"alignd/policy"
	"alignd/resolver"
)

// explainer writes the explanation for people. Every text that may come from
// outside goes through printable.
type explainer struct {
	w  *bufio.Writer
	ev *evidence.Message
	v  *policy.Verdict
}

// explain tells how the verdict came about: identities, DNS answers, rules.
func explain(out io.Writer, j *judge.Judgement, questions []resolver.Question) error {
	e := explainer{bufio.NewWriter(out), j.Evidence, &j.Verdict}
	e.section("Message")
	e.from()
	e.section("Checks")
	e.spf()
	e.dkim()
	e.arc()
	e.dmarc()
	e.iprev()
	e.section("DNS")
	e.dns(questions)
	e.section("Verdict")
	e.verdict()
	e.section("Header")
	e.header(j)
	return e.w.Flush()
}

// header tells what the daemon would add and delete.
func (e *explainer) header(j *judge.Judgement) {
	for _, f := range j.Deletions() {
		e.line("deleted", "%s, number %d of that name", f.Name, f.Number)
	}
	if !j.WritesResults() {
		e.line("added", "nothing, as the client is not judged")
		return
	}
	fmt.Fprintf(e.w, "  Authentication-Results: %s\n", strings.ReplaceAll(j.Results.Format(), "\n", "\n  "))
}

func (e *explainer) section(name string) {
	if name != "Message" {
		e.w.WriteByte('\n')
	}
	fmt.Fprintln(e.w, name)
}

func (e *explainer) line(name, format string, args ...any) {
	fmt.Fprintf(e.w, "  %-12s %s\n", name, printable(fmt.Sprintf(format, args...)))
}

// printable replaces what a terminal could take as a command.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' || 0x202a <= r && r <= 0x202e {
			return '?'
		}
		return r
	}, s)
}

func (e *explainer) from() {
	c := e.ev.Client
	switch ip := c.IP(); {
	case ip.IsValid():
		e.line("client", "%s, HELO %q", ip, c.HELOName())
	case c.Unknown:
		e.line("client", "unknown: not found behind the trusted relay")
	default:
		e.line("client", "unknown: no --ip was given")
	}
	if c.Original.IsValid() {
		e.line("relay", "%s (%s), %d hops passed over", c.Peer, c.Relay, c.Hops)
	} else if c.RelayProblem != "" {
		e.line("relay", "%s: %s", c.Relay, c.RelayProblem)
	} else if c.Began.IsValid() {
		e.line("relay", "%s (%s), the message began at %s behind it", c.Peer, c.Relay, c.Began)
	} else if c.Relay != "" {
		e.line("relay", "%s (%s), the message began inside it", c.Peer, c.Relay)
	}
	if e.ev.MailFrom == "" {
		e.line("MAIL FROM", "<> (null reverse-path: SPF checks HELO)")
	} else {
		e.line("MAIL FROM", "<%s>", e.ev.MailFrom)
	}
	if p := e.ev.From.Problem; p != evidence.FromOK {
		e.line("From", "%s: %s", p, e.ev.From.Detail)
	}
	if d := e.ev.From.Domains; len(d) > 0 {
		e.line("From", "Author Domain %s", strings.Join(d, ", "))
	}
	for _, f := range e.ev.From.Fronts {
		e.line("From", "%s stands in front of an angle address with %s: a fail counts as the mark at most", f.Domain, strings.Join(f.Angles, ", "))
	}
	if e.ev.From.Sole {
		e.line("From", "no other domain can be read in it, so a pass counts")
	}
}

func (e *explainer) spf() {
	e.spfCheck("SPF", e.ev.ReportedSPF())
	if e.ev.MailFrom != "" {
		e.spfCheck("SPF of HELO", e.ev.SPF.HELO)
	}
}

func (e *explainer) spfCheck(name string, c *evidence.SPFCheck) {
	if c == nil {
		e.line(name, "not checked")
		return
	}
	text := fmt.Sprintf("%s for %s %q", c.Result, c.Identity, c.Domain)
	if c.Mechanism != "" {
		text += fmt.Sprintf(": %s in the record of %s", c.Mechanism, c.MechanismDomain)
	}
	if c.Wide {
		text += ", which matches about everybody (see spf.wide)"
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	if c.Explanation != "" {
		text += fmt.Sprintf(" (the domain explains: %q)", c.Explanation)
	}
	e.line(name, "%s", text)
}

func (e *explainer) dkim() {
	switch {
	case e.ev.From.Problem == evidence.FromUnread:
		e.line("DKIM", "not checked: the header was not read")
	case len(e.ev.DKIM) == 0:
		e.line("DKIM", "none: the message is not signed")
	}
	for i := range e.ev.DKIM {
		s := &e.ev.DKIM[i]
		text := fmt.Sprintf("%s for d=%s s=%s %s", s.Result, s.Domain, s.Selector, s.Algorithm)
		if s.KeyBits > 0 {
			text += fmt.Sprintf(" (%d bits)", s.KeyBits)
		}
		if s.Reason != "" {
			text += ": " + s.Reason
		}
		if s.Testing {
			text += " (key in testing mode)"
		}
		e.line("DKIM", "%s", text)
	}
	if n := e.ev.DKIMSkipped; n > 0 {
		e.line("DKIM", "%d further signatures were not tried", n)
	}
}

func (e *explainer) arc() {
	a := &e.ev.ARC
	text := orUnchecked(a.Result)
	if a.Instances > 0 {
		text += fmt.Sprintf(", instances: %d, oldest-pass: %d", a.Instances, a.OldestPass)
	}
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	e.line("ARC", "%s", text)
	for _, s := range a.Sets {
		e.line("", "i=%d sealed by %s (cv=%s, seal %s, message signature %s)",
			s.Instance, s.SealDomain, s.SealCV, orUnchecked(s.SealResult), orUnchecked(s.MessageResult))
	}
}

func orUnchecked(r evidence.Result) string {
	if r == evidence.NotChecked {
		return "not checked"
	}
	return string(r)
}

func (e *explainer) dmarc() {
	switch {
	case e.ev.From.Problem == evidence.FromUnread:
		e.line("DMARC", "permerror: the header was not read")
	case len(e.ev.DMARC) == 0:
		e.line("DMARC", "permerror: From gives no Author Domain")
	}
	for i := range e.ev.DMARC {
		e.evaluation(&e.ev.DMARC[i])
	}
}

func (e *explainer) evaluation(d *evidence.DMARC) {
	text := fmt.Sprintf("%s for %s", d.Result, d.AuthorDomain)
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	e.line("DMARC", "%s", text)
	if d.Published.Text != "" {
		e.line("", "record of %s: %s", d.PolicyDomain, d.Published.Text)
		e.line("", "policy %s (tag %s), SPF aligned: %t, DKIM aligned: %t", d.Policy, d.PolicyTag, d.SPFAligned, d.DKIMAligned)
	}
	if d.OrgDomain != "" {
		e.line("", "Organizational Domain %s by %s", d.OrgDomain, d.Discovery)
	}
	for _, p := range d.Published.Errors {
		e.line("", "fault in the record: %s", p)
	}
	if o := d.Divergence; o != nil {
		e.line("", "by %s it would be %s with the policy %s of %s", o.Discovery, o.Result, o.Policy, o.PolicyDomain)
	}
}

func (e *explainer) iprev() {
	if r := e.ev.IPRev; r.Result != evidence.NotChecked {
		e.line("iprev", "%s %s %s", r.Result, strings.Join(r.Names, " "), r.Reason)
	}
}

func (e *explainer) dns(questions []resolver.Question) {
	if len(questions) == 0 {
		e.line("", "no questions were asked")
	}
	for _, q := range questions {
		answers := strings.Join(q.Answers, " | ")
		if len(answers) > 300 {
			answers = answers[:300] + "..."
		}
		e.line(q.Type, "%s", strings.TrimRight(fmt.Sprintf("%s %s %s", q.Name, q.Outcome, answers), " "))
	}
}

func (e *explainer) verdict() {
	v := e.v
	e.line("requested", "%s", v.Requested)
	e.line("disposition", "%s, delivery: %s", v.Disposition, v.Delivery)
	e.line("decided by", "%s", v.Step)
	if v.Rule != "" {
		e.line("rule", "%s%s", v.Rule, inParentheses(v.Place()))
	}
	e.line("because", "%s", v.Reason)
	if v.Override != policy.NoOverride {
		e.line("override", "%s%s", v.Override, inParentheses(v.OverrideComment))
	}
	if v.Stage != "" {
		e.line("stage", "%s", v.Stage)
	}
	if v.Recipient != "" {
		e.line("recipient", "%s", v.Recipient)
	}
	if len(v.Signals) > 0 {
		e.line("signals", "%s", joined(v.Signals))
	}
	if p := e.sampledPct(); p != "" {
		e.line("sample", "%s", p)
	}
	if v.TrustedSealer != "" {
		e.line("sealer", "%s is trusted", v.TrustedSealer)
	}
	if v.Monitor != (policy.Outcome{}) {
		e.line("monitor", "otherwise it would have been: %s, delivery: %s", v.Monitor.Disposition, v.Monitor.Delivery)
	}
	if v.Reply != (policy.Reply{}) {
		e.line("reply", "%s", v.Reply)
	}
	for _, fact := range v.Undecidable {
		e.line("unknown", "a rule needs the %s, which is not known here", fact)
	}
}

// sampledPct tells the message's place in the sample where a record has pct or
// a rollout stage was chosen.
func (e *explainer) sampledPct() string {
	d := policy.Decisive(e.ev, e.v)
	if e.ev.Sample < 0 || e.v.Stage == "" && (d == nil || d.Published.Text == "" || d.Published.Pct >= 100) {
		return ""
	}
	return fmt.Sprintf("%d of 0-99: below a percentage means that it applies", e.ev.Sample)
}

func joined[T ~string](list []T) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String()
}

func inParentheses(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
