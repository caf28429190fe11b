package judge

import (
	"testing"

	"alignd/authres"
	"alignd/evidence"
	"alignd/header"
	"alignd/policy"
)

func TestTooManyForgedFieldsAreRefused(t *testing.T) {
	for _, row := range []struct {
		name      string
		field     string
		value     string
		n         int
		max       int
		notJudged bool
		user      string
		refused   bool
	}{
		{name: "a hundred", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 100},
		{name: "one more", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 101, refused: true},
		{name: "of somebody else", field: "Authentication-Results", value: " mx.example.net; spf=pass", n: 500},
		{name: "of the mark", field: "x-alignd-disposition", value: " none", n: 101, refused: true},
		{name: "of Received-SPF", field: "Received-SPF", value: " pass", n: 101, refused: true},
		{name: "a limit of the site's", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 3, max: 2, refused: true},
		{name: "of a network that keeps its results", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 101, notJudged: true},
		{name: "of a user who has logged in", field: "Authentication-Results", value: " mx.here.test; spf=pass", n: 101, notJudged: true, user: "ann", refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &Settings{
				Rules: policy.Defaults(), AuthservID: "mx.here.test", Strip: StripOwn, TagName: "X-Alignd-Disposition",
				ReceivedSPF: true, MaxForged: row.max,
			}
			fields := new(header.Fields)
			for range row.n {
				fields.Add([]byte(row.field), []byte(row.value))
			}
			ev := &evidence.Message{MTA: "mx.here.test", AuthUser: row.user}
			j := Judgement{Evidence: ev, Verdict: policy.Verdict{NotJudged: row.notJudged}, Results: authres.Header{},
				marks: s.MarksOf(ev.MTA, fields)}
			s.limitForged(&j)
			if refused := j.Verdict.Delivery == policy.Refuse; refused != row.refused || refused && j.Verdict.Reply.Code != 550 {
				t.Errorf("got %+v, want refused: %v", j.Verdict, row.refused)
			}
		})
	}
}
