package dmarc

import (
	"context"
	"strings"

	"alignd/evidence"
	"alignd/resolver"
)

// Tree is the DNS Tree Walk of one name, for who looks at a domain without a
// message.
type Tree struct {
	Steps []Step
	// OrgDomain is the Organizational Domain (RFC 9989 section 4.10.2); empty where
	// a name that did not answer leaves it open.
	OrgDomain string
	// Policy is the record that holds for mail of the name, found at PolicyDomain
	// (section 4.10.1); nil without one.
	Policy       *Record
	PolicyDomain string
	Err          error // the walk ended early: a budget is spent
}

// Step is one name of a walk, in the order asked.
type Step struct {
	Name       string
	Record     *Record // nil: none, or several
	Several    bool
	Lookalikes []string // texts that look like a record and are none
	PSD        string   // what steered the walk; "u" goes on
	Err        error    // it did not answer
}

// Walk asks all names of the walk from name, which is normalized. guard is
// Options.PSLGuard.
func Walk(ctx context.Context, lk resolver.Lookuper, name string, guard bool) Tree {
	t := treeWalk{asker: &asker{lk: lk}, guard: guard}
	steps, _, err := t.walk(ctx, name)
	if err != nil {
		return Tree{Err: err}
	}
	var tree Tree
	for _, s := range steps {
		tree.Steps = append(tree.Steps, Step{s.name, s.rec, t.ask(ctx, s.name).several, s.like, s.psd, s.err})
	}
	org := t.org(name, steps)
	if t.unanswered(steps) == nil {
		tree.OrgDomain = org
	}
	if tree.Policy, tree.PolicyDomain = steps[0].rec, name; tree.Policy == nil {
		tree.Policy, tree.PolicyDomain = policyStep(steps, org)
	}
	return tree
}

// Use is what a receiver makes of a record's policies (RFC 9989 section 4.10.1).
type Use string

// The values of Use.
const (
	Applies      Use = "applies"       // as published
	AsNone       Use = "as p=none"     // not valid, but somebody is to be reported to
	NotProcessed Use = "not processed" // not valid, and nobody is
)

// Use applies RFC 9989 section 4.10.1.
func (r *Record) Use() Use {
	switch r.usability() {
	case usable:
		return Applies
	case asNone:
		return AsNone
	}
	return NotProcessed
}

// PolicyFor is the policy for the record's own domain, or for subdomains that exist
// or do not, with the tag it comes from, after test mode. It is absent for a record
// that is not processed.
func (r *Record) PolicyFor(sub bool, ex evidence.Existence) (policy evidence.DMARCPolicy, tag string) {
	if r.Use() == NotProcessed {
		return evidence.PolicyAbsent, ""
	}
	policy, tag = r.policyFor(sub, ex)
	if r.Testing {
		policy = stepDown(policy)
	}
	return policy, tag
}

// Tag is one tag of a record as published.
type Tag struct {
	Name  string // lower case
	Value string
	Known bool // it has a meaning in RFC 9989
}

// Tags are the tags behind the version that ParseRecord looks at, in order, at most
// 64 of them. The others are syntax errors.
func Tags(txt string) []Tag {
	rest, ok := cutVersion(txt)
	if !ok {
		return nil
	}
	var tags []Tag
	for piece := range strings.SplitSeq(rest, ";") {
		name, value, found := strings.Cut(piece, "=")
		if name = strings.ToLower(trim(name)); !found || !isAlpha(name) || len(tags) == 64 {
			continue
		}
		tags = append(tags, Tag{name, trim(value), knownTags[name] != 0})
	}
	return tags
}

// Hosts are the domains of RUA, in its order.
func (r *Record) Hosts() []string { return r.ruaHosts }

// MailHosts are the domains of mailto URIs of a record, in their order.
func MailHosts(uris []string) []string { return mailHosts(uris) }
