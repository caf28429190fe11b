package dkim

import (
	"context"
	"slices"
	"strings"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/header"
	"alignd/resolver"

	"golang.org/x/net/publicsuffix"
)

// DefaultMaxSignatures is how many signatures of a message are tried. Ours;
// RFC 6376 section 6.1 lets verifiers limit the number. The rest is counted.
const DefaultMaxSignatures = 10

// DefaultSkew is what clocks may differ by where t= and x= are compared. Ours.
const DefaultSkew = 5 * time.Minute

// Options is how signatures are judged. The zero value is the default.
type Options struct {
	// MaxSignatures is how many signature fields are tried; 0 means
	// DefaultMaxSignatures.
	MaxSignatures int
	// AuthorDomains are those of RFC5322.From, normalized. Above
	// MaxSignatures, signatures of these domains are tried first.
	AuthorDomains []string
	// Now is the time that t= and x= are compared with; zero means the clock.
	Now time.Time
	// Skew is added to both sides; 0 means DefaultSkew, below 0 none.
	Skew time.Duration
	// AcceptLength lets a signature with l= pass although octets follow it,
	// if l= covers at least MinLengthPercent of the canonical body.
	// It says nothing about ARC.
	AcceptLength     bool
	MinLengthPercent int
	// AcceptPartlySigned lets a signature pass that covers some but not all of
	// several fields that readers show one of, such as Subject.
	AcceptPartlySigned bool
	// LeadingSpaceLost: the MTA did not hand on the white space after the colon
	// of header fields, which the simple canonicalization signs (RFC 6376 section
	// 3.4.1). A failure of the header then says nothing.
	LeadingSpaceLost bool
}

// WithDefaults returns o with zero fields filled in.
func (o Options) WithDefaults() Options {
	if o.MaxSignatures <= 0 {
		o.MaxSignatures = DefaultMaxSignatures
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	switch {
	case o.Skew == 0:
		o.Skew = DefaultSkew
	case o.Skew < 0:
		o.Skew = 0
	}
	return o
}

// Verification is the work on one message's signatures.
type Verification struct {
	opt     Options
	work    Work
	checks  []*Check
	skipped int
}

// Start parses the signatures of a message, registers what they need of its
// body, and begins to ask for keys. fields must stay as they are until Finish
// or Close returns, and one of the two must be called. A look-up cut short by
// ctx is a temporary error.
func Start(ctx context.Context, fields *header.Fields, body *Body, lk resolver.Lookuper, opt Options) *Verification {
	v := &Verification{opt: opt.WithDefaults()}
	at := fields.Named("DKIM-Signature")
	if len(at) == 0 {
		return v
	}
	parsed := make([]*Check, len(at))
	for n, i := range at {
		parsed[n] = NewCheck(Signature, fields.At(i), v.opt, &v.work)
	}
	v.choose(parsed)
	for _, c := range v.checks {
		c.Start(ctx, fields, body, lk)
	}
	return v
}

// choose keeps the signatures to be tried, in header order.
func (v *Verification) choose(all []*Check) {
	v.checks = all
	v.skipped = len(all) - v.opt.MaxSignatures
	if v.skipped <= 0 {
		v.skipped = 0
		return
	}
	rank := make([]int, len(all))
	order := make([]int, len(all))
	for i, c := range all {
		order[i], rank[i] = i, c.rank(v.opt.AuthorDomains)
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank[a] - rank[b] })
	order = order[:v.opt.MaxSignatures]
	slices.Sort(order)
	v.checks = make([]*Check, len(order))
	for n, i := range order {
		v.checks[n] = all[i]
	}
}

// rank is lower for signatures that are tried first: of an Author Domain, of a
// relative of one, of anybody, of nobody that could pass.
func (c *Check) rank(authors []string) int {
	if c.Problem != nil {
		return 3
	}
	if slices.Contains(authors, c.Params.Domain) {
		return 0
	}
	site, _ := publicsuffix.EffectiveTLDPlusOne(c.Params.Domain)
	for _, a := range authors {
		if a == site || domain.IsBelow(a, c.Params.Domain) || site != "" && domain.IsBelow(a, site) {
			return 1
		}
	}
	return 2
}

// Finish is called after the last Write to the Body. It waits for the keys, at
// most until ctx ends, and returns the evidence on the signatures tried,
// topmost first, and how many were above the limit.
func (v *Verification) Finish(ctx context.Context) (sigs []evidence.Signature, skipped int) {
	if len(v.checks) == 0 {
		return nil, 0
	}
	for _, c := range v.checks {
		c.Wait(ctx)
	}
	sigs = make([]evidence.Signature, len(v.checks))
	for i, c := range v.checks {
		sigs[i] = v.evidence(c)
	}
	return sigs, v.skipped
}

// Close ends what Start began, for a message that is not going to be finished.
func (v *Verification) Close() {
	for _, c := range v.checks {
		c.Close()
	}
}

// evidence renders a finished check.
func (v *Verification) evidence(c *Check) evidence.Signature {
	p := c.Params
	problem, body := c.Result(v.opt)
	s := evidence.Signature{
		Result:        problem.Verdict(),
		Domain:        p.Domain,
		Selector:      p.Selector,
		Identity:      p.Identity,
		Algorithm:     p.Algorithm,
		B:             p.B,
		HeaderCanon:   canonName(p.HeaderRelaxed),
		BodyCanon:     canonName(p.BodyRelaxed),
		SignedHeaders: p.Names,
		Signed:        p.Signed,
		Expires:       p.Expires,
		Length:        p.Length,
		Unsigned:      body.Unsigned,
		KeyBits:       c.Outcome.KeyBits,
		KeyHash:       c.Outcome.KeyHash,
		KeyCNAMEs:     c.Outcome.CNAMEs,
		Testing:       c.Outcome.Testing,
		PublicSuffix:  p.keyName != "" && isPublicSuffix(p.Domain),
	}
	if problem != nil {
		s.Reason, s.FailedOn = problem.Reason, problem.On
	}
	return s
}

func canonName(relaxed bool) string {
	if relaxed {
		return "relaxed"
	}
	return "simple"
}

// isPublicSuffix: in the ICANN section; the section of privately registered
// suffixes does not count, as those who run them send mail too.
func isPublicSuffix(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	return suffix == name && (icann || !strings.Contains(name, "."))
}
