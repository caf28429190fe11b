package dmarc

import (
	"context"
	"errors"
	"slices"

	"alignd/domain"
	"alignd/evidence"
	"alignd/resolver"
)

// maxIdentifiers is how many distinct identifiers that differ from the Author
// Domain are considered; ours. Those above it are not aligned.
const maxIdentifiers = 20

// Options says how DMARC is evaluated. The zero value is the DNS Tree Walk to
// the letter of RFC 9989, without guard and comparison.
type Options struct {
	// Discovery is the method; empty means evidence.TreeWalk.
	Discovery evidence.Discovery
	// OrgDomain asks for the Organizational Domain in any case. Otherwise
	// evidence has it when it is known without another question.
	OrgDomain bool
	// Existence asks whether the Author Domain of mail that fails a policy of
	// reject exists, also where the record's np does not.
	Existence bool
	// Compare also evaluates by the other method and keeps a difference in
	// evidence. It implies OrgDomain.
	Compare bool
	// PSLGuard keeps records of top level domains and ICANN suffixes that
	// forgot psd=y from aligning all their registrants. It does not concern
	// the method evidence.PSL.
	PSLGuard bool
}

// Identifiers are the results that alignment is computed from.
type Identifiers struct {
	// SPF is the check of MAIL FROM, or for the null reverse-path that of the
	// HELO domain (RFC 9989 section 3.2.4); nil when SPF was not checked. A
	// HELO result beside a MAIL FROM has no place here.
	SPF *evidence.SPFCheck
	// DKIM are all signatures, in the order of Message.DKIM.
	DKIM []evidence.Signature
	// Authors are other Author Domains of the message; evidence tells which of them
	// are aligned with this one, in relaxed mode, where it does not pass.
	Authors []string
}

// Evaluation is the evaluation of one Author Domain in one message. It is used
// by one goroutine at a time.
type Evaluation struct {
	author string
	opt    Options
	main   judge
	other  judge
	cancel context.CancelFunc
	early  *task // nil when the policy was known at once
}

// judge evaluates by one method.
type judge struct {
	name evidence.Discovery
	method
	walk treeWalk // method, if it is that one
	*asker
	policy    discovered
	existence evidence.Existence
}

// Start asks for the policy record of authorDomain, a normalized domain, in
// the background. The caller must call Finish or Abandon. Cancelling ctx ends
// the questions with temporary errors. lk should be the message's view that
// may draw on the reserved share of its budget.
func Start(ctx context.Context, lk resolver.Lookuper, authorDomain string, opt Options) *Evaluation {
	e := &Evaluation{author: authorDomain, opt: opt}
	ready := resolver.NewReady(lk)
	ask := e.begin(ready)
	ask.first = ready
	if e.discoverPolicies(ctx); ready.Complete() {
		ask.lk, ask.first = lk, nil
		return e
	}
	e.begin(lk)
	ctx, e.cancel = context.WithCancel(ctx)
	e.early = spawn(func() { e.discoverPolicies(ctx) })
	return e
}

// begin sets the methods up with nothing asked.
func (e *Evaluation) begin(lk resolver.Lookuper) *asker {
	ask := &asker{lk: lk}
	e.main, e.other = judge{}, judge{}
	first, second := evidence.TreeWalk, evidence.PSL
	if e.opt.Discovery == evidence.PSL {
		first, second = second, first
	}
	e.main.use(first, ask, e.opt)
	e.other.use(second, ask, e.opt)
	return ask
}

func (e *Evaluation) discoverPolicies(ctx context.Context) {
	e.main.discoverPolicy(ctx, e.author)
	if e.opt.Compare {
		e.other.discoverPolicy(ctx, e.author)
	}
}

// use sets the method.
func (j *judge) use(name evidence.Discovery, ask *asker, opt Options) {
	j.name, j.asker = name, ask
	if name == evidence.PSL {
		j.method = suffixList{ask}
		return
	}
	j.walk = treeWalk{asker: ask, guard: opt.PSLGuard}
	j.method = &j.walk
}

// Abandon ends an evaluation whose message is not judged.
func (e *Evaluation) Abandon() {
	if e.early != nil {
		e.cancel()
		e.early.wait()
	}
}

// Finish evaluates the identifiers. When ctx is done the questions that are
// still open count as temporary failures.
func (e *Evaluation) Finish(ctx context.Context, ids Identifiers) evidence.DMARC {
	if e.early != nil {
		select {
		case <-e.early.done:
		case <-ctx.Done():
			e.cancel()
		}
		e.early.wait()
		defer e.cancel()
	}
	out := e.main.evaluate(ctx, e.author, ids, e.opt.OrgDomain || e.opt.Compare)
	if e.opt.Existence && out.Result == evidence.Fail && out.Policy == evidence.PolicyReject && out.Existence == evidence.ExistenceUnknown {
		out.Existence = e.main.lookExistence(ctx, e.author)
	}
	if e.opt.Compare {
		out.Divergence = divergence(out, e.other.evaluate(ctx, e.author, ids, true))
	}
	return out
}

