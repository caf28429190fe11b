package sources

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// maxSamples is how many messages an effect names.
const maxSamples = 3

// Measure takes the same records once more, with all that have to do with a candidate:
// also those of other Author Domains. It is called after Prepare.
func (s *Survey) Measure(r *record.Record) {
	ev := &r.Evidence
	if ev.Time.Before(s.opt.Since) || len(ev.DMARC) == 0 || r.Verdict.NotJudged {
		return
	}
	var before *policy.Verdict // made where one candidate wants it
	f := s.factsOf(ev)
	for _, c := range s.candidates {
		if c.why != "" {
			continue
		}
		s.elsewhere(c, &f)
		if c.class.key.kind == relay {
			if s.relayLetsIn(c, ev) && s.acts(ev, &before) {
				c.letIn(r, s)
			}
			continue
		}
		if !c.mayHold(ev) {
			continue
		}
		if !s.acts(ev, &before) {
			continue
		}
		after := policy.Decide(ev, c.rules)
		if severity(done(&after)) >= severity(done(before)) {
			continue
		}
		c.letIn(r, s)
	}
}

// letIn counts a message that the entry lets in.
func (c *candidate) letIn(r *record.Record, s *Survey) {
	ev := &r.Evidence
	c.Effect.LetIn++
	if !c.proven(ev) {
		c.Effect.Unproven++
	}
	for i := range ev.DMARC {
		c.authors.add(ev.DMARC[i].AuthorDomain)
	}
	c.infrastructures.add(Infrastructure(ev, s.opt.Organization))
	if len(c.Effect.Samples) < maxSamples {
		c.Effect.Samples = append(c.Effect.Samples, sampleOf(r))
	}
}

// mayHold is false where the entry cannot change anything.
func (c *candidate) mayHold(ev *evidence.Message) bool {
	if len(c.proof.authors) == 0 {
		return len(ev.ARC.Sets) > 0
	}
	return slices.ContainsFunc(ev.DMARC, func(d evidence.DMARC) bool { return slices.Contains(c.proof.authors, d.AuthorDomain) })
}

// proven reports whether a message bears what the entry asks for. It reads the facts
// itself, so that a fault of the rules would show.
func (c *candidate) proven(ev *evidence.Message) bool {
	p := &c.proof
	if len(p.clients) > 0 && !slices.Contains(p.clients, ev.Client.IP().Unmap().WithZone("")) {
		return false
	}
	switch c.class.key.kind {
	case sealer:
		return newestSealer(&ev.ARC) == p.signer
	case relay:
		return true // the address is the proof
	}
	if p.sender != "" && senderOf(ev) != p.sender || p.list != "" && strings.ToLower(ev.Traces.ListID) != p.list {
		return false
	}
	return signedBy(ev, p.signer)
}

func signedBy(ev *evidence.Message, signer string) bool {
	return slices.ContainsFunc(ev.DKIM, func(d evidence.Signature) bool { return d.Result == evidence.Pass && d.Domain == signer })
}

// facts are what candidates ask of a message.
type facts struct {
	ev        *evidence.Message
	signers   []string // SDIDs of passing signatures
	orgs      []string // their Organizational Domains, and that of MAIL FROM
	authorOrg []string // of each Author Domain
	list      string
}

func (s *Survey) factsOf(ev *evidence.Message) facts {
	f := facts{ev: ev, list: strings.ToLower(ev.Traces.ListID)}
	if sender := senderOf(ev); sender != "" {
		f.orgs = append(f.orgs, s.opt.Organization(sender))
	}
	for i := range ev.DKIM {
		if ev.DKIM[i].Result == evidence.Pass {
			f.signers = append(f.signers, ev.DKIM[i].Domain)
			f.orgs = append(f.orgs, s.opt.Organization(ev.DKIM[i].Domain))
		}
	}
	for i := range ev.DMARC {
		f.authorOrg = append(f.authorOrg, cmp.Or(s.opt.Organization(ev.DMARC[i].AuthorDomain), ev.DMARC[i].AuthorDomain))
	}
	return f
}

// elsewhere notes Author Domains of somebody else that show the signer of a candidate, or
// where tenants count, anything of the signer's organization.
func (s *Survey) elsewhere(c *candidate, f *facts) {
	shows := slices.Contains(f.signers, c.proof.signer)
	switch c.class.key.kind {
	case sealer, relay:
		return
	case list: // mail of its other lists is nobody else's
		shows = shows && !isAtOrBelow(f.list, c.proof.signer)
	case vendor:
		c.signed += btoi(shows)
		shows = shows || c.tenants && slices.Contains(f.orgs, c.signerOrg)
	}
	if !shows {
		return
	}
	for i, org := range f.authorOrg {
		if a := f.ev.DMARC[i].AuthorDomain; a != "" && org != c.signerOrg && !(c.Author != "" && s.sameOrg(a, c.Author)) {
			c.others.add(a)
		}
	}
}

// settle decides on a candidate after all records were measured.
func (c *candidate) settle() {
	c.Effect.Authors, c.Effect.Infrastructures, c.Effect.Others = c.authors.sorted(), c.infrastructures.sorted(), c.others.sorted()
	switch {
	case c.why != "":
	case c.Effect.LetIn == 0:
		c.why = "an entry would change nothing: the configuration in force lets in what there was"
	case c.Effect.Unproven > 0:
		c.why = "the entry would let in messages without its proofs"
	case c.tenants && c.signed < leastSigned:
		c.why = fmt.Sprintf("with %d messages that %s signed it cannot be told whether others use it; wanted are %d, or --trust %s", c.signed, c.proof.signer, leastSigned, c.proof.signer)
	case len(c.Effect.Others) > 0:
		c.why = fmt.Sprintf("%s signs for others too (%s), so they could use the entry", c.proof.signer, short(c.Effect.Others))
		if c.Author != "" {
			c.why += "; " + alignAdvice(c.Author)
		}
	}
}
