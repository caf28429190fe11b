package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
)

// Reports says who gets aggregate reports (RFC 9990), and how they are sent.
type Reports struct {
	From         string      `yaml:"from" is:"optional_address"`
	Bounces      string      `yaml:"bounces" is:"optional_address"`
	Organization string      `yaml:"organization"`
	Contact      string      `yaml:"contact"`
	To           []string    `yaml:"to" is:"report_audience"`
	Addresses    []string    `yaml:"addresses" is:"address"`
	OptOut       OptOut      `yaml:"opt_out"`
	Schema       string      `yaml:"schema" oneof:"rfc9990 rfc7489"`
	EnvelopeTo   bool        `yaml:"envelope_to"`
	DKIM         []ReportKey `yaml:"dkim"`
	Relay        string      `yaml:"relay" is:"relay"`
	TLS          string      `yaml:"tls" oneof:"offered require none"`
	User         string      `yaml:"user"`
	PasswordFile string      `yaml:"password_file" is:"optional_file"`
	PerMinute    int         `yaml:"per_minute" min:"1" max:"100000"`
	PerDay       int         `yaml:"per_day" min:"1" max:"10000000"`
	// PerOrganization is by day and Organizational Domain of the addresses.
	PerOrganization int      `yaml:"per_organization" min:"1" max:"1000000"`
	KeepSent        Duration `yaml:"keep_sent" min:"1h" max:"90d"`
	// KeepOthers is how long reports stay that others sent us.
	KeepOthers Duration `yaml:"keep_others" min:"1d" max:"3650d"`
	Failure    Failure  `yaml:"failure"`
}

// Failure says who gets failure reports (RFC 9991), and how often.
type Failure struct {
	To         []string `yaml:"to" is:"failure_audience"`
	Every      Duration `yaml:"every" min:"10m" max:"1d"`
	PerDomain  int      `yaml:"per_domain" min:"1" max:"100"`
	PerAddress int      `yaml:"per_address" min:"1" max:"10000"`
	PerDay     int      `yaml:"per_day" min:"1" max:"100000"`
}

// IsZero leaves what is off out of Hash.
func (r Reports) IsZero() bool { return r.From == "" }

// OptOut is who wants no reports.
type OptOut struct {
	Addresses   []string `yaml:"addresses" is:"address"`
	MailDomains []string `yaml:"mail_domains" is:"domain"`
	Domains     []string `yaml:"domains" is:"domain"`
}

// ReportKey is a key that signs reports.
type ReportKey struct {
	At Place `yaml:"-" json:"-"`

	Selector string `yaml:"selector" is:"selector"`
	KeyFile  string `yaml:"key_file" is:"file"`
}

// address is a mail address whose local part needs no quotes (RFC 5321 section 4.1.2).
func address(s string) (string, error) {
	local, host, ok := strings.Cut(s, "@")
	if !ok || local == "" || strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>[]:;@\,"`, r) }) {
		return "", errors.New("is no mail address, such as dmarc@example.com")
	}
	host, err := domainOnly(host)
	if err != nil {
		return "", fmt.Errorf("its domain: %w", err)
	}
	return local + "@" + host, nil
}

// audienceWords are those of Reports.To beside domains.
var audienceWords = []string{"deserving", "all", "own", "none"}

// Off reports whether no reports are sent.
func (r *Reports) Off() bool { return r.From == "" || slices.Contains(r.To, "none") }

// reportAudience is a word or a domain.
func reportAudience(s string) (string, error) {
	if slices.Contains(audienceWords, s) {
		return s, nil
	}
	d, err := domainOnly(s)
	if err != nil {
		return "", fmt.Errorf("is none of deserving, all, own, none, and no domain: %w", err)
	}
	return d, nil
}

// failureWords are those of Failure.To beside domains.
var failureWords = []string{"own", "deserving", "all"}

// failureAudience is a word or a domain.
func failureAudience(s string) (string, error) {
	if slices.Contains(failureWords, s) {
		return s, nil
	}
	d, err := domainOnly(s)
	if err != nil {
		return "", fmt.Errorf("is none of own, deserving and all, and no domain: %w", err)
	}
	return d, nil
}

// relay is where mail is handed to.
func relay(s string) (string, error) {
	kind, place, _ := strings.Cut(s, ":")
	switch kind {
	case "inet":
		if host, port, err := net.SplitHostPort(place); err == nil && host != "" && port != "" {
			return s, nil
		}
	case "unix", "sendmail":
		if filepath.IsAbs(place) {
			return s, nil
		}
	}
	return "", errors.New("is none of inet:HOST:PORT, unix:/PATH, sendmail:/PATH")
}

// reports needs a journal that counts, and what the options lead to.
func (k *checker) reports() {
	r := &k.cfg.Reports
	if r.From == "" {
		if len(r.Failure.To) > 0 {
			k.fault("reports.failure.to", "reports.failure.to: no report is sent without reports.from")
		}
		return
	}
	if k.cfg.Journal.Store == "none" {
		k.fault("reports.from", "reports.from: reports are made of what the journal counts, and journal.store is none")
	}
	if len(r.To) == 0 {
		k.fault("reports.to", "reports.to is empty, so nobody gets a report; leave out reports.from to send none")
	}
	for _, word := range []string{"none", "own"} {
		if slices.Contains(r.To, word) && len(r.To) > 1 {
			k.fault("reports.to", "reports.to: %s stands alone, as others would get reports besides", word)
		}
	}
	if len(k.cfg.OwnDomains) == 0 && len(r.Failure.To) == 1 && r.Failure.To[0] == "own" {
		k.fault("reports.failure.to", "reports.failure.to is own, and own_domains is empty, so nobody gets a failure report")
	}
	if (r.User == "") != (r.PasswordFile == "") {
		k.fault("reports.user", "reports.user and reports.password_file go together")
	}
	for i := range r.DKIM {
		if at := item("reports.dkim", i); r.DKIM[i].Selector == "" || r.DKIM[i].KeyFile == "" {
			k.fault(at, "reports.dkim: an entry wants selector and key_file")
		}
	}
}
