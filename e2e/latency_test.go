package e2e

import (
	"os"
	"testing"
	"time"

	"alignd/e2e/latency"
)

// maxTCPDelay is how much longer a message may take over TCP than over a unix
// socket. A delayed acknowledgement costs 40 ms.
const maxTCPDelay = 2 * time.Millisecond

// TestTCPIsAsFastAsAUnixSocket has real MTAs send many messages in one session:
// they leave Nagle's algorithm on, which no sender of ours would show.
func TestTCPIsAsFastAsAUnixSocket(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the real MTAs (make test runs it; it sets ALIGND_E2E=1)")
	}
	for _, m := range []struct {
		name  string
		start func() (*latency.Lab, error)
	}{
		{name: "Postfix", start: func() (*latency.Lab, error) { return latency.WithPostfix(binary(t)) }},
		{name: "Sendmail", start: func() (*latency.Lab, error) { return latency.WithSendmail(binary(t), "../build/sendmail") }},
	} {
		t.Run(m.name, func(t *testing.T) {
			lab, err := m.start()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := lab.Stop(); err != nil {
					t.Error(err)
				}
			}()
			for _, size := range []int{1e3, 4e3, 12e3, 70e3} {
				compareSockets(t, lab, size)
			}
		})
	}
}

// compareSockets tries again where other work of the machine may have been the
// reason; a wait that belongs to each message shows in each try.
func compareSockets(t *testing.T, lab *latency.Lab, size int) {
	t.Helper()
	var delay time.Duration
	for range 4 {
		took, err := lab.Measure(30, size)
		if err != nil {
			t.Fatal(err)
		}
		unix, tcp := latency.Median(took[latency.Unix]), latency.Median(took[latency.TCP])
		t.Logf("%d octets: unix %v, TCP %v", size, unix, tcp)
		if delay = tcp - unix; delay <= maxTCPDelay {
			return
		}
	}
	t.Errorf("%d octets: a message takes %v longer over TCP, want at most %v", size, delay, maxTCPDelay)
}
