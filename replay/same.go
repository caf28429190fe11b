package replay

import (
	"reflect"

	"alignd/policy"
	"alignd/record"
)

// Again is the verdict of a record under rules, which for those that judged it is the
// one that it has. ok is false where there is none to compare: the MTA gave the message
// up, it was refused for a limit before any rule, or a part of the record was cut.
func Again(r *record.Record, rules *policy.Rules) (v policy.Verdict, ok bool) {
	switch {
	case r.Outcome.End == record.EndAborted, !r.Verdict.Reached(), r.Verdict.Step == policy.StepLimit, r.Cut != 0:
		return policy.Verdict{}, false
	case r.Verdict.Step == policy.StepInternal:
		return rules.Failed(&r.Evidence), true
	}
	return policy.Decide(&r.Evidence, rules), true
}

// Difference names the first field in which two verdicts differ; empty where they are
// the same. Where a rule stands (File, Line) is no difference: a configuration that is
// kept is written anew.
func Difference(a, b *policy.Verdict) string {
	x, y := *a, *b
	x.File, x.Line, y.File, y.Line = "", 0, "", 0
	v, w := reflect.ValueOf(x), reflect.ValueOf(y)
	for i := range v.NumField() {
		if f, g := v.Field(i), w.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 && g.Len() == 0 ||
			reflect.DeepEqual(f.Interface(), g.Interface()) {
			continue
		}
		return v.Type().Field(i).Name
	}
	return ""
}

// Same reports whether rules come to the verdict that a record has; different names the
// field where they do not. comparable is false where Again has nothing to compare.
func Same(r *record.Record, rules *policy.Rules) (different string, comparable bool) {
	v, ok := Again(r, rules)
	if !ok {
		return "", false
	}
	return Difference(&r.Verdict, &v), true
}
