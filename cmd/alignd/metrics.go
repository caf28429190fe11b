package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/miekg/dns"

	"alignd/config"
	"alignd/filter/milter"
	"alignd/metrics"
	"alignd/record"
	"alignd/resolver"
)

// telemetry is what Prometheus and who watches the process are told. A nil one is
// off: then nothing is counted.
type telemetry struct {
	*metrics.Metrics
	server  *http.Server
	open    []net.Listener
	sockets *socketWatch // nil before they are served
}

// watch has the parts that assemble makes tell d.telemetry. It is called before.
func (d *daemon) watch() {
	if len(d.cfg.Metrics.Listen) == 0 {
		return
	}
	m := metrics.New(version, metrics.Sources{
		DNS:       func() resolver.Stats { return d.dns.Stats() },
		MTA:       func() metrics.MTA { return mtaStats(d.server.Stats()) },
		LinesLost: d.lines.Lost,
		Spaceless: func() int64 { return d.filter.Spaceless() },
		Journal:   d.journalHealth,
		Reports:   func() metrics.Reports { return d.reports.Health() },
		Stopped:   func() int64 { return d.rollout.Stopped() },
	})
	m.Configured(inForce(d.cfg, nil))
	d.telemetry = &telemetry{Metrics: m, server: m.Server(d.ready, d.log)}
}

func mtaStats(s milter.Stats) metrics.MTA {
	return metrics.MTA{Connections: s.Connections, Sessions: s.Sessions, Open: s.Open, Limit: s.Limit, Messages: s.Messages}
}

// inForce describes cfg; pending are its options that wait for a restart.
func inForce(cfg *config.Config, pending []string) metrics.Config {
	return metrics.Config{Hash: cfg.Hash(), Mode: string(cfg.Mode), Rules: cfg.Rules, Since: time.Now(), Pending: len(pending)}
}

// sink is log, and the metrics where there are any.
func (t *telemetry) sink(log record.Sink) record.Sink {
	if t == nil {
		return log
	}
	return record.Sinks{log, t.Metrics}
}

// observe is told of DNS questions, answered of answers to the MTA; nil without metrics.
func (t *telemetry) observe() func(resolver.Asked) {
	if t == nil {
		return nil
	}
	return t.Asked
}

func (t *telemetry) answered() func(time.Duration) {
	if t == nil {
		return nil
	}
	return t.Answered
}

// reloaded tells what became of a reload. A listener is never changed by one.
func (t *telemetry) reloaded(cfg *config.Config, pending []string, err error) {
	switch {
	case t == nil:
	case err != nil:
		t.NotReloaded()
	default:
		t.Reloaded(inForce(cfg, pending))
	}
}

// listen opens the places of the option metrics.listen.
func (t *telemetry) listen(cfg *config.Config) error {
	if t == nil {
		return nil
	}
	for _, place := range cfg.Metrics.Listen {
		ln, err := milter.Listen(place, socketOptions(cfg))
		if err == nil && !cfg.Metrics.AllowRemote && !isLocal(ln.Addr()) { // localhost may be anything
			ln.Close()
			err = fmt.Errorf("%s is %s, which is no loopback address", place, ln.Addr())
		}
		if err != nil {
			t.close()
			return fmt.Errorf("metrics.listen: %w", err)
		}
		t.open = append(t.open, ln)
	}
	return nil
}

func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// socketOptions are those of all unix sockets. A reload does not take them up.
func socketOptions(cfg *config.Config) milter.SocketOptions {
	return milter.SocketOptions{Mode: os.FileMode(cfg.SocketMode), Group: cfg.SocketGroup}
}

// serve answers until close. Mail goes on without it.
func (t *telemetry) serve(cfg *config.Config, log *slog.Logger) {
	if t == nil {
		return
	}
	one := func(ln net.Listener) {
		go func() {
			err := t.server.Serve(metrics.Bounded(ln))
			if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				log.Error("metrics are no longer served", "listen", ln.Addr().String(), "err", err)
			}
		}()
	}
	for _, ln := range t.open {
		one(ln)
	}
	w := socketWatch{log: log, who: "who reads the metrics", options: socketOptions(cfg), serve: one}
	t.sockets = w.begin(t.open)
}

// look opens sockets again whose file is gone.
func (t *telemetry) look() {
	if t != nil {
		t.sockets.look()
	}
}

func (t *telemetry) close() {
	if t == nil {
		return
	}
	t.sockets.leave()
	_ = t.server.Close() // and the listeners that it serves
	for _, ln := range t.open {
		_ = ln.Close()
	}
}

// readyName is asked for /readyz: a name that alignd asks for anyway, with an answer
// from beyond the site's own zones that every recursive server keeps.
const readyName = "_dmarc.com"

// ready says why the daemon cannot judge mail now, if it cannot.
func (d *daemon) ready(ctx context.Context) error {
	open := d.server.Listening()
	if len(open) == 0 {
		return errors.New("no listener is open: alignd starts or ends")
	}
	if want := len(d.passed) + len(d.places); len(open) < want {
		return fmt.Errorf("%d of %d listeners are open", len(open), want)
	}
	for _, a := range open {
		if u, ok := a.(*net.UnixAddr); ok {
			if _, err := os.Lstat(u.Name); err != nil {
				return fmt.Errorf("the MTA does not find the listener: %w", err)
			}
		}
	}
	if err := d.dns.Probe(ctx, readyName, dns.TypeTXT); err != nil {
		return fmt.Errorf("DNS does not answer: %w", err)
	}
	return nil
}
