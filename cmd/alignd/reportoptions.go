package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"alignd/config"
	"alignd/filter"
	"alignd/journal/place"
	"alignd/journal/running"
	"alignd/journal/state"
	"alignd/report/ours"
	"alignd/report/send"
	"alignd/resolver"
)

// openState opens the state beside the store, to be written by who counts for reports.
func openState(cfg *config.Config, log *slog.Logger) (*state.State, error) {
	return place.OpenState(cfg, log, ours.Tally(cfg))
}

// reportChoices are what the options say, without what only the daemon may read.
func reportChoices(cfg *config.Config, dns resolver.Lookuper, log *slog.Logger) (send.Settings, error) {
	s, err := ours.Choices(cfg, dns, log)
	s.Generator = "alignd " + version
	return s, err
}

// reportSettings are what the options say, with what it takes to sign and to send.
func reportSettings(cfg *config.Config, dns resolver.Lookuper, log *slog.Logger) (send.Settings, error) {
	s, err := ours.Settings(cfg, dns, log)
	s.Generator = "alignd " + version
	return s, err
}

// startReporter sends what the journal counts. Without a state there is nothing to send.
// f hears of what failure reports are to tell.
func startReporter(cfg *config.Config, m *running.Journal, f *filter.Filter, dns resolver.Lookuper, log *slog.Logger) (*ours.Reporter, error) {
	if cfg.Reports.Off() || m.State() == nil {
		return nil, nil
	}
	s, err := reportSettings(cfg, dns, log)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	// A restart finds its own lease again, and no two processes have one spool.
	s.Holder += fmt.Sprintf(" %x", m.Spool())
	r := ours.Start(m.State(), s, ours.Identity(cfg))
	if r.NotesFailures() {
		f.ReportFailures(r)
	}
	return r, nil
}

// readyWithin is how long commands wait for DNS; ours.
const readyWithin = 5 * time.Second

// readyFacts asks DNS for a command: server, if one is named, else what the options say.
func readyFacts(ctx context.Context, cfg *config.Config, server string, offline bool) ([]send.Fact, error) {
	if cfg.Reports.Off() || offline {
		return nil, nil
	}
	opt := resolverOptions(cfg, nil)
	if server != "" {
		opt.Servers = []string{server}
	}
	dns, err := resolver.New(opt)
	if err != nil {
		return nil, err
	}
	defer dns.Close()
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	return send.Ready(ctx, dns, ours.Identity(cfg)), nil
}