// discoverPolicy finds the policy record, and whether the Author Domain exists
// where np makes a difference (RFC 9989 section 4.7).
func (j *judge) discoverPolicy(ctx context.Context, author string) {
	j.policy = j.discover(ctx, author)
	d := &j.policy
	switch {
	case d.own.exists:
		j.existence = evidence.Exists
	case d.rec != nil && d.domain != author && d.rec.existenceMatters():
		j.existence = j.lookExistence(ctx, author)
	}
}

// evaluate gives the result of RFC 9989 sections 5.3.4 to 5.3.6.
func (j *judge) evaluate(ctx context.Context, author string, ids Identifiers, wantOrg bool) evidence.DMARC {
	d := &j.policy
	out := evidence.DMARC{
		AuthorDomain: author, Discovery: j.name,
		PolicyDomain: d.domain, OrgDomain: d.org, Existence: j.existence,
	}
	if !j.applies(d, &out) {
		return out
	}
	out.Policy, out.PolicyTag = d.rec.policyFor(d.domain != author, j.existence)
	if d.rec.Testing {
		out.Policy = stepDown(out.Policy)
	}
	a := aligner{judge: j, author: author, rec: d.rec}
	a.identify(ctx, ids, &out)
	j.alignAuthors(ctx, ids.Authors, &out)
	if out.OrgDomain == "" && wantOrg && d.open == nil {
		out.OrgDomain, _ = j.orgDomain(ctx, author)
	}
	if j.name == evidence.TreeWalk {
		out.SiteDomain = j.walk.site(ctx, author, out.OrgDomain)
	}
	return out
}

// alignAuthors compares other Author Domains with that of out, if that matters.
// One that cannot be compared for now is not aligned.
func (j *judge) alignAuthors(ctx context.Context, authors []string, out *evidence.DMARC) {
	if out.Result != evidence.Fail && out.Result != evidence.TempError {
		return
	}
	for _, d := range authors {
		if same, err := j.sameOrg(ctx, out.AuthorDomain, j.policy.org, d); same && err == nil {
			out.AlignedAuthors = append(out.AlignedAuthors, d)
		}
	}
}

// policyTemporary is the reason where the policy is not known for now.
const policyTemporary = "temporary DNS failure while looking up the policy"

// applies reports whether there is a policy to evaluate; otherwise it has set
// the result.
func (j *judge) applies(d *discovered, out *evidence.DMARC) bool {
	switch {
	case errors.Is(d.err, resolver.ErrBudget):
		out.Result, out.Reason = evidence.PermError, "query budget spent before the policy was known"
		return false
	case d.err != nil:
		out.Result, out.Reason = evidence.TempError, policyTemporary
		out.PolicyTemporary = true
		return false
	case d.rec == nil && d.own.several:
		out.Result, out.Reason = evidence.None, "several DMARC records"
		return false
	case d.rec == nil:
		out.Result, out.Reason = evidence.None, "no DMARC record"
		return false
	}
	use := d.rec.usability()
	if d.open != nil && (use == absent || use == malformed) {
		out.Result, out.Reason = evidence.TempError, policyTemporary
		out.PolicyTemporary, out.PolicyDomain = true, ""
		return false
	}
	out.Published = d.rec.Evidence()
	out.Published.Errors = append(out.Published.Errors, d.problems...)
	switch use {
	case absent:
		out.Result, out.Reason = evidence.None, "DMARC record without policy and reporting address"
		return false
	case malformed:
		out.Result, out.Reason = evidence.PermError, "invalid policy in the DMARC record"
		return false
	}
	return true
}

// aligner computes Identifier Alignment with one Author Domain (RFC 9989
// section 4.4).
type aligner struct {
	*judge
	author  string
	rec     *Record
	domains []*identifier
}

// identifier is a domain that differs from the Author Domain, and whether it
// is aligned in relaxed mode.
type identifier struct {
	domain  string
	aligned bool
	err     error
}

// candidate is one use of an identifier.
type candidate struct {
	domain      string
	exact       bool // strict mode, a public suffix, or a policy that is open: only equality aligns
	index       int  // in Identifiers.DKIM; -1 is SPF
	*identifier      // nil when equality decides
}

