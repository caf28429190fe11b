package config

import "alignd/policy"

// RulesWith are Rules that hold for mail whose local parts may be kept as pseudonyms,
// too, which of gives (policy.Spec.WithPseudonyms).
func (c *Config) RulesWith(of func(local, domain string) string) (*policy.Rules, error) {
	return policy.Compile(c.spec().WithPseudonyms(of))
}
