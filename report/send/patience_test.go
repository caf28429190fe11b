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
	before int    // of these, before it was asked about others for the first time
	others int
}

func (d *tarpit) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if !strings.Contains(name, d.silent) {
		if d.others++; d.others == 1 {
			d.before = d.asked
		}
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
	const many = 30
	for i := range many {
		w.mail(fmt.Sprintf("a%02d.evil.example", i), true, "mailto:r@a.tarpit.example", "mailto:r@b.tarpit.example")
	}
	w.mail("shop.example", true, "mailto:r@shop.example", "mailto:b@other.example")
	w.sender.patience.ask, w.sender.patience.cut = 20*time.Millisecond, 200*time.Millisecond

	w.now = day.Add(27 * time.Hour)
	// By and by all are asked. A busy machine asks fewer in a step, and may take an answer of
	// the shop for a slow one.
	ready, steps := false, 0
	for ; steps < 100 && !(ready && w.sender.Health().WaitForDNS == many); steps++ {
		w.step()
		items, err := w.state.Items(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ready && len(items) > 0 {
			w.states("b@other.example waiting", "r@shop.example waiting")
			ready = true
		}
		w.now = w.now.Add(lookAgain)
	}
	if waits := w.sender.Health().WaitForDNS; waits != many || !ready {
		t.Errorf("%d wait for DNS after %d steps, others are ready: %v", waits, steps, ready)
	}
	if dns.before > 2 { // both addresses of the first one, whose organization is then known to be slow
		t.Errorf("of %d questions that get no answer %d came before those about others", dns.asked, dns.before)
	}
	before := dns.asked
	w.step()
	if dns.asked == before {
		t.Error("the slow ones are never asked again")
	}
	// A step ends, though all of them would take longer.
	if dns.asked-before > many {
		t.Errorf("%d were asked in one step", dns.asked-before)
	}
}
