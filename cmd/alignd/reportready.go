package main

import (
	"context"
	"crypto"
	"log/slog"
	"slices"
	"time"

	"alignd/config"
	"alignd/report/send"
	"alignd/resolver"
)

// reportIdentity is whom reports come from.
func reportIdentity(cfg *config.Config) send.Identity {
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

// lookAgainAfter is when DNS is asked again that did not answer; ours. A host that starts
// may have none yet.
var lookAgainAfter = []time.Duration{time.Minute, 10 * time.Minute, time.Hour}

// tellReady warns of what reports lack in DNS. It is beside mail, and nothing waits for it.
func tellReady(ctx context.Context, lk resolver.Lookuper, id send.Identity, log *slog.Logger) {
	var told []send.Fact
	for try := 0; ; try++ {
		silent := false
		for _, f := range send.Ready(ctx, lk, id) {
			silent = silent || f.State == send.Unknown
			if f.State == send.Right || ctx.Err() != nil || slices.Contains(told, f) {
				continue
			}
			told = append(told, f)
			if f.State == send.Wrong {
				log.Warn("reports may not pass DMARC", "check", string(f.Subject), "dns_name", f.Name, "problem", f.Say)
			} else {
				log.Info("whether reports pass DMARC is not known", "check", string(f.Subject), "dns_name", f.Name, "reason", f.Say)
			}
		}
		if !silent || try >= len(lookAgainAfter) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgainAfter[try]):
		}
	}
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
	return send.Ready(ctx, dns, reportIdentity(cfg)), nil
}
