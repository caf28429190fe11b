package verify

import (
	"testing"
	"time"
)

func TestEvidenceTakesItsTimeToTheMicrosecond(t *testing.T) {
	begun := time.Now()
	env := Envelope{}
	ev := env.Evidence(begun)
	if past := begun.Sub(ev.Time); past < 0 || past >= time.Microsecond || ev.Time.Nanosecond()%1000 != 0 {
		t.Errorf("got %v of %v", ev.Time, begun)
	}
	if ev.Time == ev.Time.Round(0) {
		t.Error("the monotonic clock is lost: a step of the clock would be in Elapsed")
	}
}
