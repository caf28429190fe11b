package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"alignd/policy"
)

// served is the address of metrics with that readiness.
func served(t *testing.T, ready func(context.Context) error) string {
	t.Helper()
	m := newMetrics(t, policy.Defaults())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := m.Server(ready, slog.New(slog.DiscardHandler))
	go s.Serve(Bounded(ln))
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

func get(t *testing.T, addr, path string) (status int, body string) {
	t.Helper()
	r, err := http.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func TestWhatTheServerAnswers(t *testing.T) {
	addr := served(t, func(context.Context) error { return nil })
	for _, row := range []struct {
		path   string
		status int
		has    string
	}{
		{path: "/metrics", status: 200, has: "alignd_build_info{"},
		{path: "/metrics", status: 200, has: "\ngo_goroutines "},
		{path: "/healthz", status: 200, has: "alive"},
		{path: "/readyz", status: 200, has: "ready"},
		{path: "/", status: 404},
		{path: "/debug/pprof/", status: 404},
		{path: "/metrics/", status: 404},
	} {
		if status, body := get(t, addr, row.path); status != row.status || !strings.Contains(body, row.has) {
			t.Errorf("%s: %d %.200s", row.path, status, body)
		}
	}
	_, text := get(t, addr, "/metrics")
	if _, err := parse(text); err != nil {
		t.Errorf("Prometheus does not read it: %v", err)
	}
	if r, err := http.Post("http://"+addr+"/metrics", "text/plain", strings.NewReader("x")); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", r.Status, err)
	}
}

func parse(text string) (int, error) {
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	return len(families), err
}

func TestNotReadyIs503WithTheReason(t *testing.T) {
	var fails atomic.Bool
	fails.Store(true)
	addr := served(t, func(context.Context) error {
		if fails.Load() {
			return errors.New("DNS does not answer: timeout")
		}
		return nil
	})
	if status, body := get(t, addr, "/readyz"); status != http.StatusServiceUnavailable || body != "not ready: DNS does not answer: timeout\n" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := get(t, addr, "/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	fails.Store(false)
	for deadline := time.Now().Add(10 * askAgain); ; time.Sleep(50 * time.Millisecond) {
		status, body := get(t, addr, "/readyz")
		if status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %d %q", status, body)
		}
	}
}

// Many who ask at once, or again and again, cost one DNS question.
func TestReadinessAsksOnceForMany(t *testing.T) {
	var asked atomic.Int32
	addr := served(t, func(context.Context) error {
		asked.Add(1)
		time.Sleep(50 * time.Millisecond)
		return nil
	})
	var wg sync.WaitGroup
	for range 3 * MaxConns {
		wg.Go(func() { get(t, addr, "/readyz") })
	}
	wg.Wait()
	if n := asked.Load(); n > 2 { // two on a slow machine
		t.Errorf("asked %d times", n)
	}
}

// A DNS server that says nothing does not hold the answer up.
func TestReadinessIsBounded(t *testing.T) {
	addr := served(t, func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left > readyTime {
			t.Errorf("it may take %v", left)
		}
		return ctx.Err()
	})
	get(t, addr, "/readyz")
}

// Clients that hold connections open take no more than MaxConns of them.
func TestClientsAreBounded(t *testing.T) {
	addr := served(t, func(context.Context) error { return nil })
	var idle []net.Conn
	for range MaxConns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	client := http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	if _, err := client.Get("http://" + addr + "/healthz"); err == nil {
		t.Error("one more client is served")
	}
	for _, c := range idle {
		c.Close()
	}
	client.Timeout = 10 * time.Second
	r, err := client.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

// A client that goes away in the middle costs no line of the log, and one that stays
// without asking keeps nobody out.
func TestClientsThatGoOrStay(t *testing.T) {
	h := deaf(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write([]byte("x")); err != nil {
			t.Errorf("the handler is told: %v", err)
		}
	}))
	h.ServeHTTP(gone{}, nil)
	addr := served(t, func(context.Context) error { return nil })
	r, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if !r.Close {
		t.Error("the connection is kept")
	}
}

type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, net.ErrClosed }
