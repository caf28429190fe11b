package dmarc

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"alignd/evidence"
	"alignd/internal/owned"
	"alignd/resolver"
)

// Options says how DMARC is evaluated. The zero value is the DNS Tree Walk to
// the letter of RFC 9989, without guard and comparison.
type Options struct {
	// Discovery is the method; empty means evidence.TreeWalk.
	Discovery evidence.Discovery
	// Needs asks by OrgDomain for the Organizational Domain in any case; otherwise
	// evidence has it when it is known without another question. By Existence it
	// asks whether the Author Domain of mail that fails a policy of reject exists,
	// also where the record's np does not.
	Needs evidence.Needs
	// Compare also evaluates by the other method and keeps a difference in
	// evidence. It implies Needs.OrgDomain.
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
	early  owned.Group        // finds the policy where it was not known at once
	cancel context.CancelFunc // ends that; nil where it was known
}

// judge evaluates by one method.
type judge struct {
	name evidence.Discovery
	method
	walk treeWalk // method, if it is that one
	*asker
	policy    discovered
	existence evidence.Existence
	sought    bool // existence was asked for
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
	e.early.Go(func() { e.discoverPolicies(ctx) })
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
	if e.cancel != nil {
		e.cancel()
		e.early.Wait()
	}
}

// Finish evaluates the identifiers. When ctx is done the questions that are
// still open count as temporary failures.
func (e *Evaluation) Finish(ctx context.Context, ids Identifiers) evidence.DMARC {
	if e.cancel != nil {
		defer e.cancel()
		defer context.AfterFunc(ctx, e.cancel)()
		e.early.Wait()
	}
	out := e.main.evaluate(ctx, e.author, ids, e.opt.Needs.OrgDomain || e.opt.Compare)
	if e.opt.Needs.Existence && out.Result == evidence.Fail && out.Policy == evidence.PolicyReject && out.Existence == evidence.ExistenceUnknown {
		out.Existence = e.main.lookExistence(ctx, e.author)
		out.Looked |= evidence.SectionExistence
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
		j.existence, j.sought = j.lookExistence(ctx, author), true
	}
}

// evaluate gives the result of RFC 9989 sections 5.3.4 to 5.3.6.
func (j *judge) evaluate(ctx context.Context, author string, ids Identifiers, wantOrg bool) evidence.DMARC {
	d := &j.policy
	out := evidence.DMARC{
		AuthorDomain: author, Discovery: j.name,
		PolicyDomain: d.domain, OrgDomain: d.org, Existence: j.existence,
	}
	out.Lookalikes = d.lookalikes[:min(len(d.lookalikes), maxLookalikes)]
	applies := j.applies(d, &out)
	if applies {
		j.align(ctx, ids, &out)
	}
	// Without a policy there is no alignment, and local rules compare by themselves, as
	// they do where the MTA spoiled a signature.
	wantOrg = wantOrg || out.Result == evidence.None || out.Result == evidence.Fail && anySpoiled(ids.DKIM)
	if out.OrgDomain == "" && wantOrg && d.err == nil && d.open == nil {
		out.OrgDomain, _ = j.orgDomain(ctx, author)
	}
	if applies {
		out.Published.OtherRUA = d.rec.otherHosts(d.domain, cmp.Or(j.knownOrg(d.domain), out.OrgDomain))
		if j.name == evidence.TreeWalk {
			out.SiteDomain = j.walk.site(ctx, author, out.OrgDomain)
		}
	}
	if wantOrg || out.OrgDomain != "" {
		out.Looked |= evidence.SectionOrg
	}
	if j.sought || out.Existence != evidence.ExistenceUnknown {
		out.Looked |= evidence.SectionExistence
	}
	return out
}

// anySpoiled reports whether the MTA kept a signature from being verified: it may be
// one of the Author Domain's family.
func anySpoiled(list []evidence.Signature) bool {
	return slices.ContainsFunc(list, func(s evidence.Signature) bool { return s.FailedOn == evidence.FailedTransport })
}

// align finds the policy that holds and compares the identifiers.
func (j *judge) align(ctx context.Context, ids Identifiers, out *evidence.DMARC) {
	d := &j.policy
	out.TTL = j.ask(ctx, d.domain).ttl // it was asked
	out.Policy, out.PolicyTag = d.rec.policyFor(d.domain != out.AuthorDomain, j.existence)
	if d.rec.Testing {
		out.Policy = stepDown(out.Policy)
	}
	a := aligner{judge: j, author: out.AuthorDomain, rec: d.rec}
	a.identify(ctx, ids, out)
	j.alignAuthors(ctx, ids.Authors, out)
	out.Compared = a.compared(out.OrgDomain)
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
