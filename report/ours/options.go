// Package ours has the reports that we owe leave as a configuration wants it: what its
// options say of them, and the sender of a running daemon.
package ours

import (
	"crypto"
	"errors"
	"log/slog"
	"os"
	"strings"

	"alignd/config"
	"alignd/report/aggregate"
	"alignd/report/send"
	"alignd/resolver"
)

// Choices are what the options say, without what only the daemon may read.
func Choices(cfg *config.Config, dns resolver.Lookuper, log *slog.Logger) (send.Settings, error) {
	r := &cfg.Reports
	_, host, _ := strings.Cut(r.From, "@")
	name, err := os.Hostname()
	if err != nil {
		return send.Settings{}, err
	}
	s := send.Settings{
		From: r.From, Organization: r.Organization, Contact: r.Contact,
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

// Settings are what the options say, with what it takes to sign and to send.
func Settings(cfg *config.Config, dns resolver.Lookuper, log *slog.Logger) (send.Settings, error) {
	s, err := Choices(cfg, dns, log)
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

// failures are what the options say of failure reports; zero where none are sent.
func failures(cfg *config.Config) send.Failures {
	o := &cfg.Reports.Failure
	if len(o.To) == 0 {
		return send.Failures{}
	}
	return send.Failures{To: audience(o.To), Every: o.Every.Duration, PerDomain: o.PerDomain,
		PerAddress: int64(o.PerAddress), PerDay: int64(o.PerDay), Ours: counting(cfg).Ours}
}

// Identity is whom reports come from.
func Identity(cfg *config.Config) send.Identity {
	r := &cfg.Reports
	id := send.Identity{From: r.From, Bounces: r.Bounces, PSLGuard: cfg.PSLGuard}
	for _, k := range r.DKIM {
		own := send.OwnKey{Selector: k.Selector}
		var signer crypto.Signer
		if signer, own.Err = send.ReadKey(k.KeyFile); own.Err == nil {
			own.Public = signer.Public()
		}
		id.Keys = append(id.Keys, own)
	}
	return id
}
