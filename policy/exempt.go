package policy

import "alignd/evidence"

// NotJudged reports whether step 1 of Decide will let the message through on
// the facts of the envelope alone, so that it need not be checked. Behind a
// trusted relay the client is known after the header only; do not ask before.
func (r *Rules) NotJudged(ev *evidence.Message) bool {
	d := decision{ev: ev, rules: r}
	_, _, ok := d.notJudged()
	return ok
}
