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
		for _, name := range optionNames {
			if !yield(name) {
				return
			}
		}
		for e := range r.Entries() {
			if !yield(e.ID) {
				return
			}
		}
	}
}
