package e2e

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"alignd/e2e/daemon"
	"alignd/e2e/instrument"
)

// TestFaultClockIsSet again and again while mail comes in: nothing waits, fails or is
// lost by it; what goes by the date, such as a signature that expires, goes by the new
// one at once.
func TestFaultClockIsSet(t *testing.T) {
	binary, _, board := faulty(t)
	p := realMTA(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	zone := spoofZone + "s._domainkey.signed.example TXT \"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public) + "\"\n"
	var signed bytes.Buffer
	err = dkim.Sign(&signed, strings.NewReader(strings.ReplaceAll(strings.Replace(spoof, "example.com", "signed.example", 1), "\n", "\r\n")),
		&dkim.SignOptions{Domain: "signed.example", Selector: "s", Signer: private, Expiration: time.Now().Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon.Daemon{Binary: binary, Listen: behind(""), Env: []string{instrument.BoardVariable + "=" + board.Name},
		Config: writeFile(t, "alignd.yaml", daemon.NoJournal+"dns: {servers: [\""+serveText(t, zone).Addr()+"\"]}\n")}
	startDaemon(t, d)
	f := newFlood(t, p, "")
	f.begin()
	const day = 24 * time.Hour
	steps := []struct {
		to   time.Duration
		dkim string
	}{
		{to: 0, dkim: "dkim=pass"}, {to: time.Hour, dkim: "dkim=pass"},
		{to: 36 * time.Hour, dkim: "expired"}, {to: 3650 * day, dkim: "expired"}, {to: 0, dkim: "dkim=pass"},
		{to: -time.Minute, dkim: "dkim=pass"}, {to: -36 * time.Hour, dkim: "dkim="}, {to: -3650 * day, dkim: "dkim="}, {to: 0, dkim: "dkim=pass"},
	}
	for _, step := range steps {
		board.SetClock(step.to)
		f.await(many(20, 60))
		reply := once(t, p, signed.String())
		delivery, err := waitDelivery(t, p.Sink(), reply.QueueID())
		if err != nil {
			t.Errorf("clock set by %s: %s, %v", step.to, reply, err)
			continue
		}
		field, _, _ := strings.Cut(string(delivery.Data), "\r\nReceived:")
		if !strings.Contains(field, step.dkim) {
			t.Errorf("clock set by %s: want %q, got %s", step.to, step.dkim, field)
		}
	}
	f.end()
	sums := f.settle()
	if sums.putOff > 0 || f.slowest > 5*time.Second || strings.Contains(d.Log(), "level=ERROR") {
		t.Errorf("%s; the slowest message took %s", sums, f.slowest)
	}
	row(t, fmt.Sprintf("the clock is set %d times under load, by a minute to ten years, forwards and back", len(steps)-1), sums.saw(),
		fmt.Sprintf("%s; at most %.1f s for a message; a signature with `x=` passes or has expired by the new time at once", sums.got(), f.slowest.Seconds()))
}
