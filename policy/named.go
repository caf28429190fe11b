package policy

import "iter"

// optionNames are what Verdict.Rule says where no entry of a list decided: options,
// and what is built in.
var optionNames = []string{
	"authenticated", "loopback", "limit", "on_error",
	"from.missing", "from.several", "from.too_many", "from.empty", "from.unparsable",
	"honor.reject", "honor.quarantine", "honor.none", "reject_mode", "quarantine_as", "rollout",
	"permerror", "unauthenticated", "spf_fail", "temperror.unresolved", "temperror.policy_unknown",
}

// Names are all that Verdict.Rule can say under these rules, but for "". An id that
// stands in several lists comes as often.
func (r *Rules) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		_ = all(yield, optionNames, func(s string) string { return s }) &&
			all(yield, r.notJudged.Networks, func(n Network) string { return n.ID }) &&
			all(yield, r.own, func(o OwnDomains) string { return o.ID }) &&
			all(yield, r.domains, func(d DomainRule) string { return d.ID }) &&
			all(yield, r.profiles, func(p Profile) string { return p.ID }) &&
			all(yield, r.sealers, func(s sealer) string { return s.ID }) &&
			all(yield, r.entries, func(e Exception) string { return e.ID })
	}
}

// all is false when yield wants no more.
func all[T any](yield func(string) bool, list []T, name func(T) string) bool {
	for i := range list {
		if !yield(name(list[i])) {
			return false
		}
	}
	return true
}
