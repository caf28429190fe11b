package filter

import (
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/policy"
)

// What the rules take for a reply the MTA can be told: one that is refused only when a
// message is to be refused by it would put that message off for ever.
func TestEachReplyOfTheRulesCanBeSent(t *testing.T) {
	taken := 0
	for code := 500; code < 600; code++ {
		for _, enhanced := range []string{"5.7.1", "5.0.0", "5.999.999", "5.07.1", "5.7.01", "5.7.001", "5.00.0", "05.7.1", "5.7.1000", "5.7.+1", "4.7.1", "5.7", "5.7.1.1", "5.7."} {
			rules, err := policy.Compile(policy.Spec{Replies: policy.Replies{
				Limit: policy.ReplyTemplate{Code: code, Enhanced: enhanced, Text: strings.Repeat("x", 512)},
			}})
			if err != nil {
				continue
			}
			taken++
			r := rules.OverLimit(&evidence.Message{}, "too long").Reply
			if err := milter.CheckReply(milter.Text(r.Code, r.Enhanced, r.Text)); err != nil {
				t.Errorf("%d %s is taken for a reply, and cannot be sent: %v", code, enhanced, err)
			}
		}
	}
	if taken == 0 {
		t.Error("no reply is taken at all")
	}
}
