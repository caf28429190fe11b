package main

import (
	"log/slog"
	"reflect"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/resolver"
	"alignd/verify"
	"alignd/verify/dkim"
	"alignd/verify/dmarc"
	"alignd/verify/relay"
	"alignd/verify/spf"
)

// settings is what messages are judged with under a configuration.
func settings(cfg *config.Config) *judge.Settings {
	secret := []byte(cfg.SamplingSecret)
	if len(secret) == 0 {
		secret, _ = judge.DefaultSecret()
	}
	opt := verifyOptions(cfg)
	return &judge.Settings{
		Rules:          cfg.Rules,
		Verify:         opt,
		Basis:          record.Basis{Program: "alignd " + version, Config: cfg.Hash(), Options: basisOptions(cfg, &opt)},
		AuthservID:     cfg.AuthservID,
		OwnIDs:         cfg.OwnAuthservIDs,
		CompareWith:    cfg.CompareWith,
		OwnNameOnly:    cfg.AuthservIDCovers == "name",
		Strip:          judge.Strip(cfg.Strip),
		TagName:        cfg.Tag.Name,
		ReceivedSPF:    cfg.ReceivedSPF,
		MaxForged:      cfg.Limits.ForgedResults,
		SamplingSecret: secret,
	}
}

// basisOptions are what records say of the verification options. The leading space
// is the MTA's to grant.
func basisOptions(cfg *config.Config, opt *verify.Options) record.Options {
	return record.Options{
		Discovery: opt.DMARC.Discovery, PSLGuard: opt.DMARC.PSLGuard, CompareDiscovery: opt.DMARC.Compare,
		MaxSignatures: opt.DKIM.MaxSignatures, MaxFromDomains: opt.MaxFromDomains,
		AcceptLength: opt.DKIM.AcceptLength, MinLengthPercent: opt.DKIM.MinLengthPercent, AcceptPartlySigned: opt.DKIM.AcceptPartlySigned,
		ClockSkew: cfg.DKIM.ClockSkew.Duration, SPFTimeout: cfg.SPF.Timeout.Duration, SPFVoids: cfg.SPF.MaxVoidLookups,
		IgnoreWideSPF: opt.IgnoreWideSPF, MaxQueries: opt.Budget.MaxQueries, Timeout: opt.Timeout, Needs: cfg.Needs(),
	}
}

func verifyOptions(cfg *config.Config) verify.Options {
	return verify.Options{
		DKIM: dkim.Options{
			MaxSignatures:      cfg.DKIM.MaxSignatures,
			Skew:               orNone(cfg.DKIM.ClockSkew.Duration),
			AcceptLength:       cfg.DKIM.AcceptLength,
			MinLengthPercent:   cfg.DKIM.MinLengthPercent,
			AcceptPartlySigned: cfg.DKIM.AcceptPartlySigned,
		},
		SPF: spf.Limits{Voids: orNone(cfg.SPF.MaxVoidLookups), Timeout: cfg.SPF.Timeout.Duration},
		DMARC: dmarc.Options{
			Discovery: evidence.Discovery(cfg.Discovery),
			Compare:   cfg.CompareDiscovery,
			PSLGuard:  cfg.PSLGuard,
		},
		IgnoreWideSPF:  cfg.SPF.Wide == policy.WideIgnore,
		Needs:          cfg.Needs(),
		Relays:         relays(cfg),
		MaxFromDomains: cfg.From.MaxDomains,
		Timeout:        cfg.Limits.MessageTimeout.Duration,
		Budget:         resolver.BudgetOptions{MaxQueries: cfg.DNS.MaxQueries},
	}
}

// orNone tells an option that is 0 to a package where 0 stands for the default
// and what is below 0 for none.
func orNone[T int | time.Duration](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

func relays(cfg *config.Config) *relay.Options {
	opt := &relay.Options{Own: cfg.NotJudged.Networks}
	for _, r := range cfg.TrustedRelays {
		var by relay.Writers
		by.Names, by.Networks = config.Hosts(r.By)
		opt.Relays = append(opt.Relays, relay.Relay{
			ID: r.ID, Peers: r.Peers, Skip: r.Skip, By: by,
			PrivateHops: r.PrivateHops, MaxHops: r.MaxHops, OnParseFailure: r.OnParseFailure,
		})
	}
	return opt
}

func resolverOptions(cfg *config.Config, log *slog.Logger) resolver.Options {
	return resolver.Options{
		Servers:    cfg.DNS.Servers,
		Timeout:    cfg.DNS.Timeout.Duration,
		Attempts:   cfg.DNS.Attempts,
		CacheBytes: int(cfg.DNS.CacheSize),
		Logger:     log,
	}
}

func milterOptions(cfg *config.Config, handler func(*milter.Conn) milter.Session, log *slog.Logger) milter.Options {
	return milter.Options{
		Handler:        handler,
		Logger:         log,
		MaxHeaders:     cfg.Limits.Fields,
		MaxHeaderBytes: int(cfg.Limits.HeaderSize),
		MaxRecipients:  cfg.Limits.Recipients,
		MaxBody:        int64(cfg.Limits.MessageSize),
		Replies:        milterReplies(cfg),
	}
}

// milterReplies are for the messages that the milter server answers by itself.
func milterReplies(cfg *config.Config) milter.Replies {
	over := cfg.Rules.OverLimit(&evidence.Message{}, "the message exceeds a limit of this server")
	failed := cfg.Rules.Failed(&evidence.Message{})
	return milter.Replies{OnLimit: reply(over), OnPanic: reply(failed)}
}

// reply is how the MTA is told a verdict that needs no edits.
func reply(v policy.Verdict) milter.Reply {
	if v.Reply == (policy.Reply{}) {
		return milter.Accept
	}
	return milter.Text(v.Reply.Code, v.Reply.Enhanced, v.Reply.Text)
}

func logLevel(cfg *config.Config) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return slog.LevelInfo // the configuration allows only words that slog knows
	}
	return l
}

// needsRestart names the options that differ and that a reload does not take up.
func needsRestart(old, new *config.Config) []string {
	var names []string
	oldLimits, newLimits := old.Limits, new.Limits
	oldLimits.MessageTimeout, newLimits.MessageTimeout = config.Duration{}, config.Duration{}
	oldLimits.ForgedResults, newLimits.ForgedResults = 0, 0
	for _, o := range []struct {
		name     string
		old, new any
	}{
		{"listen", old.Listen, new.Listen},
		{"socket_mode", old.SocketMode, new.SocketMode},
		{"socket_group", old.SocketGroup, new.SocketGroup},
		{"log_format", old.LogFormat, new.LogFormat},
		{"dns", old.DNS, new.DNS},
		{"limits", oldLimits, newLimits},
		{"metrics", old.Metrics, new.Metrics},
		{"journal", old.Journal, new.Journal},
		{"reports", old.Reports, new.Reports},
	} {
		if !reflect.DeepEqual(o.old, o.new) {
			names = append(names, o.name)
		}
	}
	return names
}
