// Package lint looks at what a domain publishes, without a message: its DMARC
// record and the walk that finds it (RFC 9989), its SPF record with every record
// that it leads to (RFC 7208), and the key of a selector (RFC 6376). It reads them
// with the parsers that judge mail, and says in the standards' words what is wrong.
//
// It asks a resolver.Lookuper and does no other I/O. What it asks is bounded, as
// who publishes records chooses how many there are: a report that met a bound says
// so. Text from outside stands in a report as it was published, octets that are no
// UTF-8 as \xNN; who shows it to people does so with Text or JSON, which let no
// control through.
package lint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// Level says how grave a finding is.
type Level string

// The levels.
const (
	// Fault: the record does not do what its text says, or nothing at all.
	Fault Level = "fault"
	// Warning: it does, and its owner should know what that means.
	Warning Level = "warning"
	// Note is something that a reader may wonder about.
	Note Level = "note"
)

// Finding is one thing to say.
type Finding struct {
	Level Level  `json:"level"`
	At    string `json:"at"`   // the name whose record it is about
	Text  string `json:"text"` // what is so, and what comes of it
	// Section is the rule, "RFC 7208 section 4.5", and Words what it says; both may
	// be empty.
	Section string `json:"section"`
	Words   string `json:"words"`
}

// findings gathers the findings of one report, at most maxFindings.
type findings struct {
	Findings []Finding `json:"findings"`
	left     int
}

// maxFindings bounds a report; ours.
const maxFindings = 200

func (f *findings) add(level Level, at string, r rule, format string, args ...any) {
	if len(f.Findings) == maxFindings {
		f.left++
		return
	}
	f.Findings = append(f.Findings, Finding{level, shown(at), shown(fmt.Sprintf(format, args...)), r.section, r.words})
}

// Worst is the gravest level; empty without findings.
func (f *findings) Worst() Level {
	worst := Level("")
	for i := range f.Findings {
		switch level := f.Findings[i].Level; {
		case level == Fault:
			return Fault
		case level == Warning || worst == "":
			worst = level
		}
	}
	return worst
}

// rule is a place in a standard and what it says.
type rule struct{ section, words string }

// Question is one that was asked, and what came of it.
type Question struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Outcome string   `json:"outcome"` // NOERROR, NODATA, NXDOMAIN, or why there is no answer
	CNAMEs  []string `json:"cnames,omitempty"`
	Answers []string `json:"answers,omitempty"`
}

// maxQuestions is how many questions one report may ask; ours. A check of a message
// asks 112 for SPF at most.
const maxQuestions = 400

// asker asks each question once and counts.
type asker struct {
	lk    resolver.Lookuper
	asked map[string]asked
	// spent: a question was not asked.
	spent bool
	// silent counts questions without an answer.
	silent int
}

type asked struct {
	answer *resolver.Answer
	err    error
}

var errSpent = errors.New("not asked: the report's bound of questions is reached")

func newAsker(lk resolver.Lookuper) *asker { return &asker{lk: lk, asked: map[string]asked{}} }

// Lookup implements resolver.Lookuper.
func (a *asker) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	key := dns.TypeToString[qtype] + " " + name
	if known, ok := a.asked[key]; ok {
		return known.answer, known.err
	}
	if len(a.asked) >= maxQuestions {
		a.spent = true
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrBudget, Why: errSpent.Error()}
	}
	answer, err := a.lk.Lookup(ctx, name, qtype)
	if err != nil {
		a.silent++
	}
	a.asked[key] = asked{answer, err}
	return answer, err
}

// ask asks, and tells what came of it.
func (a *asker) ask(ctx context.Context, name string, qtype uint16) (*resolver.Answer, Question) {
	q := Question{Name: shown(name), Type: dns.TypeToString[qtype]}
	answer, err := a.Lookup(ctx, name, qtype)
	var e *resolver.Error
	switch {
	case errors.As(err, &e) && e.Why != "":
		q.Outcome = e.Why
		return nil, q
	case err != nil:
		q.Outcome = err.Error()
		return nil, q
	case answer.NXDomain():
		q.Outcome = "NXDOMAIN"
	case answer.Void():
		q.Outcome = "NODATA"
	default:
		q.Outcome = "NOERROR"
	}
	q.CNAMEs = shownAll(answer.CNAMEs)
	for _, ip := range answer.Addrs {
		q.Answers = append(q.Answers, ip.String())
	}
	for _, mx := range answer.MX {
		q.Answers = append(q.Answers, fmt.Sprintf("%d %s.", mx.Preference, shown(mx.Host)))
	}
	q.Answers = q.Answers[:min(len(q.Answers), maxAnswers)]
	return answer, q
}

// maxAnswers is how many records of an answer are shown; ours.
const maxAnswers = 50

// maxText is how much of a published text is shown, in octets; ours.
const maxText = 4096

// shown makes a text one that JSON can hold.
func shown(s string) string {
	if len(s) > maxText {
		s = fmt.Sprintf("%s... (%d octets)", s[:maxText], len(s))
	}
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func shownAll(list []string) []string {
	var all []string
	for _, s := range list {
		all = append(all, shown(s))
	}
	return all
}

// size notes records that DNS carries with difficulty. A character-string has at
// most 255 octets (RFC 1035 section 3.3), so a longer record comes in several.
func (f *findings) size(at string, texts []string, record string) {
	all := 0
	for _, txt := range texts {
		all += len(txt) + 12 + (len(txt)+254)/255 // with the fixed part of a record
	}
	switch {
	case all > 1232: // what resolvers ask for by EDNS
		f.add(Warning, at, rule{"RFC 7766 section 5", ""}, "the TXT records of this name have %d octets together: the answer comes over TCP, which some networks do not let through", all)
	case all > 512:
		f.add(Note, at, rule{"RFC 1035 section 2.3.4", ""}, "the TXT records of this name have %d octets together, more than the 512 of UDP without EDNS", all)
	}
	if len(record) > 255 {
		f.add(Note, at, rule{"RFC 1035 section 3.3", ""}, "the record has %d octets, so that it is published in several character-strings, which are joined without a space", len(record))
	}
}
