package arc_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/verify/arc"
	"alignd/verify/dkim"
)

// A chain whose newest signature is simple may hold where the MTA does not hand on
// the space after the colon: it fails, but not for good.
func TestAChainThatMayHoldIsTemporaryWhereTheSpaceIsLost(t *testing.T) {
	spaced := func(msg string) string { return replace(msg, "Subject: Example", "Subject:  Example") }
	simple := chain(ams(1, "relaxed/relaxed", "simple/simple"))
	for _, row := range []struct {
		name, msg string
		granted   bool
		want      evidence.Result
		temporary bool
		reason    string
	}{
		{name: "simple", msg: spaced(simple), want: evidence.Fail, temporary: true, reason: "does not hand on the space"},
		{name: "simple that holds", msg: simple, want: evidence.Pass},
		{name: "relaxed", msg: spaced(chain(set(1))), want: evidence.Pass},
		{name: "without c=", msg: spaced(chain(ams(1, " c=relaxed/relaxed;", ""))), want: evidence.Fail, temporary: true, reason: "does not hand on the space"},
		{name: "a changed body", msg: spaced(simple) + "x", want: evidence.Fail, reason: "neither header nor body verified"},
		{name: "a seal that fails besides", msg: replace(spaced(simple), "t=12345", "t=12346"), want: evidence.Fail, reason: "ARC-Seal: signature did not verify"},
		{name: "where the MTA grants it", msg: spaced(simple), granted: true, want: evidence.Fail, reason: "signature did not verify"},
	} {
		fields, body, err := header.Read(bufio.NewReader(strings.NewReader(row.msg)), header.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var b dkim.Body
		opt := dkim.Options{Now: time.Unix(1_700_000_000, 0), LeadingSpaceLost: !row.granted}
		v := arc.Start(context.Background(), fields, &b, zone, opt)
		if _, err := io.Copy(&b, body); err != nil {
			t.Fatal(err)
		}
		got := v.Finish(context.Background())
		if got.Result != row.want || got.Temporary != row.temporary || !strings.Contains(got.Reason, row.reason) {
			t.Errorf("%s: got %s, temporary %v, %q", row.name, got.Result, got.Temporary, got.Reason)
		}
	}
}
