package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"alignd/evidence"
	"alignd/header"
	"alignd/judge"
	"alignd/policy"
)

// explainer writes the explanation for people. Every text that may come from
// outside goes through printable.
type explainer struct {
	w  *bufio.Writer
	ev *evidence.Message
	v  *policy.Verdict
}

// explain tells how the verdict came about: identities, DNS answers, rules.
func explain(out io.Writer, c *checked) error {
	j := &c.by[0].j
	e := explainer{bufio.NewWriter(out), j.Evidence, &j.Verdict}
	e.section("Message")
	for _, n := range c.notes {
		e.line("note", "%s", n)
	}
	e.from()
	e.section("Checks")
	e.spf()
	e.dkim()
	e.arc()
	e.dmarc()
	e.iprev()
	e.section("DNS")
	e.dns(c.by[0].questions)
	e.section("Verdict")
	e.verdict()
	e.rules(c.by[0].s.Rules, "")
	e.section("Header")
	e.header(j, c.fields)
	return e.w.Flush()
}

// header tells what the daemon would add and delete.
func (e *explainer) header(j *judge.Judgement, fields *header.Fields) {
	for _, f := range j.Deletions() {
		e.line("deleted", "%s, number %d of that name, as a reader may take it for ours: %s", f.Name, f.Number, fieldText(fields, f))
	}
	if !j.WritesResults() {
		e.line("added", "nothing, as the client is not judged")
		return
	}
	fmt.Fprintf(e.w, "  Authentication-Results: %s\n", strings.ReplaceAll(j.Results.Format(), "\n", "\n  "))
}

// fieldText is the value of a field that goes.
func fieldText(fields *header.Fields, f judge.Field) string {
	number := 0
	for i := range fields.Len() {
		name := bytes.TrimRight(fields.At(i).Name(), " \t")
		if !strings.EqualFold(string(name), f.Name) {
			continue
		}
		if number++; number == f.Number {
			return quoted(fields.At(i).Value())
		}
	}
	return ""
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