// identify sets the alignment fields and the result of out.
func (a *aligner) identify(ctx context.Context, ids Identifiers, out *evidence.DMARC) {
	unresolved := false
	for _, c := range a.resolve(ctx, a.candidates(ids, evidence.Pass)) {
		switch aligned, err := a.aligned(c); {
		case aligned && c.index < 0:
			out.SPFAligned = true
		case aligned:
			out.DKIMAligned = true
			out.AlignedDKIM = append(out.AlignedDKIM, c.index)
		case err != nil:
			unresolved = true
		}
	}
	switch {
	case out.SPFAligned || out.DKIMAligned:
		out.Result = evidence.Pass
		return
	case a.policy.open != nil: // an own record could ask for anything, strict alignment too
		out.Result, out.Reason = evidence.TempError, policyTemporary
		out.PolicyTemporary = true
		return
	}
	if !unresolved {
		unresolved = a.pending(ctx, ids)
	}
	if unresolved {
		out.Result, out.Reason = evidence.TempError, "temporary DNS failure for an identifier that may be aligned"
		out.IdentifierTemporary = true
		return
	}
	out.Result, out.Reason = evidence.Fail, "no aligned identifier"
}

// pending reports whether an identifier that would be aligned could not be
// authenticated because of a temporary error (RFC 9989 section 5.3.6).
func (a *aligner) pending(ctx context.Context, ids Identifiers) bool {
	for _, c := range a.resolve(ctx, a.candidates(ids, evidence.TempError)) {
		if aligned, err := a.aligned(c); aligned || err != nil {
			return true
		}
	}
	return false
}

// candidates lists the identifiers with this result, DKIM first.
func (a *aligner) candidates(ids Identifiers, result evidence.Result) []candidate {
	list := make([]candidate, 0, len(ids.DKIM)+1)
	add := func(name string, exact bool, index int) {
		if name, err := domain.Normalize(name); err == nil {
			list = append(list, candidate{domain: name, exact: exact, index: index})
		}
	}
	for i := range ids.DKIM {
		if s := &ids.DKIM[i]; s.Result == result {
			add(s.Domain, a.rec.StrictDKIM || s.PublicSuffix || a.policy.open != nil, i)
		}
	}
	if s := ids.SPF; s != nil && s.Result == result {
		add(s.Domain, a.rec.StrictSPF || a.policy.open != nil, -1)
	}
	return list
}

// resolve finds out about the candidates that need an Organizational Domain,
// each domain once, side by side.
func (a *aligner) resolve(ctx context.Context, list []candidate) []candidate {
	var open []*identifier
	for i := range list {
		c := &list[i]
		if c.exact || c.domain == a.author {
			continue
		}
		at := slices.IndexFunc(a.domains, func(id *identifier) bool { return id.domain == c.domain })
		if at >= 0 {
			c.identifier = a.domains[at]
			continue
		}
		if len(a.domains) == maxIdentifiers {
			continue
		}
		c.identifier = &identifier{domain: c.domain}
		a.domains = append(a.domains, c.identifier)
		open = append(open, c.identifier)
	}
	a.compareAll(ctx, open)
	return list
}

// compareAll compares each identifier with the Author Domain.
func (a *aligner) compareAll(ctx context.Context, open []*identifier) {
	compare := func(id *identifier) {
		id.aligned, id.err = a.sameOrg(ctx, a.author, a.policy.org, id.domain)
		if errors.Is(id.err, resolver.ErrBudget) {
			id.err = nil // refused by our own limit: simply not authenticated
		}
	}
	if len(open) == 0 {
		return
	}
	var beside []*task
	for _, id := range open[1:] {
		beside = append(beside, spawn(func() { compare(id) }))
	}
	compare(open[0])
	for _, t := range beside {
		t.wait()
	}
}

// aligned applies RFC 9989 section 4.4 to a resolved candidate.
func (a *aligner) aligned(c candidate) (bool, error) {
	if c.domain == a.author {
		return true, nil
	}
	if c.identifier == nil {
		return false, nil
	}
	return c.identifier.aligned, c.identifier.err
}

// divergence compares the outcomes of both methods; nil when they agree.
func divergence(main, other evidence.DMARC) *evidence.Divergence {
	same := main.Result == other.Result && main.PolicyDomain == other.PolicyDomain && main.Policy == other.Policy
	if same && (main.OrgDomain == other.OrgDomain || main.PolicyDomain == "") {
		return nil
	}
	return &evidence.Divergence{
		Discovery: other.Discovery, Result: other.Result,
		PolicyDomain: other.PolicyDomain, OrgDomain: other.OrgDomain, Policy: other.Policy,
	}
}
