package lint

import (
	"context"
	"fmt"

	"github.com/miekg/dns"

	"alignd/resolver"
	"alignd/verify/spf"
)

// SPF is what a domain publishes for SPF.
type SPF struct {
	Domain string `json:"domain"`
	// Answered: DNS said whether there is a record, and what it leads to.
	Answered bool   `json:"answered"`
	Record   string `json:"record"` // empty: none
	// Lookups counts the terms that cause DNS questions in all branches, whoever the
	// client is; Limit is the most that a check may meet.
	Lookups int `json:"lookups"`
	Limit   int `json:"limit"`
	// Voids4 and Voids6 count the void lookups that an IPv4 or an IPv6 client meets at
	// most.
	Voids4    int `json:"void_lookups_ipv4"`
	Voids6    int `json:"void_lookups_ipv6"`
	VoidLimit int `json:"void_limit"`
	// Tree is the record with every record that it leads to; nil without one.
	Tree *SPFNode `json:"tree"`
	// Bounded: the records lead to more than was looked at.
	Bounded bool `json:"bounded"`
	findings
}

// SPFNode is the record of one domain.
type SPFNode struct {
	Domain  string    `json:"domain"`
	Record  string    `json:"record"`
	Problem string    `json:"problem"` // why it is no record that can be evaluated
	Lookups int       `json:"lookups"` // of all its branches
	Terms   []SPFTerm `json:"terms"`
}

// SPFTerm is one term of a record.
type SPFTerm struct {
	Term string `json:"term"`
	// Lookups is what the term costs with its branch; 0 for one that asks nothing.
	Lookups int `json:"lookups"`
	// Remark says why the term does nothing, or was not followed; else empty.
	Remark    string     `json:"remark,omitempty"`
	Questions []Question `json:"questions,omitempty"`
	// Branch is the record that include or redirect leads to.
	Branch *SPFNode `json:"branch,omitempty"`
}

// Bounds of a tree; ours. A check ends at the eleventh lookup, so real records are
// far below.
const (
	maxDepth = 12
	maxTerms = 500
)

// spfTree is a tree being made.
type spfTree struct {
	*asker
	out   *SPF
	terms int
	// path are the domains from the root, to see loops.
	path []string
}

// CheckSPF looks at the SPF record of a normalized domain.
func CheckSPF(ctx context.Context, lk resolver.Lookuper, domain string) *SPF {
	out := &SPF{Domain: domain, Limit: spf.DefaultLimits.Terms, VoidLimit: spf.DefaultLimits.Voids, findings: findings{Findings: []Finding{}}}
	t := spfTree{asker: newAsker(lk), out: out}
	node, found := t.node(ctx, domain)
	out.Answered = found != unanswered && t.silent == 0
	if found != absent && found != unanswered {
		out.Tree, out.Record, out.Lookups = node, node.Record, node.Lookups
	}
	if found == absent {
		out.add(Warning, domain, noSPF, "%s publishes no SPF record: the result is none, and anybody may use the domain as MAIL FROM", domain)
	}
	out.Bounded = out.Bounded || t.spent
	if out.Lookups > out.Limit {
		out.add(Fault, domain, tooManyLookups, "the record leads to %d terms that cause DNS questions, and %d are allowed: a check that gets to the last one is permerror, which is no pass", out.Lookups, out.Limit)
	}
	t.voids()
	if out.Bounded {
		out.add(Warning, domain, rule{}, "not all was looked at: a bound of this report was reached")
	}
	return out
}

func (t *spfTree) voids() {
	out := t.out
	switch {
	case out.Voids4 > out.VoidLimit:
		out.add(Fault, out.Domain, tooManyVoids, "%d of the questions have no answer, and %d are allowed: a check that gets there is permerror", out.Voids4, out.VoidLimit)
	case out.Voids6 > out.VoidLimit:
		out.add(Warning, out.Domain, tooManyVoids, "for clients with IPv6 %d of the questions have no answer, and %d are allowed: a check that gets there is permerror", out.Voids6, out.VoidLimit)
	}
}

