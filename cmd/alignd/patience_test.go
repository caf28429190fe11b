package main

import (
	"bytes"
	"testing"
	"time"
)

func TestALongAnswerIsExplained(t *testing.T) {
	var out bytes.Buffer
	sayLater(&out, time.Hour, "slow")()
	if out.Len() > 0 {
		t.Errorf("told at once: %q", &out)
	}
	stop := sayLater(&out, time.Nanosecond, "slow")
	time.Sleep(50 * time.Millisecond)
	stop()
	if out.String() != "slow\n" {
		t.Errorf("got %q", &out)
	}
}
