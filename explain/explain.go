// Package explain tells the story of a message to people, from its evidence and verdict:
// what was checked, which rule decided, what would have to be different. alignd check,
// alignd explain and the pages show the same sections.
//
// Every text that may come from outside goes through terminal.Line: it has no controls,
// no marks of direction and no line breaks. Whoever makes HTML of it still escapes it.
package explain

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"alignd/evidence"
	"alignd/internal/terminal"
	"alignd/policy"
)

// Section is a part of the story under a heading.
type Section struct {
	Name  string `json:"name"`
	Lines []Line `json:"lines"`
}

// Line is one thing that is told.
type Line struct {
	// Name says what the text is about; empty where it goes on about what the line before is.
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
	// Form says how it is shown.
	Form Form `json:"-"`
}

// Form is how a line is shown.
type Form uint8

// The forms.
const (
	Named  Form = iota // a column of names, and the text
	Point              // one of several points
	Folded             // the text alone; it may have line breaks
)

// Teller gathers the sections of one message.
type Teller struct {
	ev   *evidence.Message
	v    *policy.Verdict
	past bool // an MTA told of it, and no command line
	list []Section
}

// New tells of a message.
func New(ev *evidence.Message, v *policy.Verdict) *Teller { return &Teller{ev: ev, v: v} }

// Sections are those told so far.
func (e *Teller) Sections() []Section { return e.list }

// Section begins a section.
func (e *Teller) Section(name string) { e.list = append(e.list, Section{Name: terminal.Line(name)}) }

// Line adds a line to the section.
func (e *Teller) Line(name, format string, args ...any) {
	e.add(Line{Name: name, Text: terminal.Line(fmt.Sprintf(format, args...))})
}

// Results adds the field Authentication-Results, folded as it is written.
func (e *Teller) Results(folded string) {
	e.add(Line{Text: "Authentication-Results: " + folded, Form: Folded})
}

func (e *Teller) add(l Line) {
	s := &e.list[len(e.list)-1]
	s.Lines = append(s.Lines, l)
}

// Write writes sections for a terminal.
func Write(out io.Writer, list []Section) error {
	w := bufio.NewWriter(out)
	for i := range list {
		if i > 0 {
			w.WriteByte('\n')
		}
		fmt.Fprintln(w, list[i].Name)
		for _, l := range list[i].Lines {
			switch l.Form {
			case Point:
				fmt.Fprintf(w, "  - %s\n", l.Text)
			case Folded:
				fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(l.Text, "\n", "\n  "))
			default:
				fmt.Fprintf(w, "  %-12s %s\n", l.Name, l.Text)
			}
		}
	}
	return w.Flush()
}

// From tells who sent it, and as whom.
func (e *Teller) From() {
	c := e.ev.Client
	switch ip := c.IP(); {
	case ip.IsValid():
		e.Line("client", "%s, HELO %q", ip, c.HELOName())
	case c.Unknown:
		e.Line("client", "unknown: not found behind the trusted relay")
	case e.past:
		e.Line("client", "unknown: the MTA told no address")
	default:
		e.Line("client", "unknown: no --ip was given")
	}
	if c.Original.IsValid() {
		e.Line("relay", "%s (%s), %d hops passed over", c.Peer, c.Relay, c.Hops)
	} else if c.RelayProblem != "" {
		e.Line("relay", "%s: %s", c.Relay, c.RelayProblem)
	} else if c.Began.IsValid() {
		e.Line("relay", "%s (%s), the message began at %s behind it", c.Peer, c.Relay, c.Began)
	} else if c.Relay != "" {
		e.Line("relay", "%s (%s), the message began inside it", c.Peer, c.Relay)
	}
	if e.ev.MailFrom == "" {
		e.Line("MAIL FROM", "<> (null reverse-path: SPF checks HELO)")
	} else {
		e.Line("MAIL FROM", "<%s>", e.ev.MailFrom)
	}
	if p := e.ev.From.Problem; p != evidence.FromOK {
		e.Line("From", "%s: %s", p, e.ev.From.Detail)
	}
	if d := e.ev.From.Domains; len(d) > 0 {
		e.Line("From", "Author Domain %s", strings.Join(d, ", "))
	}
	for _, f := range e.ev.From.Fronts {
		e.Line("From", "%s stands in front of an angle address with %s: a fail counts as the mark at most", f.Domain, strings.Join(f.Angles, ", "))
	}
	if e.ev.From.Sole {
		e.Line("From", "no other domain can be read in it, so a pass counts")
	}
}

// Verdict tells what was decided, and why.
func (e *Teller) Verdict() {
	v := e.v
	e.Line("requested", "%s", v.Requested)
	e.Line("disposition", "%s, delivery: %s", v.Disposition, v.Delivery)
	e.Line("decided by", "%s", v.Step)
	if v.Rule != "" {
		e.Line("rule", "%s%s", v.Rule, inParentheses(v.Place()))
	}
	e.Line("because", "%s", v.Reason)
	if v.Override != policy.NoOverride {
		e.Line("override", "%s%s", v.Override, inParentheses(v.OverrideComment))
	}
	if v.Stage != "" {
		e.Line("stage", "%s", v.Stage)
	}
	if v.Recipient != "" {
		e.Line("recipient", "%s", v.Recipient)
	}
	if len(v.Signals) > 0 {
		e.Line("signals", "%s", Joined(v.Signals))
	}
	if p := e.sampledPct(); p != "" {
		e.Line("sample", "%s", p)
	}
	if v.TrustedSealer != "" {
		e.Line("sealer", "%s is trusted", v.TrustedSealer)
	}
	if v.Monitor != (policy.Outcome{}) {
		e.Line("monitor", "otherwise it would have been: %s, delivery: %s", v.Monitor.Disposition, v.Monitor.Delivery)
	}
	if v.Reply != (policy.Reply{}) {
		e.Line("reply", "%s", v.Reply)
	}
	for _, fact := range v.Undecidable {
		e.Line("unknown", "a rule needs the %s, which is not known here", fact)
	}
}

// sampledPct tells the message's place in the sample where a record has pct or
// a rollout stage was chosen.
func (e *Teller) sampledPct() string {
	d := policy.Decisive(e.ev, e.v)
	if e.ev.Sample < 0 || e.v.Stage == "" && (d == nil || d.Published.Text == "" || d.Published.Pct >= 100) {
		return ""
	}
	return fmt.Sprintf("%d of 0-99: below a percentage means that it applies", e.ev.Sample)
}

// Joined is a list in words.
func Joined[T ~string](list []T) string {
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
