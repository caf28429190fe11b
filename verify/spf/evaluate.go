package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"alignd/domain"
	"alignd/evidence"
	"alignd/resolver"
)

// evaluation is one check: its inputs, and what the limits count.
type evaluation struct {
	ctx      context.Context
	lookuper resolver.Lookuper
	limits   Limits

	ip                  netip.Addr // never IPv4-mapped
	local, senderDomain string     // <sender>; the domain as A-labels
	helo, receiver      string
	now                 time.Time

	terms, voids int
	explaining   bool // macros are expanded for exp=: nothing counts any more

	// text is the record of the checked domain. path leads from it to the term at
	// work; once a term decided, it stays.
	text string
	path []evidence.SPFTerm
	// lookalikes are texts that look like a record and are none.
	lookalikes []string

	addressed, dotted string // values of %{s} and %{i}, once computed
	pointers          []string
	pointersAsked     bool
	validated         string // the value of %{p} for validatedFor
	validatedFor      string
}

// outcome is the result of check_host() for one domain.
type outcome struct {
	result evidence.Result
	reason string
	// term is the directive that matched, in the record of termDomain; nil
	// when none did. With include that is the inner one.
	term       *Term
	termDomain string
	// wide: that directive matches about every client; see wide.
	wide bool
	// record is the one whose exp= applies to a fail, found at recordDomain.
	record       *Record
	recordDomain string
}

// halt ends the whole evaluation with temperror or permerror.
type halt struct {
	result evidence.Result
	reason string
}

func permanent(format string, args ...any) *halt {
	return &halt{evidence.PermError, fmt.Sprintf(format, args...)}
}

func (h *halt) outcome() outcome { return outcome{result: h.result, reason: h.reason} }

const reasonSingleLabel = "not a multi-label domain name"

// checkHost is check_host() (RFC 7208 section 4) for a normalized domain,
// from the record lookup on. Its depth is bounded by the limit of terms.
func (e *evaluation) checkHost(current string) outcome {
	if !multiLabel(current) {
		return outcome{result: evidence.None, reason: reasonSingleLabel}
	}
	answer, stop := e.lookup(current, dns.TypeTXT)
	switch {
	case stop != nil:
		return stop.outcome()
	case answer == nil:
		return outcome{result: evidence.None, reason: "malformed domain name"}
	case answer.NXDomain():
		return outcome{result: evidence.None, reason: "domain does not exist"}
	}
	s := selected(answer)
	e.noteLookalikes(current, s.like)
	if len(e.path) == 0 {
		e.text = s.text
	}
	switch {
	case s.err != nil:
		return permanent("SPF record of %s: %v", current, s.err).outcome()
	case s.record == nil:
		return outcome{result: evidence.None, reason: "no SPF record"}
	}
	return e.evaluate(s.record, current)
}

// evaluate goes through the terms of a record (RFC 7208 sections 4.6 and 4.7).
func (e *evaluation) evaluate(rec *Record, current string) outcome {
	depth := len(e.path)
	for i := range rec.Terms {
		t := &rec.Terms[i]
		if t.Kind.Modifier() {
			continue
		}
		e.reach(depth, current, i, t)
		by, matched, stop := e.match(t, current)
		if stop != nil {
			return stop.outcome()
		}
		if matched {
			by.result, by.reason = qualified(t.Qualifier), ""
			by.record, by.recordDomain = rec, current
			return by
		}
	}
	e.path = e.path[:depth]
	if rec.Redirect == nil {
		return outcome{result: evidence.Neutral, reason: "no directive matched"}
	}
	for i := range rec.Terms {
		if &rec.Terms[i] == rec.Redirect {
			e.reach(depth, current, i, rec.Redirect)
		}
	}
	return e.redirect(rec.Redirect, current)
}

// reach notes that term i of current's record is at work, depth records down.
func (e *evaluation) reach(depth int, current string, i int, t *Term) {
	e.path = append(e.path[:depth], evidence.SPFTerm{Domain: current, Number: i + 1, Term: clip(t.Text)})
}