// state is what stands at a name.
type state int

const (
	present    state = iota
	absent           // no record
	broken           // a record that cannot be read, or several
	unanswered       // DNS did not say
)

// node reads the record of a domain and what it leads to.
func (t *spfTree) node(ctx context.Context, domain string) (*SPFNode, state) {
	n := &SPFNode{Domain: shown(domain), Terms: []SPFTerm{}}
	answer, q := t.ask(ctx, domain, dns.TypeTXT)
	if answer == nil {
		n.Problem = "DNS did not answer: " + q.Outcome
		t.out.add(Fault, domain, temporarySPF, "TXT of %s: %s: the result is temperror", domain, q.Outcome)
		return n, unanswered
	}
	if len(q.CNAMEs) > 0 {
		t.out.add(Note, domain, rule{}, "the name is an alias (CNAME) of %s", q.CNAMEs[len(q.CNAMEs)-1])
	}
	found := spf.Select(answer)
	rec, text, err := found.Record, found.Text, found.Err
	for _, l := range found.Lookalikes {
		t.out.add(Fault, domain, notSPF, "looks like an SPF record and is none: %s", l)
	}
	n.Record = shown(text)
	switch {
	case err != nil:
		n.Problem = shown(err.Error())
		t.out.add(Fault, domain, syntaxRule(err), "%s: the result is permerror", err)
		return n, broken
	case rec == nil:
		n.Problem = "no SPF record"
		if answer.NXDomain() {
			n.Problem = "the name does not exist"
		}
		return n, absent
	}
	t.out.size(domain, answer.TXT, text)
	t.path = append(t.path, domain)
	t.record(ctx, n, rec, domain)
	t.path = t.path[:len(t.path)-1]
	return n, present
}

// record goes through the terms in the order of a check: the mechanisms, then
// redirect.
func (t *spfTree) record(ctx context.Context, n *SPFNode, rec *spf.Record, domain string) {
	ended := ""
	lint := recordLint{t: t, domain: domain, root: len(t.path) == 1}
	for i := range rec.Terms {
		term := &rec.Terms[i]
		if t.terms++; t.terms > maxTerms {
			t.out.Bounded = true
			break
		}
		lint.term(term, ended != "")
		row := SPFTerm{Term: shown(term.Text)}
		switch {
		case ended != "" && !term.Kind.Modifier():
			row.Remark = "never reached: " + ended + " matches everybody"
		case term.Kind == spf.Redirect && hasAll(rec):
			row.Remark = "ignored: the record has all"
		case term.Kind == spf.Exp:
			t.explanation(ctx, &row, term, domain)
		case term.Asks():
			t.follow(ctx, &row, term, domain)
		case term.Kind == spf.UnknownModifier:
			row.Remark = "an unknown modifier, which is ignored"
		}
		if term.Kind == spf.All && ended == "" {
			ended = term.Text
		}
		n.Lookups += row.Lookups
		n.Terms = append(n.Terms, row)
	}
	lint.end(rec)
}

func hasAll(rec *spf.Record) bool {
	for i := range rec.Terms {
		if rec.Terms[i].Kind == spf.All {
			return true
		}
	}
	return false
}

// follow asks what a check would ask for a term, for clients of both families.
func (t *spfTree) follow(ctx context.Context, row *SPFTerm, term *spf.Term, domain string) {
	row.Lookups = 1
	if term.UsesMacro('p') {
		row.Lookups = 2
	}
	name, macros := term.Name(domain)
	switch {
	case term.Kind == spf.PTR:
		row.Remark = "asks for the names of the client"
		return
	case macros:
		row.Remark = "depends on the message (macros), so it was not followed"
		if term.Kind == spf.Include || term.Kind == spf.Redirect {
			t.out.add(Note, domain, rule{"RFC 7208 section 7", ""}, "%q leads to a record that depends on the message: its own lookups are not in the count", term.Text)
		}
		return
	}
	switch term.Kind {
	case spf.Include, spf.Redirect:
		t.branch(ctx, row, term, name, domain)
	case spf.A:
		t.void(t.addresses(ctx, row, name))
	case spf.Exists:
		answer, q := t.ask(ctx, name, dns.TypeA)
		row.Questions = append(row.Questions, q)
		isVoid := answer != nil && answer.Void()
		t.void(isVoid, isVoid)
	case spf.MX:
		t.exchangers(ctx, row, name, domain)
	}
}

