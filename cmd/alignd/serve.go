package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/filter"
	"alignd/filter/milter"
	"alignd/internal/logging"
	"alignd/journal/place"
	"alignd/journal/running"
	"alignd/judge"
	"alignd/report/ours"
	"alignd/resolver"
	"alignd/rollout"
)

func serveCommand() *cobra.Command {
	var file string
	var listen []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the filter in the foreground",
		Long: `Run the filter in the foreground, logging to standard error.

SIGTERM and SIGINT drain: messages in progress are finished, then idle sessions
are closed, within the option drain. A second one cuts off what is left at once.
SIGHUP reads the configuration again.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			// First of all: a SIGHUP while the daemon starts must not end it.
			// Each has a channel of its own: many SIGHUPs must not crowd SIGTERM out.
			stop, hangup := make(chan os.Signal, 2), make(chan os.Signal, 1)
			signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(stop)
			defer signal.Stop(hangup)
			signal.Ignore(syscall.SIGPIPE) // the reader of the log may end; mail goes on without it
			signal.Ignore(syscall.SIGXFSZ) // the log's file may come to its limit; mail goes on, too
			d, err := newDaemon(file, listen)
			if err != nil {
				return err
			}
			return d.run(stop, hangup)
		},
	}
	configFlag(c, &file)
	c.Flags().StringArrayVar(&listen, "listen", nil, "unix:PATH or inet:HOST:PORT, instead of the option listen; may be repeated")
	return c
}

// daemon is a running alignd.
type daemon struct {
	file  string
	cfg   *config.Config // the one in force
	begun *config.Config // as of the start, for what a reload does not take up
	log   *slog.Logger
	lines *logging.Backlog // of log
	level *slog.LevelVar
	dns   *resolver.Resolver
	// messages takes the records of messages to log.
	messages *judge.Log
	filter   *filter.Filter
	server   *milter.Server
	// passed are the sockets that systemd opened; places those that alignd opens.
	passed []net.Listener
	places []string
	// open are all of these once they are open, those that were passed first.
	open    []net.Listener
	sockets *socketWatch
	expiry  *expiryWatch
	host    *hostTeller // nil without state

	telemetry *telemetry       // nil without metrics
	memory    *running.Journal // nil without journal
	tests     *selfTester      // nil where none are to be made
	reports   *ours.Reporter   // nil where none are sent
	rollout   *rollout.Watch
	preview   *reloadPreview // of a reload that waits for it; nil while none does

	reloads int    // failed ones included
	cause   string // of the reload under way
	hurried bool   // a second signal asked for the end at once
}

func newDaemon(file string, listen []string) (*daemon, error) {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return nil, err
	}
	// A default file that was read must not be missing at a reload: the defaults would
	// take its place.
	d := &daemon{file: config.FileOf(file), cfg: cfg, begun: cfg, level: new(slog.LevelVar)}
	for _, place := range listen {
		if err := config.CheckListen(place); err != nil {
			return nil, fmt.Errorf("--listen: %w", err)
		}
	}
	if d.passed, err = passedSockets(); err != nil {
		return nil, failure{err}
	}
	var unnamed []net.Listener
	d.places, unnamed = choosePlaces(cfg, listen, d.passed)
	d.level.Set(logLevel(cfg))
	d.log, d.lines = logging.New(os.Stderr, d.level, logging.Format(cfg.LogFormat))
	if len(unnamed) > 0 {
		d.log.Warn("systemd passes a socket that listen does not name, it is served too", "passed", placesOf(unnamed))
	}
	return d, nil
}

// assemble makes the parts that log.
func (d *daemon) assemble() (err error) {
	files := divideDescriptors(d.cfg, d.log)
	d.watch()
	d.remember()
	d.rollout = rollout.New(stopState(d.memory), place.StopsFile(d.cfg), d.log)
	d.rollout.Begin(d.cfg.Rules)
	dns := resolverOptions(d.cfg, d.log)
	dns.MaxInFlight, dns.Observe = files.questions, d.telemetry.observe()
	if d.dns, err = resolver.New(dns); err != nil {
		return failure{fmt.Errorf("setting up DNS: %w", err)}
	}
	d.messages = judge.NewLog(d.log.Handler())
	d.messages.ShowAddresses(d.cfg.LogAddresses)
	d.filter = filter.New(d.dns, d.memory.Sink(d.telemetry.sink(d.messages)), d.settings(d.cfg))
	shareWaits(d.memory, d.filter)
	server := milterOptions(d.cfg, d.filter.Session, d.log)
	server.MaxConns, server.Answered = files.connections, d.telemetry.answered()
	if d.server, err = milter.New(server); err != nil {
		return failure{err}
	}
	return nil
}

// settings is what messages are judged with.
func (d *daemon) settings(cfg *config.Config) *judge.Settings {
	s := settings(cfg)
	s.Stops = d.rollout.Stops()
	return s
}

// gcPercent is GOGC where the environment does not say: next to nothing of ours lives
// longer than a message, so a heap that may treble is collected half as often. What
// that buys is in docs/decisions/garbage-collection.md.
const gcPercent = 200

// run serves until a signal ends it.
func (d *daemon) run(stop, hangup <-chan os.Signal) error {
	defer d.lines.Close()
	defer d.leave(stop)
	if err := d.assemble(); err != nil {
		return err
	}
	var err error
	if d.reports, err = startReporter(d.cfg, d.memory, d.filter, d.dns, d.log); err != nil {
		return failure{err}
	}
	if d.reports != nil && d.cfg.Reports.Bounces != "" {
		d.filter.Notify(d.reports)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}

	if err := d.telemetry.listen(d.cfg); err != nil {
		return failure{err}
	}
	failed := make(chan error, len(d.passed)+len(d.places))
	if err := d.listen(failed); err != nil {
		return failure{err}
	}
	d.telemetry.serve(d.begun, d.log)
	d.warn(d.cfg)
	d.expiry = newExpiryWatch(d.cfg.Rules, time.Now())
	d.log.Info("alignd started", append([]any{"version", version, "listen", d.places, "passed", placesOf(d.passed), "mode", d.cfg.Mode,
		"config", d.file, "dns", d.dns.Servers(), "journal", d.memory.Place(d.cfg)}, counts(d.cfg)...)...)
	d.report(reloadOutcome{Said: "not reloaded since its start"})
	d.host = d.tellHost()
	d.notify(sd.SdNotifyReady)
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { d.watchdog(ended) })
	defer watch.Wait()
	defer close(ended)
	return d.attend(stop, hangup, failed)
}

// attend does what comes up until a signal ends it, or a socket that cannot be served.
func (d *daemon) attend(stop, hangup <-chan os.Signal, failed chan error) error {
	look := time.NewTicker(lookForSockets)
	defer look.Stop()
	for {
		select {
		case err := <-failed:
			d.drain(stop)
			return failure{err}
		case <-d.expiry.timer.C:
			d.tried("telling of what expired", d.warnExpired)
		case <-look.C:
			d.tried("watching over sockets", func() { d.sockets.look(); d.telemetry.look() })
		case <-hangup:
			if s := d.reload(stop); s != nil {
				d.end(s, stop)
				return nil
			}
		case p := <-d.previewDone():
			d.tried("the reload", func() { d.afterPreview(p) })
		case s := <-stop:
			d.end(s, stop)
			return nil
		}
	}
}

// end drains as a signal asks for it.
func (d *daemon) end(s os.Signal, stop <-chan os.Signal) {
	d.log.Info("alignd stops", "signal", s.String(), "drain", d.cfg.Drain.Duration.String())
	d.drain(stop)
}

// listen opens every place before any is served, so that a fault is told
// before the MTA sees half a daemon.
func (d *daemon) listen(failed chan<- error) error {
	all := d.passed
	for _, place := range d.places {
		l, err := milter.Listen(place, socketOptions(d.begun))
		if err != nil {
			closeAll(all)
			return err
		}
		all = append(all, l)
	}
	d.open = all
	w := socketWatch{log: d.log, who: "the MTA", options: socketOptions(d.begun), passed: d.passed, serve: func(l net.Listener) { d.serve(l, failed) }}
	d.sockets = w.begin(all)
	for _, l := range all {
		d.serve(l, failed)
	}
	return nil
}

// serve serves a socket until the end, or until another one took its place.
func (d *daemon) serve(l net.Listener, failed chan<- error) {
	go func() {
		if err := d.server.Serve(l); !errors.Is(err, milter.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			failed <- err
		}
	}()
}

// drain ends in an orderly way within the option drain, or at once when another
// signal asks for the end. A preview ends with it.
func (d *daemon) drain(stop <-chan os.Signal) {
	d.notify(sd.SdNotifyStopping)
	d.endPreview()
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.Drain.Duration)
	var hurry sync.WaitGroup
	hurry.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case s := <-stop:
			d.hurried = true
			d.log.Warn("alignd stops at once", "signal", s.String())
		}
	})
	d.sockets.leave()
	err := d.server.Shutdown(ctx)
	cancel()
	hurry.Wait()
	d.warnSpaceless()
	if err != nil {
		d.log.Warn("sessions were cut off", "err", err)
		return
	}
	d.log.Info("alignd stopped", "idle_sessions_closed", d.server.IdleClosed())
}

func (d *daemon) warn(cfg *config.Config) {
	for _, w := range cfg.Warnings {
		d.log.Warn("configuration", "at", w.Position.String(), "problem", w.Text)
	}
	if _, lasting := judge.DefaultSecret(); !lasting && cfg.SamplingSecret == "" {
		d.log.Warn("this machine has no id, so pct and rollout draw other samples after a restart: set sampling_secret")
	}
}

// warnSpaceless tells how many messages so far came without what simple signatures
// cover.
func (d *daemon) warnSpaceless() {
	if n := d.filter.Spaceless(); n > 0 {
		d.log.Warn("messages came without the space after the colon of header fields: set milter_protocol = 6 in main.cf", "messages", n)
	}
}

// warnExpired tells of the exceptions that have ceased to match.
func (d *daemon) warnExpired() {
	for _, e := range d.expiry.expired(d.cfg.Rules, time.Now()) {
		d.log.Warn("exception expired and no longer matches", "rule", e.ID,
			"at", e.Source.String(), "expired", e.Expires.Format(time.RFC3339),
			"owner", e.Owner, "ticket", e.Ticket)
	}
}

// notify tells systemd, if it started us (sd_notify(3)).
func (d *daemon) notify(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		d.log.Warn("cannot notify systemd", "err", err)
	}
}
