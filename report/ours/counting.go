package ours

import (
	"slices"
	"strings"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/report/send"
)

// Tally is what the state counts for reports; nil where none are sent.
func Tally(cfg *config.Config) func(*journal.Entry) []state.Tally {
	r := &cfg.Reports
	if r.Off() {
		return nil
	}
	return counting(cfg).Tally
}

// counting is what the options say of it.
func counting(cfg *config.Config) *send.Counting {
	r := &cfg.Reports
	own := cfg.Owns()
	c := &send.Counting{EnvelopeTo: r.EnvelopeTo, OptOut: r.OptOut.Domains,
		Not: send.OptOut{Addresses: r.OptOut.Addresses, Hosts: r.OptOut.MailDomains}, Delimiters: cfg.RecipientDelimiter, Failures: len(r.Failure.To) > 0,
		Due: func(domain string) bool {
			return domain == r.From[strings.LastIndexByte(r.From, '@')+1:] || own(domain) || slices.Contains(r.To, domain)
		}}
	for _, address := range append([]string{r.From, r.Bounces}, r.Addresses...) {
		c.Addresses = append(c.Addresses, strings.ToLower(address))
	}
	return c
}
