package send

import (
	"crypto"
	"log/slog"
	"time"

	"alignd/report/aggregate"
	"alignd/resolver"
)

// Settings say who sends what to whom. They are not changed once they are in use.
type Settings struct {
	From         string // address; its domain is the submitter
	Organization string
	Contact      string
	Generator    string // program and version
	Schema       aggregate.Schema
	// Own reports whether a domain is of this site.
	Own func(domain string) bool
	// Bounces is the address that notifications about reports come to, with Delimiter and
	// a token behind its local part; empty: they come to From.
	Bounces, Delimiter string
	// Key keys the tokens; equal on all hosts.
	Key []byte
	// To is who gets reports beside own domains.
	To Audience
	// OptOut is who wants none.
	OptOut OptOut
	// Keys sign; none leaves that to the relay.
	Keys []Key
	// Transport takes the mail.
	Transport Transport
	// DNS is asked who may get reports about others.
	DNS resolver.Lookuper
	// PSLGuard is the option psl_guard.
	PSLGuard bool
	// Limits keep others from being flooded.
	Limits Limits
	// KeepSent is how long reports stay that have left.
	KeepSent time.Duration
	Log      *slog.Logger
	// Holder names this process among those that share a store.
	Holder string
	// Hello is the name of this host.
	Hello string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Failures are failure reports; zero for none.
	Failures Failures
}

// Failures say who gets failure reports (RFC 9991), and how often.
type Failures struct {
	// To is who gets them beside own domains.
	To Audience
	// Every is how long one report stands for all messages of its kind; 0: none are sent.
	Every time.Duration
	// PerDomain is how many kinds of failures of one Policy Domain are told within Every.
	PerDomain int
	// PerAddress and PerDay are mails a day, to one address and to all.
	PerAddress, PerDay int64
	// Ours reports whether reports and answers to them come in at an address.
	Ours func(address string) bool
	// Key keys the hashes of local parts; equal on all hosts.
	Key []byte
}

// Audience is who gets reports.
type Audience struct {
	// All: every domain that asks for reports. Else Deserving and Domains.
	All bool
	// Deserving: domains whose mail passed here on two days within 30, so that forged
	// mail never makes us write to its victim's address or a spammer's.
	Deserving bool
	// None: nobody, not even own domains.
	None    bool
	Domains []string
}

// OptOut is who wants no reports.
type OptOut struct {
	Addresses []string // of targets
	Hosts     []string // mail domains of targets
	Domains   []string // Policy Domains
}

// Limits are numbers of mails.
type Limits struct {
	PerMinute int
	PerDay    int
	// PerOrganization is by day and Organizational Domain of targets.
	PerOrganization int
}

// Key is one that signs.
type Key struct {
	Selector string
	Signer   crypto.Signer
}
