package config

import (
	"maps"
	"slices"
	"time"
)

// With is c with the entries of text added, as a file of conf.d would add them: those of
// exceptions, trusted_sealers and trusted_relays. Other options in text are not looked
// at. c is not changed. The error is Problems.
func (c *Config) With(text []byte, now time.Time) (*Config, error) {
	k := newChecker("entry", "")
	k.read("entry", configurationFile, text)
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	more := k.cfg
	sum := *c
	sum.Exceptions = slices.Concat(c.Exceptions, more.Exceptions)
	sum.TrustedSealers = slices.Concat(c.TrustedSealers, more.TrustedSealers)
	sum.TrustedRelays = slices.Concat(c.TrustedRelays, more.TrustedRelays)
	sum.places, sum.broken, sum.Warnings = maps.Clone(c.places), map[string]bool{}, nil
	k = &checker{cfg: &sum, file: "entry"}
	k.validate(now)
	k.compile()
	if len(k.problems) > 0 {
		k.problems.sort()
		return nil, k.problems
	}
	return &sum, nil
}
