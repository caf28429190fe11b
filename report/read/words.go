package read

import (
	"slices"
	"strings"
)

// The words that RFC 9990 appendix A and RFC 7489 appendix C allow.
var (
	policies     = []string{"none", "quarantine", "reject"}
	modes        = []string{"r", "s"}
	flags        = []string{"n", "y"}
	discoveries  = []string{"psl", "treewalk"}
	dispositions = []string{"none", "pass", "quarantine", "reject"}
	aligned      = []string{"pass", "fail"}
	results      = []string{"none", "pass", "fail", "softfail", "policy", "neutral", "temperror", "permerror"}
	scopes       = []string{"mfrom", "helo"}
	reasons      = []string{"local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder",
		"forwarded", "sampled_out"} // the last two of RFC 7489
)

// word keeps an unknown word as it is written, and notes it; one that differs in
// case only is mapped.
func (p *aggregateParser) word(what, value string, known []string) string {
	if slices.Contains(known, value) {
		return value
	}
	if lower := strings.ToLower(value); slices.Contains(known, lower) {
		p.notes.at(p.line(), "%s %.60q is read as %q", what, value, lower)
		return lower
	}
	p.notes.at(p.line(), "%s %.60q is an unknown word", what, value)
	return value
}
