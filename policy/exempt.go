package policy

import "alignd/evidence"

// NotJudged reports whether step 1 of Decide will let the message through on
// the facts of the envelope alone, so that it need not be checked. Behind a
// trusted relay that depends on the header; do not ask before it is there.
func (r *Rules) NotJudged(ev *evidence.Message) bool {
	d := decision{ev: ev, rules: r}
	id, _, _ := d.notJudged()
	return id != ""
}