func (t *spfTree) void(ipv4, ipv6 bool) {
	if ipv4 {
		t.out.Voids4++
	}
	if ipv6 {
		t.out.Voids6++
	}
}

// addresses asks for both families, and tells which has none.
func (t *spfTree) addresses(ctx context.Context, row *SPFTerm, name string) (none4, none6 bool) {
	for i, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, q := t.ask(ctx, name, qtype)
		row.Questions = append(row.Questions, q)
		if answer != nil && answer.Void() {
			none4, none6 = none4 || i == 0, none6 || i == 1
		}
	}
	return none4, none6
}

// exchangers looks up the hosts of an mx term. Their void answers do not count, as
// the engine's do not; the number of hosts has a limit of its own.
func (t *spfTree) exchangers(ctx context.Context, row *SPFTerm, name, domain string) {
	answer, q := t.ask(ctx, name, dns.TypeMX)
	row.Questions = append(row.Questions, q)
	if answer == nil {
		return
	}
	t.void(answer.Void(), answer.Void())
	if len(answer.MX) > spf.DefaultLimits.MX {
		t.out.add(Fault, domain, tooManyMX, "%s has %d MX records, and %d are allowed: a check that reaches the next one is permerror", name, len(answer.MX), spf.DefaultLimits.MX)
	}
	for _, mx := range answer.MX[:min(len(answer.MX), spf.DefaultLimits.MX)] {
		if mx.Host != "" { // RFC 7505: a null MX has no address
			t.addresses(ctx, row, mx.Host)
		}
	}
}

// branch follows include and redirect.
func (t *spfTree) branch(ctx context.Context, row *SPFTerm, term *spf.Term, name, domain string) {
	for _, above := range t.path {
		if above == name {
			row.Remark = "a loop: " + shown(name) + " is being read already"
			t.out.add(Fault, domain, tooManyLookups, "%q leads back to %s: a check that gets there goes round until it is permerror", term.Text, name)
			return
		}
	}
	if len(t.path) >= maxDepth {
		row.Remark = "not followed: too deep"
		t.out.Bounded = true
		return
	}
	branch, found := t.node(ctx, name)
	row.Branch = branch
	row.Lookups += branch.Lookups
	if found == absent {
		r := includeNone
		if term.Kind == spf.Redirect {
			r = redirectNone
		}
		t.out.add(Fault, domain, r, "%q: %s: %s; the result is permerror for everybody who gets there", term.Text, name, branch.Problem)
	}
}

// explanation looks at the text of exp=, which costs nothing that counts (RFC 7208
// section 4.6.4) and is left out where it is not usable.
func (t *spfTree) explanation(ctx context.Context, row *SPFTerm, term *spf.Term, domain string) {
	name, macros := term.Name(domain)
	if macros {
		row.Remark = "the explanation's name depends on the message (macros)"
		return
	}
	answer, q := t.ask(ctx, name, dns.TypeTXT)
	row.Questions = append(row.Questions, q)
	row.Remark = "the explanation of a fail"
	if answer != nil && len(answer.TXT) != 1 {
		row.Remark = fmt.Sprintf("no explanation: %d TXT records at %s", len(answer.TXT), shown(name))
		t.out.add(Warning, domain, expRule, "%q has %d TXT records and needs one: there is no explanation", term.Text, len(answer.TXT))
	}
}

// Known reports whether DNS said what there is.
func (s *SPF) Known() bool { return s.Answered }

// Each hands all terms to each, those that a term leads to behind it.
func (n *SPFNode) Each(each func(*SPFNode, *SPFTerm)) {
	for i := range n.Terms {
		t := &n.Terms[i]
		each(n, t)
		if t.Branch != nil {
			t.Branch.Each(each)
		}
	}
}
