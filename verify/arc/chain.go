package arc

import (
	"slices"

	"alignd/authres"
	"alignd/evidence"
	"alignd/header"
	"alignd/verify/dkim"
)

// set is one ARC Set as found.
type set struct {
	aar header.Field
	ams *dkim.Check
	// relaxed is the same field read as relaxed/relaxed if it has no c=; of the
	// newest set only.
	relaxed *dkim.Check
	seal    *dkim.Check

	hasAAR bool
}

// chain is the collected sets; sets[0] is instance 1.
type chain struct {
	sets []set
	work dkim.Work
	// broken says why the structure is invalid; empty when it is valid.
	broken string
}

// What the structure can fail for (RFC 8617 section 5.2, steps 1 to 3).
const (
	tooManySets   = "more than 50 ARC Sets"
	badInstance   = "ARC field without an instance from 1 to 50"
	twiceInstance = "two ARC fields of one kind and instance"
	incomplete    = "incomplete ARC Set, or a gap between sets"
	newestMessage = "newest ARC-Message-Signature: "
	sealMalformed = "malformed ARC-Seal"
	newestCVFail  = "newest seal says cv=fail"
	wrongCV       = "cv= does not fit the instance"
	amsCoversSeal = "ARC-Message-Signature covers ARC-Seal"
	amsMalformed  = "malformed ARC-Message-Signature"
)

// collect reads all ARC fields. Broken chains are read as far as they go, for
// the evidence. It is nil when there is no ARC field.
func collect(fields *header.Fields, opt dkim.Options) *chain {
	aars := fields.Named("ARC-Authentication-Results")
	amss := fields.Named("ARC-Message-Signature")
	seals := fields.Named("ARC-Seal")
	if len(aars)+len(amss)+len(seals) == 0 {
		return nil
	}
	c := &chain{}
	if max(len(aars), len(amss), len(seals)) > dkim.MaxInstance {
		c.fail(tooManySets)
		return c
	}
	for _, i := range seals {
		check := dkim.NewCheck(dkim.Seal, fields.At(i), opt, &c.work)
		if s := c.set(check.Params.Instance); s == nil {
			continue
		} else if s.seal != nil {
			c.fail(twiceInstance)
		} else {
			s.seal = check
		}
	}
	for _, i := range amss {
		check := dkim.NewCheck(dkim.MessageSignature, fields.At(i), opt, &c.work)
		if s := c.set(check.Params.Instance); s == nil {
			continue
		} else if s.ams != nil {
			c.fail(twiceInstance)
		} else {
			s.ams = check
		}
	}
	for _, i := range aars {
		f := fields.At(i)
		if s := c.set(authres.Instance(f.Value())); s == nil {
			continue
		} else if s.hasAAR {
			c.fail(twiceInstance)
		} else {
			s.aar, s.hasAAR = f, true
		}
	}
	c.checkStructure()
	return c
}

// fail notes the first reason.
func (c *chain) fail(reason string) {
	if c.broken == "" {
		c.broken = reason
	}
}

// set returns the set of an instance; nil when there is no such instance.
func (c *chain) set(instance int) *set {
	if instance == 0 {
		c.fail(badInstance)
		return nil
	}
	for len(c.sets) < instance {
		c.sets = append(c.sets, set{})
	}
	return &c.sets[instance-1]
}

// checkStructure is steps 2 and 3 of RFC 8617 section 5.2.
func (c *chain) checkStructure() {
	if len(c.sets) == 0 {
		return // badInstance was noted
	}
	newest := c.sets[len(c.sets)-1]
	if newest.seal != nil && newest.seal.Params.CV == "fail" {
		c.broken = newestCVFail
		return
	}
	for i, s := range c.sets {
		if s.seal == nil || s.ams == nil || !s.hasAAR {
			c.fail(incomplete)
			return
		}
		want := "pass"
		if i == 0 {
			want = "none"
		}
		switch {
		case s.seal.Problem != nil:
			c.fail(sealMalformed + ": " + s.seal.Problem.Reason)
		case s.seal.Params.CV != want:
			c.fail(wrongCV)
		case i == len(c.sets)-1 && s.ams.Problem != nil && !s.ams.Stale:
			c.fail(amsMalformed + ": " + s.ams.Problem.Reason)
		case slices.Contains(s.ams.Params.Names, "arc-seal"):
			c.fail(amsCoversSeal)
		}
	}
	if newest.ams.Problem != nil {
		c.fail(newestMessage + newest.ams.Problem.Reason)
	}
}

// evidence fills in what the fields say.
func (c *chain) evidence() []evidence.ARCSet {
	sets := make([]evidence.ARCSet, len(c.sets))
	for i, s := range c.sets {
		e := &sets[i]
		e.Instance = i + 1
		if s.seal != nil {
			p := s.seal.Params
			e.SealDomain, e.SealSelector, e.SealCV = p.Domain, p.Selector, p.CV
		}
		if s.ams != nil {
			e.MessageDomain, e.MessageSelector = s.ams.Params.Domain, s.ams.Params.Selector
		}
		if s.hasAAR {
			if _, results, err := authres.ParseSealed(s.aar.Value()); err == nil {
				e.AAR = &results
			}
		}
	}
	return sets
}