func qualified(q byte) evidence.Result {
	switch q {
	case '-':
		return evidence.Fail
	case '~':
		return evidence.SoftFail
	case '?':
		return evidence.Neutral
	}
	return evidence.Pass
}

// redirect goes on with another domain's record, explanation included (RFC
// 7208 section 6.1). The sender stays.
func (e *evaluation) redirect(t *Term, current string) outcome {
	if stop := e.count(t, current); stop != nil {
		return stop.outcome()
	}
	target, ok, stop := e.name(t.Target, current)
	switch {
	case stop != nil:
		return stop.outcome()
	case !ok:
		return outcome{result: evidence.Neutral, reason: "no directive matched"}
	}
	out := e.checkHost(target)
	if out.result == evidence.None {
		return permanent("%s redirects to %q: %s", current, target, out.reason).outcome()
	}
	return out
}

// include matches when the other domain's record gives pass (the table of RFC
// 7208 section 5.2). The directive reported is the inner one.
func (e *evaluation) include(target, current string) (by outcome, matched bool, stop *halt) {
	out := e.checkHost(target)
	switch out.result {
	case evidence.Pass:
		return out, true, nil
	case evidence.TempError, evidence.PermError:
		return by, false, &halt{out.result, out.reason}
	case evidence.None:
		return by, false, permanent("%s includes %q: %s", current, target, out.reason)
	}
	return by, false, nil
}

// count counts a term that causes DNS questions (RFC 7208 section 4.6.4).
func (e *evaluation) count(t *Term, current string) *halt {
	return e.countQuestion(clip(t.Text), current)
}

func (e *evaluation) countQuestion(what, current string) *halt {
	if e.terms >= e.limits.Terms {
		return permanent("%q of %s would be the term number %d that causes DNS questions, the limit is %d",
			what, current, e.terms+1, e.limits.Terms)
	}
	e.terms++
	return nil
}

// ask looks up what a term is about, and counts a void lookup (RFC 7208
// section 4.6.4). The answer is nil when DNS cannot carry the name.
func (e *evaluation) ask(name string, qtype uint16) (*resolver.Answer, *halt) {
	answer, stop := e.lookup(name, qtype)
	if answer != nil && answer.Void() {
		if e.voids++; e.voids > e.limits.Voids {
			return nil, permanent("more than %d void lookups, the last one for %q", e.limits.Voids, name)
		}
	}
	return answer, stop
}

// lookup asks one question. It is nil without a halt when DNS cannot carry
// the name, which is then not asked for.
func (e *evaluation) lookup(name string, qtype uint16) (*resolver.Answer, *halt) {
	if !askable(name) {
		return nil, nil
	}
	if e.ctx.Err() != nil {
		return nil, e.outOfTime()
	}
	answer, err := e.lookuper.Lookup(e.ctx, name, qtype)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, resolver.ErrName):
		return nil, nil
	case errors.Is(err, resolver.ErrBudget):
		return nil, permanent("%v", err)
	case e.ctx.Err() != nil:
		return nil, e.outOfTime()
	}
	// Which server failed is in the message's list of questions; the reason
	// may stand in a delivered header.
	return nil, &halt{evidence.TempError, fmt.Sprintf("temporary DNS failure for %s %q", dns.TypeToString[qtype], name)}
}

func (e *evaluation) outOfTime() *halt {
	return &halt{evidence.TempError, "time limit reached"}
}

// askable reports whether DNS can carry name: labels of 1 to 63 octets, 253
// in all (RFC 1035 section 2.3.4).
func askable(name string) bool {
	if len(name) > domain.MaxLength {
		return false
	}
	for {
		dot := strings.IndexByte(name, '.')
		label := name
		if dot >= 0 {
			label = name[:dot]
		}
		if label == "" || len(label) > domain.MaxLabel {
			return false
		}
		if dot < 0 {
			return true
		}
		name = name[dot+1:]
	}
}
