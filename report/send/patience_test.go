package send

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/resolver"
)

// tarpit is DNS that keeps silent about some names.
type tarpit struct {
	zone   *resolver.Zone
	silent string // a part of these names
	asked  int    // about them
}

func (d *tarpit) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if !strings.Contains(name, d.silent) {
		return d.zone.Lookup(ctx, name, qtype)
	}
	d.asked++
	<-ctx.Done()
	return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "gave up"}
}

// Who wants reports and keeps us waiting for DNS holds up nobody but themselves.
func TestSlowDNSHoldsUpNobodyElse(t *testing.T) {
	w := newWorld(t)
	dns := &tarpit{zone: zoneOf(t, zone), silent: "tarpit"}
	w.open(func(s *Settings) { s.To.All, s.DNS = true, dns })
	for i := range 30 {
		w.mail(fmt.Sprintf("a%02d.evil.example", i), true, "mailto:r@a.tarpit.example", "mailto:r@b.tarpit.example")
	}
	w.mail("shop.example", true, "mailto:r@shop.example", "mailto:b@other.example")
	w.sender.patience.ask, w.sender.patience.cut = 10*time.Millisecond, 200*time.Millisecond

	w.now = day.Add(27 * time.Hour)
	start := time.Now()
	w.step()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a step took %s", took)
	}
	w.states("b@other.example waiting", "r@shop.example waiting")
	for range 3 { // all of them are asked again, by and by
		before := dns.asked
		w.now = w.now.Add(lookAgain)
		w.step()
		if dns.asked == before {
			t.Error("the slow ones are never asked again")
		}
	}
	if waits := w.sender.Health().WaitForDNS; waits != 30 {
		t.Errorf("%d wait for DNS", waits)
	}
}
