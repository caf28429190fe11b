package lint

import (
	"strings"

	"alignd/verify/spf"
)

// The rules of RFC 7208 that records break, in its words.
var (
	noSPF = rule{"RFC 7208 section 4.5",
		`If the resultant record set includes no records, check_host() produces the "none" result.`}
	notSPF = rule{"RFC 7208 section 4.5",
		`Starting with the set of records that were returned by the lookup, discard records that do not begin with a version section of exactly "v=spf1".`}
	severalSPF = rule{"RFC 7208 section 4.5",
		`If the resultant record set includes more than one record, check_host() produces the "permerror" result.`}
	badSyntax = rule{"RFC 7208 section 4.6",
		`if there are any syntax errors anywhere in the record, check_host() returns immediately with the result "permerror", without further interpretation or evaluation.`}
	tooManyLookups = rule{"RFC 7208 section 4.6.4",
		`SPF implementations MUST limit the total number of those terms to 10 during SPF evaluation, to avoid unreasonable load on the DNS. If this limit is exceeded, the implementation MUST return "permerror".`}
	tooManyVoids = rule{"RFC 7208 section 4.6.4",
		`SPF implementations SHOULD limit "void lookups" to two. [...] Exceeding the limit produces a "permerror" result.`}
	tooManyMX = rule{"RFC 7208 section 4.6.4",
		`the evaluation of each "MX" record MUST NOT result in querying more than 10 address records [...] If this limit is exceeded, the "mx" mechanism MUST produce a "permerror" result.`}
	temporarySPF = rule{"RFC 7208 section 4.4", `then check_host() terminates immediately with the result "temperror".`}
	allDead      = rule{"RFC 7208 section 5.1", `Mechanisms listed after "all" MUST be ignored.`}
	allRedirect  = rule{"RFC 7208 section 5.1", `Any "redirect" modifier (Section 6.1) MUST be ignored when there is an "all" mechanism in the record, regardless of the relative ordering of the terms.`}
	includeNone  = rule{"RFC 7208 section 5.2", `none | return permerror (the table of the results of include)`}
	redirectNone = rule{"RFC 7208 section 6.1", `if no SPF record is found, or if the <target-name> is malformed, the result is a "permerror" rather than "none".`}
	ptrRule      = rule{"RFC 7208 section 5.5", `This mechanism SHOULD NOT be published.`}
	macroP       = rule{"RFC 7208 section 7.2", `p = the validated domain name of <ip> (do not use)`}
	noDefault    = rule{"RFC 7208 section 4.7", `If none of the mechanisms match and there is no "redirect" modifier, then the check_host() returns a result of "neutral", just as if "?all" were specified as the last directive.`}
	expRule      = rule{"RFC 7208 section 6.2", `If there are any DNS processing errors (any RCODE other than 0), or if no records are returned, or if more than one record is returned, or if there are syntax errors in the explanation string, then proceed as if no "exp" modifier was given.`}
	sizeRule     = rule{"RFC 7208 section 3.4", `The published SPF record for a given domain name SHOULD remain small enough that the results of a query for it will fit within 512 octets.`}
	wideRule     = rule{"RFC 7208 section 11.3", ""}
)

// syntaxRule is the rule that an unreadable record breaks.
func syntaxRule(err error) rule {
	if strings.Contains(err.Error(), "several") {
		return severalSPF
	}
	return badSyntax
}

// recordLint says what a readable record does that its owner may not want.
type recordLint struct {
	t      *spfTree
	domain string
	root   bool // the record of the domain asked for
	seen   map[string]int
	dead   int
}

func (l *recordLint) add(level Level, r rule, format string, args ...any) {
	l.t.out.add(level, l.domain, r, format, args...)
}

func (l *recordLint) term(t *spf.Term, dead bool) {
	if dead && !t.Kind.Modifier() {
		l.dead++
		return
	}
	if one := t.String(); t.Kind != spf.UnknownModifier {
		if l.seen == nil {
			l.seen = map[string]int{}
		}
		if l.seen[one]++; l.seen[one] == 2 {
			l.add(Warning, rule{}, "%q stands twice; the second one never matches and costs its lookups again", t.Text)
		}
	}
	switch {
	case t.Kind == spf.All:
		l.all(t)
	case t.Kind == spf.PTR:
		l.add(Warning, ptrRule, "%q is slow, depends on the client's own DNS, and is left out by some receivers", t.Text)
	case t.Wide() && t.Qualifier == '+':
		l.add(Fault, wideRule, "%q lets about everybody send as the domain", t.Text)
	}
	if t.UsesMacro('p') {
		l.add(Warning, macroP, "%q uses %%{p}, which asks for the names of the client and counts as a lookup of its own", t.Text)
	}
}

func (l *recordLint) all(t *spf.Term) {
	switch {
	case t.Qualifier == '+':
		l.add(Fault, wideRule, "%q lets everybody send as the domain: whoever does passes SPF, and DMARC with it", t.Text)
	case t.Qualifier == '?' && l.root:
		l.add(Warning, noDefault, "%q says nothing of senders that are not listed: the result is neutral", t.Text)
	}
}

// end is for the record as a whole.
func (l *recordLint) end(rec *spf.Record) {
	if l.dead > 0 {
		l.add(Warning, allDead, "%d terms stand behind all and are never reached", l.dead)
	}
	ended := hasAll(rec)
	switch {
	case ended && rec.Redirect != nil:
		l.add(Warning, allRedirect, "%q is ignored, as the record has all", rec.Redirect.Text)
	case !ended && rec.Redirect == nil && l.root:
		l.add(Warning, noDefault, "the record has neither all nor redirect: senders that are not listed are neutral")
	}
	if len(rec.Terms) == 0 {
		l.add(Warning, noDefault, "the record has no terms: the result is neutral for everybody")
	}
	if n := len(rec.String()); n > 450 && l.root {
		l.add(Warning, sizeRule, "the record has %d octets", n)
	}
}
