package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"alignd/config"
	"alignd/filter"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/metrics"
	"alignd/report/aggregate"
	"alignd/report/send"
	"alignd/resolver"
)

// tally is what the state counts for reports; nil where none are sent.
func tally(cfg *config.Config) func(*journal.Entry) []state.Tally {
	r := &cfg.Reports
	if r.Off() {
		return nil
	}
	return counting(cfg).Tally
}

// openState opens the state beside the store, to be written by who counts for reports.
func openState(cfg *config.Config, log *slog.Logger) (*state.State, error) {
	return place.OpenState(cfg, log, tally(cfg))
}

// counting is what the options say of it.
func counting(cfg *config.Config) *send.Counting {
	r := &cfg.Reports
	own := cfg.Owns()
	c := &send.Counting{EnvelopeTo: r.EnvelopeTo, OptOut: r.OptOut.Domains,
		Not: send.OptOut{Addresses: r.OptOut.Addresses, Hosts: r.OptOut.MailDomains}, Delimiters: cfg.RecipientDelimiter, Failures: len(r.Failure.To) > 0,
		Due: func(domain string) bool {
			return domain == hostOf(r.From) || own(domain) || slices.Contains(r.To, domain)
		}}
	for _, address := range append([]string{r.From, r.Bounces}, r.Addresses...) {
		c.Addresses = append(c.Addresses, strings.ToLower(address))
	}
	return c
}

// reporter sends reports while the daemon runs. A nil reporter sends none.
type reporter struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup
	sender atomic.Pointer[send.Sender] // nil until the store answers
	// notices are notifications that came through the milter.
	notices  chan incoming
	log      *slog.Logger
	failures failureWatch
}

// startReporter sends what the journal counts. Without a state there is nothing to send.
// f hears of what failure reports are to tell.
func startReporter(cfg *config.Config, m *memory, f *filter.Filter, dns resolver.Lookuper, log *slog.Logger) (*reporter, error) {
	if cfg.Reports.Off() || m == nil || m.state == nil {
		return nil, nil
	}
	s, err := reportSettings(cfg, dns, log)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	r := &reporter{notices: make(chan incoming, noticesWait), log: log}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	// A restart finds its own lease again, and no two processes have one spool.
	s.Holder += fmt.Sprintf(" %x", m.spool.ID())
	r.failures.start(ctx, m.state, f, &s, &r.ended)
	id := reportIdentity(cfg)
	r.ended.Go(func() { guarded(log, "looking at what reports need", func() { tellReady(ctx, dns, id, log) }) })
	r.ended.Go(func() { guarded(log, "taking notifications about reports", func() { r.takeNotices(ctx, log) }) })
	r.ended.Go(func() { guarded(log, "sending reports", func() { r.run(ctx, m.state, s, log) }) })
	return r, nil
}

