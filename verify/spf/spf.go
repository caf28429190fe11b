// Package spf evaluates the Sender Policy Framework for one message: the
// check_host() function of RFC 7208 with the internationalization rules of
// RFC 8616 section 4.
//
// A record is read whole and strictly before anything of it is evaluated
// (record.go), so a syntax error behind a matching directive is still an
// error. Parsed records stay with the cached DNS answer they came from.
//
// MailFrom and HELO always return a result; nothing a domain publishes and
// nothing a client sends is an error of alignd. The reason of none, temperror
// and permerror stands in SPFCheck.Reason, which may quote outside text.
//
// Where RFC 7208 leaves a choice, this is taken:
//   - A name that DNS cannot carry (section 4.8) does not match; as the target
//     of include or redirect it is a permerror.
//   - A void lookup (section 4.6.4) is the term's own question; names that an
//     MX or PTR answer leads to are bounded by their own limits instead.
//   - More than ten MX names are a permerror when the eleventh is reached, not
//     when one of the first ten matches.
//   - The PTR question of a %{p} macro counts as one term, once for each check.
//   - The message's own query budget is not a temporary error: permerror. Whoever
//     reserves Limits.MaxQuestions for a check keeps it from being spent.
//
// # Files, by what RFC 7208 has
//
//	section 4          evaluate.go   check_host() and the limits of section 4.6.4
//	sections 4.5, 4.6  record.go     which record counts, and its grammar; term.go: one term
//	section 5          mechanism.go  the mechanisms
//	section 6.2        explain.go    exp=
//	section 7          macro.go      macros as they are written; expand.go: what they stand for
//
// inspect.go and lookalike.go show a domain's records to people.
package spf

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/resolver"
)

// Limits bounds one check (RFC 7208 section 4.6.4). A zero field stands for
// its default.
type Limits struct {
	// Terms is how many terms may cause DNS questions: include, a, mx, ptr,
	// exists and redirect. Default 10; permerror when exceeded.
	Terms int
	// Voids is how many of those questions may be answered by NXDOMAIN or no
	// record. Default 2, below 0 none; permerror when exceeded.
	Voids int
	// MX is how many names of one MX answer may be looked up. Default 10;
	// permerror when exceeded.
	MX int
	// PTR is how many names of the PTR answer are considered. Default 10;
	// further names are ignored.
	PTR int
	// Timeout is the time for one check. Default 20 s; temperror when exceeded.
	// Below 0: as long as the context lets it.
	Timeout time.Duration
}

// DefaultLimits are the numbers of RFC 7208 section 4.6.4.
var DefaultLimits = Limits{Terms: 10, Voids: 2, MX: 10, PTR: 10, Timeout: 20 * time.Second}

// MaxQuestions is how many DNS questions one check can cause at most: the record,
// each term with the names it leads to, and the explanation; and the names of a
// %{p}.
func (l Limits) MaxQuestions() int {
	l = l.orDefault()
	return 1 + l.Terms*(1+max(l.MX, l.PTR)) + 1 + (1 + l.PTR)
}

func (l Limits) orDefault() Limits {
	pick := func(n, def int) int {
		if n == 0 {
			return def
		}
		return n
	}
	l.Terms = pick(l.Terms, DefaultLimits.Terms)
	l.Voids = max(0, pick(l.Voids, DefaultLimits.Voids))
	l.MX = pick(l.MX, DefaultLimits.MX)
	l.PTR = pick(l.PTR, DefaultLimits.PTR)
	if l.Timeout == 0 {
		l.Timeout = DefaultLimits.Timeout
	}
	return l
}

// Check is what is known about the SMTP client when SPF is evaluated.
type Check struct {
	// IP is the client. Without a valid one the result is none; an
	// IPv4-mapped address is IPv4 (RFC 7208 section 5).
	IP netip.Addr
	// HELO is the argument of HELO or EHLO, as received.
	HELO string
	// MailFrom is the reverse-path without angle brackets and source route;
	// empty for the null reverse-path.
	MailFrom string
	// Receiver is the name of this host for %{r}; empty gives "unknown".
	Receiver string
	// Now is the time of the check, for %{t}.
	Now    time.Time
	Limits Limits
}

// postmaster is the local part of a sender that has none. RFC 7208 sections
// 2.4 and 4.3.
const postmaster = "postmaster"

