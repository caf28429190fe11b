package metrics

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	// MaxConns is how many clients are served at once; ours. Each takes a file
	// descriptor, of which mail must not run short.
	MaxConns = 8
	// askAgain is how long an answer about readiness holds, so that who asks often
	// does not have DNS servers asked as often.
	askAgain = 2 * time.Second
	// readyTime is how long readiness waits for DNS.
	readyTime = 5 * time.Second
)

// Server serves /metrics, /healthz and /readyz. ready says why the daemon is not
// ready, or nothing when it is; it is given readyTime.
func (m *Metrics) Server(ready func(context.Context) error, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", deaf(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// Of a fault in one metric the others are told all the same.
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2, DisableCompression: true,
	})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.Handle("GET /readyz", &readiness{ask: ready})
	s := &http.Server{
		Handler: mux, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaxHeaderBytes: 16 << 10,
	}
	s.SetKeepAlivesEnabled(false) // a client that only keeps its connection would take the place of another one
	return s
}

// deaf keeps from h that the client went away: that is no fault of ours, and
// promhttp has a line of the log for each metric that it could not write.
func deaf(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(deafWriter{w}, r) })
}

type deafWriter struct{ http.ResponseWriter }

func (w deafWriter) Write(p []byte) (int, error) {
	_, _ = w.ResponseWriter.Write(p)
	return len(p), nil
}

// Bounded is ln for MaxConns clients at once; further ones wait.
func Bounded(ln net.Listener) net.Listener { return netutil.LimitListener(ln, MaxConns) }

// readiness answers /readyz.
type readiness struct {
	ask func(context.Context) error

	mu   sync.Mutex // held while it asks: who comes meanwhile gets the same answer
	at   time.Time
	last error
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if err := r.answer(); err != nil {
		say(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	say(w, http.StatusOK, "ready")
}

// answer does not end with the client that asks, as others may wait for it too.
func (r *readiness) answer() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < askAgain {
		return r.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTime)
	defer cancel()
	r.last = r.ask(ctx)
	r.at = time.Now()
	return r.last
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}