// run waits for a store that is away at the start.
func (r *reporter) run(ctx context.Context, st *state.State, s send.Settings, log *slog.Logger) {
	for {
		sender, err := newSender(ctx, st, s)
		if err == nil {
			r.sender.Store(sender)
			sender.Run(ctx)
			return
		}
		log.Warn("reports wait", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// health is how reports are doing.
func (r *reporter) health(m *memory) metrics.Reports {
	if r == nil {
		return metrics.Reports{}
	}
	all := metrics.Reports{Enabled: true}
	all.DroppedRows, all.DroppedOthers = m.state.Dropped()
	all.DroppedFailures = r.failures.left()
	sender := r.sender.Load()
	if sender == nil {
		return all
	}
	h := sender.Health()
	all.Unsent, all.WaitForDNS, all.Suppressed, all.Bounces = h.Unsent, h.WaitForDNS, h.Suppressed, h.Bounces
	all.Tries = map[string]uint64{"sent": h.Tries.Sent, "put_off": h.Tries.PutOff, "refused": h.Tries.Refused, "lost": h.Tries.Lost}
	all.Standing = map[string]int64{"waiting": h.Items[state.Waiting] - h.PutOff, "put_off": h.PutOff, "sending": h.Items[state.Sending], "sent": h.Items[state.Sent],
		"bounced": h.Items[state.Bounced], "suppressed": h.Items[state.Suppressed], "given_up": h.Items[state.GivenUp], "unknown": h.Items[state.Unknown]}
	return all
}

// guarded keeps a panic of what is beside mail from ending the daemon.
func guarded(log *slog.Logger, what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("a part of alignd failed and is off until a restart, mail goes on", "part", what, "panic", fmt.Sprint(p))
		}
	}()
	f()
}

// close ends what is under way: a mail that was offered may be offered again after the
// next start.
func (r *reporter) close() {
	if r != nil {
		r.cancel()
		r.ended.Wait()
	}
}

// reportChoices are what the options say, without what only the daemon may read.
func reportChoices(cfg *config.Config, dns resolver.Lookuper, log *slog.Logger) (send.Settings, error) {
	r := &cfg.Reports
	_, host, _ := strings.Cut(r.From, "@")
	name, err := os.Hostname()
	if err != nil {
		return send.Settings{}, err
	}
	s := send.Settings{
		From: r.From, Organization: r.Organization, Contact: r.Contact, Generator: "alignd " + version,
		Schema: aggregate.Schema(r.Schema), Own: cfg.Owns(), DNS: dns, PSLGuard: cfg.PSLGuard, Log: log, KeepSent: r.KeepSent.Duration,
		OptOut: send.OptOut{Addresses: r.OptOut.Addresses, Hosts: r.OptOut.MailDomains, Domains: r.OptOut.Domains},
		Limits: send.Limits{PerMinute: r.PerMinute, PerDay: r.PerDay, PerOrganization: r.PerOrganization},
		Holder: name, Hello: name, Bounces: r.Bounces, Delimiter: "+",
	}
	if cfg.RecipientDelimiter != "" {
		s.Delimiter = cfg.RecipientDelimiter[:1]
	}
	if s.Organization == "" {
		s.Organization = host
	}
	s.To, s.Failures = audience(r.To), failures(cfg)
	return s, nil
}

// reportSettings are what the options say, with what it takes to sign and to send.
func reportSettings(cfg *config.Config, dns resolver.Lookuper, log *slog.Logger) (send.Settings, error) {
	s, err := reportChoices(cfg, dns, log)
	if err != nil {
		return s, err
	}
	r := &cfg.Reports
	for _, k := range r.DKIM {
		signer, err := send.ReadKey(k.KeyFile)
		if err != nil {
			return s, err
		}
		s.Keys = append(s.Keys, send.Key{Selector: k.Selector, Signer: signer})
	}
	s.Transport, err = transport(r, s.Hello)
	return s, err
}

// audience is what words say.
func audience(words []string) (a send.Audience) {
	for _, word := range words {
		switch word {
		case "all":
			a.All = true
		case "deserving":
			a.Deserving = true
		case "own": // they are in it as it is
		case "none":
			a.None = true
		default:
			a.Domains = append(a.Domains, word)
		}
	}
	return a
}

// newSender sends what st has. The key of its envelope senders is drawn once, for all
// hosts: the site's own secret may be one that others of this machine can read.
func newSender(ctx context.Context, st *state.State, s send.Settings) (*send.Sender, error) {
	var err error
	s.Key, err = st.Secret(ctx, "envelope senders of reports", func() []byte {
		key := make([]byte, 32)
		rand.Read(key) // it never fails
		return key
	})
	return send.New(st, s), err
}

// transport is the way to the relay.
func transport(r *config.Reports, name string) (send.Transport, error) {
	kind, place, _ := strings.Cut(r.Relay, ":")
	if kind == "sendmail" {
		return &send.Sendmail{Path: place}, nil
	}
	t := &send.SMTP{Network: map[string]string{"inet": "tcp", "unix": "unix"}[kind], Address: place, Hello: name, TLS: send.TLS(r.TLS), User: r.User}
	if r.PasswordFile == "" {
		return t, nil
	}
	data, err := os.ReadFile(r.PasswordFile)
	if err != nil {
		return nil, err
	}
	if t.Password = strings.TrimSpace(string(data)); t.Password == "" {
		return nil, errors.New(r.PasswordFile + " is empty")
	}
	return t, nil
}