// MailFrom checks the MAIL FROM identity. For the null reverse-path that is
// postmaster at the HELO name (RFC 7208 section 2.4), and the Identity of the
// result is helo.
func MailFrom(ctx context.Context, lk resolver.Lookuper, c Check) evidence.SPFCheck {
	if c.MailFrom == "" {
		return HELO(ctx, lk, c)
	}
	local, name := split(c.MailFrom)
	if local == "" {
		local = postmaster
	}
	return c.run(ctx, lk, sender{evidence.MailFromIdentity, local, name})
}

// HELO checks the HELO identity. An address literal, a single label and a
// name that is no domain name have no policy: the result is none (RFC 7208
// section 2.3).
func HELO(ctx context.Context, lk resolver.Lookuper, c Check) evidence.SPFCheck {
	return c.run(ctx, lk, sender{evidence.HELOIdentity, postmaster, c.HELO})
}

// sender is the identity under test; domain is as received.
type sender struct {
	identity      evidence.SPFIdentity
	local, domain string
}

// run is initial processing (RFC 7208 section 4.3), then check_host().
func (c Check) run(ctx context.Context, lk resolver.Lookuper, s sender) evidence.SPFCheck {
	res := evidence.SPFCheck{Identity: s.identity, Domain: s.domain, Result: evidence.None}
	if res.Reason = problem(s.domain); res.Reason != "" {
		return res
	}
	name, err := domain.Normalize(s.domain)
	if err != nil {
		res.Reason = err.Error()
		return res
	}
	switch res.Domain = name; {
	case !c.IP.IsValid():
		res.Reason = "client address unknown"
		return res
	case !multiLabel(name):
		res.Reason = reasonSingleLabel
		return res
	}
	limits := c.Limits.orDefault()
	ctx, cancel := bounded(ctx, limits.Timeout)
	defer cancel()
	e := evaluation{
		ctx: ctx, lookuper: lk, limits: limits,
		ip: c.IP.Unmap().WithZone(""), local: s.local, senderDomain: name,
		helo: c.HELO, receiver: c.Receiver, now: c.Now,
	}
	out := e.checkHost(name)
	res.Result, res.Reason = out.result, out.reason
	if out.term != nil {
		res.Mechanism, res.MechanismDomain = clip(out.term.Text), out.termDomain
		res.Wide = out.wide && out.result == evidence.Pass
	}
	if out.result == evidence.Fail && out.record != nil {
		res.Explanation = e.explain(out.record, out.recordDomain)
	}
	res.Record, res.Path = e.text[:min(len(e.text), maxRecord)], e.path
	res.Lookups, res.Voids = e.terms, e.voids
	res.Lookalikes = e.lookalikes
	return res
}

// problem names what is wrong with the commonest names without a policy.
func problem(name string) string {
	switch {
	case name == "":
		return "no domain name"
	case name[0] == '[':
		return "an address literal has no policy"
	}
	return ""
}

// bounded sets the time limit, unless ctx ends sooner anyway.
func bounded(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit < 0 {
		return ctx, func() {}
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= limit {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

// Domain returns the domain part of a reverse-path, as received: what follows
// the last @ outside a quoted local part. It is empty when there is none.
func Domain(mailFrom string) string {
	_, name := split(mailFrom)
	return name
}

// split cuts an address at the last @ outside quotes. With an unbalanced
// quote the last @ counts. What has none is taken for a domain without local part
// (RFC 7208 section 4.3) if it can be one of several labels.
func split(address string) (local, domain string) {
	at, quoted := -1, false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '@' && !quoted:
			at = i
		}
	}
	if quoted {
		at = strings.LastIndexByte(address, '@')
	}
	if at < 0 {
		if isDomain(address) {
			return "", address
		}
		return address, ""
	}
	return address[:at], address[at+1:]
}

func isDomain(text string) bool {
	name, err := domain.Normalize(text)
	return err == nil && multiLabel(name)
}

func multiLabel(name string) bool { return strings.IndexByte(name, '.') >= 0 }

// maxText is the longest piece of a record that is quoted in evidence, in
// octets. Our own number; what is longer is cut.
const maxText = 256

// maxRecord is how much of the checked domain's record is kept in evidence, in
// octets; ours. Records that are meant to be read are shorter.
const maxRecord = 2048

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
