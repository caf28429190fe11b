package dkim_test

import (
	"cmp"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

// Below version 6 of the milter protocol the MTA does not say whether a space
// stood after the colon; a message then comes with one in each field.
func TestASimpleSignatureThatMayHoldIsNeutralWhereTheSpaceIsLost(t *testing.T) {
	const lost = "the MTA does not hand on the space after the colon, which simple signs"
	unspaced := strings.Replace(message, "Subject:  Is", "Subject:Is", 1)
	simple := with("relaxed/relaxed", "simple/relaxed")
	for _, row := range []struct {
		name    string
		tags    string
		msg     string // that is signed
		granted bool
		change  string // taken out of it then
		after   string // added to the body once it is signed
		want    evidence.Result
		reason  string
		failed  evidence.Failure
	}{
		{name: "simple, with a field without space", tags: simple, msg: unspaced, want: evidence.Neutral, reason: lost, failed: evidence.FailedTransport},
		{name: "simple by default", tags: with(" c=relaxed/relaxed;", ""), msg: unspaced, want: evidence.Neutral, reason: lost, failed: evidence.FailedTransport},
		{name: "simple, all fields with a space", tags: simple, msg: message, want: evidence.Pass},
		{name: "relaxed does not sign it", tags: tags, msg: unspaced, want: evidence.Pass},
		{name: "a changed body is no matter of the space", tags: simple, msg: unspaced, after: "x\r\n", want: evidence.Fail, reason: "neither header nor body verified"},
		{name: "where the MTA grants it, it is a failure", tags: simple, msg: unspaced, granted: true, want: evidence.Fail, reason: "signature did not verify"},
		{name: "relaxed that fails is a failure", tags: tags, msg: unspaced, change: "dinner", want: evidence.Fail, reason: "signature did not verify"},
	} {
		came := strings.Replace(testsign.DKIM(row.msg, rsaKey, row.tags), "Subject:Is", "Subject: Is", 1)
		came = strings.Replace(came, cmp.Or(row.change, "nothing"), "", 1)
		sigs, _ := verify(t, came+row.after, keyFor(rsaKey.Record()), dkim.Options{LeadingSpaceLost: !row.granted}, 0)
		if s := sigs[0]; s.Result != row.want || s.Reason != row.reason || row.failed != "" && s.FailedOn != row.failed {
			t.Errorf("%s: got %s %q, failed on %q", row.name, s.Result, s.Reason, s.FailedOn)
		}
	}
}
