package main

import (
	"encoding/json"
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
	const want = "refuse -> deliver  fail                   example.com              -#1\n\n2 messages, 1 differ\n       1  delivery refuse -> deliver\n"
	if table.status != 0 || !strings.HasSuffix(table.stdout, want) {
		t.Errorf("got %+v", table)
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
