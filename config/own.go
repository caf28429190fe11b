package config

import (
	"slices"
	"strings"

	"alignd/domain"
)

// Owns tells whether an Author Domain is one of own_domains. As these entries make outcomes
// stricter, "org:" is the domain and all below it.
func (c *Config) Owns() func(author string) bool {
	var patterns []string // "*" names nobody
	for i := range c.OwnDomains {
		patterns = append(patterns, c.OwnDomains[i].Domains...)
	}
	return func(author string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			p = strings.TrimSuffix(strings.ToLower(p), ".")
			if org, ok := strings.CutPrefix(p, "org:"); ok {
				return author == org || domain.IsBelow(author, org)
			}
			if parent, ok := strings.CutPrefix(p, "."); ok {
				return domain.IsBelow(author, parent)
			}
			return author == p
		})
	}
}
