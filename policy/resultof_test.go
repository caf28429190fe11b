package policy

import (
	"testing"

	"alignd/evidence"
)

func TestTheResultThatIsTold(t *testing.T) {
	looked := evidence.SectionDMARC
	for _, row := range []struct {
		name       string
		ev         evidence.Message
		evaluation int
		want       evidence.Result
	}{
		{name: "mail that is not judged", want: evidence.NotChecked},
		{name: "the evaluation that decided", ev: evidence.Message{Looked: looked, DMARC: []evidence.DMARC{{Result: evidence.Pass}, {Result: evidence.Fail}}}, evaluation: 2, want: evidence.Fail},
		{name: "a From without an author", ev: evidence.Message{Looked: looked}, want: evidence.PermError},
		{name: "a From that nobody read", ev: evidence.Message{From: evidence.From{Problem: evidence.FromUnread}}, want: evidence.PermError},
		{name: "a pass of one of several readings", want: evidence.PermError, evaluation: 1,
			ev: evidence.Message{Looked: looked, From: evidence.From{Problem: evidence.FromUnread}, DMARC: []evidence.DMARC{{Result: evidence.Pass}}}},
	} {
		if got := ResultOf(&row.ev, &Verdict{Evaluation: row.evaluation}); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
