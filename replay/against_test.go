package replay

import (
	"testing"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// With Against a message counts as changed where the two configurations differ, whatever
// the MTA was told.
func TestJudgedAgainstAnotherConfiguration(t *testing.T) {
	enforce, monitor := compiled(t, policy.Spec{}), compiled(t, policy.Spec{Mode: policy.Monitor})
	direct := compiled(t, policy.Spec{Handling: policy.Handling{RejectMode: policy.Corroborated, Signals: []policy.Signal{policy.SignalNoReverse}}})
	cut := judgedBy(message(evidence.Fail), enforce)
	cut.Outcome.End = record.EndAborted
	for _, row := range []struct {
		name              string
		record            *record.Record
		against, judgedBy *policy.Rules
		want              Kind
		from, to          policy.Delivery
	}{
		{name: "told otherwise, but both do the same", record: judgedBy(message(evidence.Fail), monitor), against: enforce, judgedBy: enforce,
			want: Unchanged, from: policy.Refuse, to: policy.Refuse},
		{name: "told the same, but they differ", record: judgedBy(message(evidence.Fail), enforce), against: monitor, judgedBy: enforce,
			want: WouldRefuse, from: policy.Deliver, to: policy.Refuse},
		{name: "what the other needs is not known", record: judgedBy(message(evidence.Fail), enforce), against: direct, judgedBy: enforce, want: CannotTell},
		{name: "given up", record: cut, against: monitor, judgedBy: enforce, want: NotCounted},
	} {
		o := Options{Rules: row.judgedBy, Against: &Options{Rules: row.against}}
		j := o.Judge(row.record)
		if j.Kind != row.want || row.from != "" && (j.From != row.from || j.To != row.to) {
			t.Errorf("%s: %d, %s to %s", row.name, j.Kind, j.From, j.To)
		}
	}
}
