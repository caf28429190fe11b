package dmarc

import (
	"context"
	"strings"

	"alignd/domain"
)

// maxLabels is the number of labels from which the walk jumps, so that it asks
// at most eight names. RFC 9989 section 4.10.
const maxLabels = 8

// discovered is the policy record of an Author Domain.
type discovered struct {
	rec    *Record // nil: none
	domain string  // where rec was found
	// org is the Organizational Domain of the Author Domain as far as it is
	// known without another question, else empty.
	org string
	// problems are for the report, when a record is used in spite of them.
	problems []string
	// lookalikes are texts at the names asked that look like a record and are none.
	lookalikes []string
	// own is what was found at the Author Domain itself.
	own *found
	err error // nil, or as in found; there is no rec then
	// open is not nil where rec is the policy only if nothing is published at names
	// that did not answer: the first of their errors.
	open error
}

// method finds policy record and Organizational Domain: by DNS Tree Walk or
// by Public Suffix List. Implementations are safe for concurrent use.
type method interface {
	// discover finds the policy record and asks no more than that needs.
	discover(ctx context.Context, author string) discovered
	// orgDomain finds the Organizational Domain of name.
	orgDomain(ctx context.Context, name string) (string, error)
	// knownOrg is the Organizational Domain of name as far as the names asked so far
	// tell it, else empty.
	knownOrg(name string) string
	// sameOrg reports whether author and id, which differ, have one
	// Organizational Domain. org is that of author, or empty if not known yet.
	sameOrg(ctx context.Context, author, org, id string) (bool, error)
}

// treeWalk is the DNS Tree Walk of RFC 9989 section 4.10.
type treeWalk struct {
	*asker
	guard bool // see Options.PSLGuard
}

// next is the name asked after name in a walk from start; empty at the end.
// A start of eight or more labels is followed by its seven right-most ones,
// any other name by its parent.
func next(start, name string) string {
	if name == start {
		if n := strings.Count(start, ".") + 1; n > maxLabels {
			return lastLabels(start, maxLabels-1)
		}
	}
	return domain.Parent(name)
}

// lastLabels returns the n right-most labels of name, which has more.
func lastLabels(name string, n int) string {
	i := len(name)
	for ; n > 0; n-- {
		i = strings.LastIndexByte(name[:i], '.')
	}
	return name[i+1:]
}

// step is one name of a walk, with the psd value that steers it.
type step struct {
	name string
	rec  *Record
	psd  string
	err  error // the name did not answer, and is taken to have no record
	like []string
}

// walk asks from start upward and stops at psd=y or psd=n. It goes on past a name
// that does not answer: what is above it may be the policy (RFC 9989 section 4.10).
// err is for what ends it: a spent budget, or the first try of Start.
func (t *treeWalk) walk(ctx context.Context, start string) (steps []step, problems []string, err error) {
	for name := start; name != ""; name = next(start, name) {
		f := t.ask(ctx, name)
		if f.err != nil && t.ends(f.err) {
			return nil, nil, f.err
		}
		if f.several {
			problems = append(problems, "several DMARC records at "+name+", ignored")
		}
		s := step{name, f.rec, t.psd(name, f.rec), f.err, f.like}
		steps = append(steps, s)
		if s.psd != "u" {
			break
		}
	}
	return steps, problems, nil
}

// unanswered is the error of the first step that leaves open what the walk found.
func (t *treeWalk) unanswered(steps []step) error {
	found := false
	for _, s := range steps {
		if s.err != nil && !t.passedOver(s.name, found) {
			return s.err
		}
		found = found || s.rec != nil
	}
	return nil
}

// psd is the psd value of the record at name. The guard reads an undecided
// one at a public suffix as psd=y (RFC 9989 section 11.8).
func (t *treeWalk) psd(name string, rec *Record) string {
	switch {
	case rec == nil:
		return "u"
	case rec.PSD == "u" && t.guard && isSuffix(name):
		return "y"
	default:
		return rec.PSD
	}
}

// org is the Organizational Domain of start after a whole walk (RFC 9989
// section 4.10.2).
func (t *treeWalk) org(start string, steps []step) string {
	last := steps[len(steps)-1]
	switch {
	case last.psd == "n":
		return last.name
	case last.psd == "y" && last.name != start:
		org := oneLonger(start, last.name)
		for t.guard && org != start && isSuffix(org) {
			org = oneLonger(start, org)
		}
		return org
	}
	org := start // without any record
	for _, s := range steps {
		if s.rec != nil {
			org = s.name // the shortest name is the last one
		}
	}
	return org
}

// oneLonger returns the part of name that is one label longer than parent.
func oneLonger(name, parent string) string {
	below := name[:len(name)-len(parent)-1]
	return name[strings.LastIndexByte(below, '.')+1:]
}

// discover implements RFC 9989 section 4.10.1 with one walk.
func (t *treeWalk) discover(ctx context.Context, author string) discovered {
	defer t.hurry(ctx, author)()
	own := t.ask(ctx, author)
	if own.rec != nil {
		d := discovered{own: own, rec: own.rec, domain: author, lookalikes: at(author, own.like)}
		if t.psd(author, own.rec) != "u" || domain.Parent(author) == "" {
			d.org = author
		}
		return d
	}
	steps, problems, err := t.walk(ctx, author)
	if err != nil {
		return discovered{own: own, err: err}
	}
	org := t.org(author, steps)
	d := discovered{own: own, problems: problems}
	for _, s := range steps {
		d.lookalikes = append(d.lookalikes, at(s.name, s.like)...)
	}
	d.rec, d.domain = policyStep(steps, org)
	switch err = t.unanswered(steps); {
	case err == nil:
		d.org = org
	case d.rec == nil:
		d.err = err
	default:
		d.open = err
	}
	return d
}

// policyStep picks the record at the Organizational Domain, else the one at
// the PSD that ended the walk.
func policyStep(steps []step, org string) (*Record, string) {
	for _, s := range steps {
		if s.name == org && s.rec != nil {
			return s.rec, s.name
		}
	}
	if last := steps[len(steps)-1]; last.psd == "y" {
		return last.rec, last.name
	}
	return nil, ""
}

func (t *treeWalk) orgDomain(ctx context.Context, name string) (string, error) {
	steps, _, err := t.walk(ctx, name)
	if err != nil {
		return "", err
	}
	if err := t.unanswered(steps); err != nil {
		return "", err
	}
	return t.org(name, steps), nil
}

func (t *treeWalk) knownOrg(start string) string {
	var few [maxLabels]step
	steps := few[:0]
	for name := start; name != ""; name = next(start, name) {
		f := t.peek(name)
		if f == nil || f.err != nil {
			return ""
		}
		s := step{name: name, rec: f.rec, psd: t.psd(name, f.rec)}
		steps = append(steps, s)
		if s.psd != "u" {
			break
		}
	}
	return t.org(start, steps)
}
