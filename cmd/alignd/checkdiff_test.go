package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCheckShowsWhatAnotherConfigurationWouldDo(t *testing.T) {
	zone, before, after := write(t, "zone", plainZone), write(t, "a.yaml", "sampling_secret: x\n"), write(t, "b.yaml", "sampling_secret: x\nhonor: {reject: accept}\n")
	args := []string{"check", "--zone", zone, "--config", before, "--ip", "192.0.2.99", "--helo", "h.example", "--mail-from", "a@b.example"}
	text := alignd(t, plainMessage, append(args, "--diff", after, "-")...)
	for _, want := range []string{
		"before  delivery refuse, requested reject, dmarc=fail for example.com",
		"after   delivery deliver, requested reject, dmarc=fail for example.com",
		"what differs\n  disposition/delivery\n    before: \"refuse\"\n    after:  \"deliver\"\n",
	} {
		if text.status != 0 || !strings.Contains(text.stdout, want) {
			t.Errorf("want %q in %+v", want, text)
		}
	}
	object := alignd(t, plainMessage, append(args, "--json", "--diff", after, "-")...)
	var got struct {
		Differs       bool
		Changes       []change
		Before, After checkReport
	}
	if err := json.Unmarshal([]byte(object.stdout), &got); err != nil {
		t.Fatal(err, object)
	}
	if !got.Differs || got.Changes[0] != (change{Path: "/disposition/delivery", Before: "refuse", After: "deliver"}) || got.Before.Disposition.Delivery != "refuse" || got.After.Disposition.Delivery != "deliver" {
		t.Errorf("got %+v", got)
	}
	mbox := fromLine + plainMessage + "\n" + fromLine + "From: a@other.test\n\nx\n"
	table := alignd(t, mbox, append(args, "--diff", after, "-")...)
	const want = "refuse -> deliver           fail                   example.com              -#1\n\n2 messages, 1 differ\n       1  delivery refuse -> deliver\n"
	if table.status != 0 || !strings.HasSuffix(table.stdout, want) {
		t.Errorf("got %+v", table)
	}
}

// TestCheckListsWhatDiffersAndSaysIt: a line tells what differs, and a message to which the
// same is done for want of anything to hold back has none.
func TestCheckListsWhatDiffersAndSaysIt(t *testing.T) {
	zone := write(t, "zone", plainZone)
	mbox := fromLine + plainMessage + "\n" + fromLine + "From: a@other.test\n\nx\n" // one fails, one has no policy
	const watch = "mode: monitor\n"
	for _, row := range []struct {
		name, before, after string
		want                []string // lines, without the columns' blanks
	}{
		{name: "out of monitor mode", before: watch, after: "mode: enforce\n", want: []string{"deliver -> refuse fail example.com -#1"}},
		{name: "into monitor mode", after: watch, want: []string{"refuse -> deliver fail example.com -#1"}},
		{name: "a stage on", before: "rollout: [{stage: monitor}]\n", after: "rollout: [{stage: reject}]\n", want: []string{"deliver -> refuse fail example.com -#1"}},
		{name: "a rollout at its end", before: "rollout: [{stage: reject}]\n"},
		{name: "monitor mode, and what is held back is less", before: watch, after: watch + "honor: {reject: tag}\n", want: []string{"deliver (refuse) -> deliver (tag) fail example.com -#1"}},
		{name: "monitor mode, and nothing is held back any more", before: watch, after: watch + "honor: {reject: accept}\n", want: []string{"deliver (refuse) -> deliver fail example.com -#1"}},
		{name: "the reply alone", after: "replies: {dmarc: {text: \"no\"}}\n", want: []string{"refuse fail example.com -#1 (disposition/reply)"}},
		{name: "the reply that is held back", before: watch, after: watch + "replies: {dmarc: {text: \"no\"}}\n", want: []string{"deliver (refuse) fail example.com -#1 (disposition/monitor)"}},
		{name: "the field alone", after: "authserv_id: other.test\n", want: []string{"refuse fail example.com -#1 (authentication_results)", "deliver none other.test -#2 (authentication_results)"}},
		{name: "more than a line has room for", before: watch, after: "rollout: [{stage: monitor}]\n",
			want: []string{"deliver (refuse) fail example.com -#1 (disposition/authors, disposition/override_comment, disposition/reason, and 3 more)"}},
	} {
		const secret = "sampling_secret: x\n"
		args := []string{"check", "--zone", zone, "--ip", "192.0.2.99", "--helo", "h.example", "--mail-from", "a@b.example",
			"--config", write(t, "a.yaml", secret+row.before), "--diff", write(t, "b.yaml", secret+row.after)}
		got := alignd(t, mbox, append(args, "-")...)
		var lines []string
		for line := range strings.Lines(got.stdout) {
			if strings.Contains(line, "-#") {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
		}
		if got.status != 0 || !slices.Equal(lines, row.want) || !strings.Contains(got.stdout, fmt.Sprintf("2 messages, %d differ\n", len(row.want))) {
			t.Errorf("%s: want %q, got %+v", row.name, row.want, got)
		}
		objects := alignd(t, mbox, append(args, "--json", "-")...)
		if n := strings.Count(objects.stdout, `"differs":true`); n != len(row.want) {
			t.Errorf("%s: --json: %d differ, want %d", row.name, n, len(row.want))
		}
	}
}

// Under one configuration nothing differs, whatever the message.
func TestCheckOfOneConfigurationTwice(t *testing.T) {
	args := append(sealed(), "--diff", "testdata/config.yaml")
	if got := alignd(t, "", args...); got.status != 0 || !strings.HasSuffix(got.stdout, "\nnothing differs\n") {
		t.Errorf("%+v", got)
	}
	if got := alignd(t, "", append(args, "--json")...); !strings.HasPrefix(got.stdout, `{"differs":false,"changes":[],"before":{"spf":`) {
		t.Errorf("%+v", got)
	}
}
