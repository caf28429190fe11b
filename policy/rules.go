package policy

import (
	"fmt"
	"net/netip"
	"time"
)

// Source is where an entry stands in the configuration. The zero Source means
// that it is built in.
type Source struct {
	File string
	Line int
}

// String is FILE:LINE, or "" without a file.
func (s Source) String() string {
	if s.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// Action is what an admin wants done with a message.
type Action string

// The actions. Tag, Hold and Reject say how to deliver; Quarantine leaves that
// to Handling.QuarantineAs.
const (
	Accept     Action = "accept"
	Tag        Action = "tag"
	Hold       Action = "hold"
	Quarantine Action = "quarantine"
	Tempfail   Action = "tempfail"
	Reject     Action = "reject"
)

// Mode says whether verdicts are carried out.
type Mode string

// The modes. The zero value is Enforce.
const (
	Enforce Mode = "enforce"
	Monitor Mode = "monitor" // everything is delivered; Verdict.Monitor says what would have been done
)

// RejectMode says what a p=reject needs to become a rejection.
type RejectMode string

// The reject modes. The zero value is Strict.
const (
	// Strict: the failing evaluation is enough.
	Strict RejectMode = "strict"
	// Corroborated: at least one further signal is needed, else the message is
	// quarantined (RFC 9989 section 7.4).
	Corroborated RejectMode = "corroborated"
)

// Signal is an observation that corroborates a failing p=reject.
type Signal string

// The signals; all are read from Evidence.
const (
	// SignalDirect: no sign of a mailing list, forwarder or ARC Sealer.
	SignalDirect Signal = "direct"
	// SignalNoSignature: no signature of the Author Domain that broke on the way.
	SignalNoSignature Signal = "no_broken_signature"
	// SignalSPFFail: SPF fail for a MAIL FROM of the Author Domain.
	SignalSPFFail Signal = "spf_fail"
	// SignalNonExistent: the Author Domain does not exist in DNS.
	SignalNonExistent Signal = "nonexistent"
	// SignalOwn: the Author Domain is one of ours, and the client is not.
	SignalOwn Signal = "own_domain"
	// SignalNoReverse: the client has no forward-confirmed name.
	SignalNoReverse Signal = "no_reverse_dns"
)

// Signals lists all signals in the order in which they are looked at.
func Signals() []Signal {
	return []Signal{SignalDirect, SignalNoSignature, SignalSPFFail, SignalNonExistent, SignalOwn, SignalNoReverse}
}

// PctMode says what the pct tag means (RFC 7489 section 6.6.4; historic in RFC 9989).
type PctMode string

// The modes. The zero value is PctHonor. A valid t tag always wins over pct.
const (
	PctHonor      PctMode = "honor"        // sampled by Evidence.Sample
	PctZeroAsTest PctMode = "zero_as_test" // pct=0 means t=y; other values nothing
	PctIgnore     PctMode = "ignore"       // RFC 9989 section 9.3
)

// WideSPF says what an SPF pass by "all", or by a network wider than /8 (IPv6:
// /24), is worth.
type WideSPF string

// The values. The zero value is WideCount.
const (
	WideCount  WideSPF = "count"  // what RFC 7208 says
	WideIgnore WideSPF = "ignore" // it authenticates nobody, and proves nothing
)

// Spec is what an admin may want; its zero value means the defaults named at
// each field. Domain patterns, wherever they stand, are
//
//	example.com       this domain
//	.example.com      every domain below it
//	org:example.com   every domain whose Organizational Domain it is
//	*                 every domain (not in a proof)
//
// in lower-case A-labels. org: is for Author Domains only. Where the Organizational
// Domain is not known, it holds for nothing, and Verdict.Undecidable says so. In an entry
// that makes an outcome stricter it holds for the domain and all below it, as owners
// choose what DNS says of their names.
//
// Address patterns are user@example.com, a domain pattern for the part after the "@",
// "<>" for the null reverse-path, or "*"; case does not matter. A recipient at an address
// literal, user@[192.0.2.1], is every user@, and of every domain, that is listed in an
// entry that makes the outcome stricter.
type Spec struct {
	Mode      Mode
	NotJudged NotJudged
	From      FromActions

	// Handling is how published policies are honoured; Domains and Profiles
	// override single fields of it.
	Handling Handling
	// PermError is done with mail whose DMARC result is permerror. Default Accept.
	PermError Action
	// Domains override Handling per Author Domain. The most specific pattern
	// wins: the exact name, then the nearest ".parent", then "org:", then "*".
	Domains []DomainRule
	// Profiles override Handling per recipient, after Domains.
	Profiles []Profile
	// WideSPF says whether an SPF pass counts that matches about everybody.
	WideSPF WideSPF
	// ExtensionDelimiters ends the local part of a recipient for Profiles and
	// Scope.Recipients: with "+", ceo+news@ is ceo@ too. Empty: off.
	ExtensionDelimiters string

	Own        []OwnDomains
	NoRecord   NoRecord
	TempErrors TempErrors

	Exceptions []Exception
	Sealers    []Sealer
	Relays     []Relay

	// Options tells where options that are no entry of a list are set, such as
	// "honor.reject"; what is not in it is a default.
	Options map[string]Source

	Tag     TagField
	Replies Replies
	// OnError is done when alignd itself failed on a message: Tempfail (the
	// default), Accept, Tag or Reject (550 5.3.0).
	OnError Action
}

// Handling is how failing mail is handled for each published policy. In a
// DomainRule or Profile an empty field keeps the wider setting.
type Handling struct {
	// Reject, Quarantine and None are done where the effective policy is that.
	// Defaults: Reject, Quarantine, Accept. RFC 9989 section 5.4 wants none left
	// alone; another action for it is local policy and reported as such.
	Reject, Quarantine, None Action
	RejectMode               RejectMode
	// Signals that corroborate; nil means all.
	Signals []Signal
	Pct     PctMode
	// QuarantineAs is Tag (default), Hold or Reject.
	QuarantineAs Action
	// Rollout limits what is done, stage by stage. Nil: no limit.
	Rollout []Stage
}

// NotJudged lists clients whose mail is accepted whatever the checks say. It is
// about who is connected. A trusted relay is always judged, but for mail that
// began in one of Networks behind it (Evidence.Client.Began).
type NotJudged struct {
	JudgeAuthenticated bool // judge authenticated clients too
	JudgeLoopback      bool // judge loopback clients too
	Networks           []Network
}

// Network is a network of clients that are not judged.
type Network struct {
	ID     string
	Prefix netip.Prefix
	Source Source
}

// FromActions are done with a From that gives no single Author Domain. Below
// Reject the message is still judged by the domains it has, and the worse
// outcome holds (RFC 9989 section 11.5). Unparsable does not hold for a pass of the
// only domain that a reader can see (evidence.From.Sole).
type FromActions struct {
	Missing    Action // default Reject
	Several    Action // default Reject
	TooMany    Action // default Reject
	Empty      Action // default Tag
	Unparsable Action // default Tag
}

// DomainRule overrides Handling for some Author Domains.
type DomainRule struct {
	ID            string
	AuthorDomains []string
	Handling      Handling
	Source        Source
}

// Profile overrides Handling for some recipients. With several recipients the
// strictest outcome holds. The first Profile that lists a recipient is used.
type Profile struct {
	ID         string
	Recipients []string
	Handling   Handling
	Source     Source
}

// OwnDomains are domains of this site: mail that uses them as Author Domain
// without passing DMARC gets at least Action, even at p=none or without a
// record. Such a domain counts as enforcing for temporary errors. Rollout
// limits apply.
type OwnDomains struct {
	ID      string
	Domains []string
	Action  Action // default Reject
	Source  Source
}

// NoRecord is local policy for Author Domains that publish no DMARC record.
// A passing DKIM signature or SPF check of the Author Domain or its family
// (one below the other) exempts from both.
type NoRecord struct {
	Unauthenticated Action // default Accept
	SPFFail         Action // SPF result fail; default Accept; Reject is 550 5.7.23
}

// TempErrors says what is done when DNS failed for now.
type TempErrors struct {
	// PolicyUnknown is done when the policy could not be looked up. Default Accept.
	PolicyUnknown Action
	// Unresolved is done when the policy is known and enforcing and an
	// identifier that would align is unresolved. Default Tempfail.
	Unresolved Action
	// For is how long the same message is deferred before Expired is done,
	// counted from Evidence.FirstSeen, and at least twice. 0 means 4 hours.
	For time.Duration
	// Expired is Tag (the default) or Accept. Who can name a domain below the
	// Author Domain whose DNS never answers can bring a message to this point.
	Expired Action
}

// Kind says which way an exception works.
type Kind string

// The kinds. The zero value is Allow for the actions Accept and Tag, and Block
// for all others.
const (
	Allow Kind = "allow" // the outcome is at most the action
	Block Kind = "block" // the outcome is at least the action
)

// Exception is one entry of the ordered list. All kinds of condition that are
// given must match, and within one kind any of its values. The first matching
// Block entry decides; without one, the first matching Allow entry.
type Exception struct {
	ID     string
	Kind   Kind
	Action Action
	Scope  Scope
	Proof  Proof

	Reason, Owner, Ticket string
	// Expires is the first instant at which the entry no longer matches. It is
	// required unless NeverExpires is set.
	Expires      time.Time
	NeverExpires bool
	// Override is the reason type in reports when the entry changed the
	// outcome. Default OverrideLocalPolicy.
	Override OverrideType
	Source   Source
}

// Scope says which mail an entry is about. All of it is what the sender
// chooses, so it proves nothing.
type Scope struct {
	AuthorDomains []string // domain patterns
	MailFrom      []string // address patterns
	// Recipients are address patterns. An Allow entry needs all recipients to
	// match, a Block entry one.
	Recipients []string
	ListIDs    []string // List-Id identifiers, exact or ".suffix"
}

// Proof is what a sender cannot choose freely.
type Proof struct {
	Clients []netip.Prefix // client address
	PTR     []string       // forward-confirmed name of the client
	DKIM    []string       // SDID of a passing signature
	SPF     []string       // domain of a passing MAIL FROM check
	// Sealers are ids of trusted Sealers, one of which sealed the message last,
	// in a chain that passes.
	Sealers []string
}

// RequiredResult is what a trusted Sealer must have found.
type RequiredResult string

// The required results of ARC-Authentication-Results. The zero value is RequireDMARC.
const (
	// RequireDMARC: dmarc=pass with header.from equal to the Author Domain.
	RequireDMARC RequiredResult = "dmarc"
	// RequireAligned: that, or a dkim=pass whose header.d aligns (without one
	// whose header.i does, except under adkim=s), or, where
	// header.from is named and equal to the Author Domain, an spf=pass whose
	// smtp.mailfrom aligns.
	RequireAligned RequiredResult = "aligned"
)

// Sealer is a trusted ARC Sealer (RFC 8617 section 7.2). Trust runs from the
// newest ARC Set down without a gap; an ARC Set is trusted when d= of its seal
// and of its message signature both match.
type Sealer struct {
	ID        string
	Domains   []string // domain patterns for d=
	Selectors []string // s= of the seal; empty: any

	// AuthorDomains, Recipients (all must match) and Clients (of the newest ARC
	// Set only) narrow the trust; empty: any.
	AuthorDomains []string
	Recipients    []string
	Clients       []netip.Prefix

	Require RequiredResult
	// ServIDs are domain patterns for the authserv-id of its results. Empty:
	// equal to d= or one below the other.
	ServIDs []string
	// Unmodified is the oldest-pass guard: the message must still be as the
	// Sealer that vouches signed it (oldest-pass at or before its instance,
	// RFC 8617 section 5.2).
	Unmodified bool
	Source     Source
}

// Relay says what is done instead where a trusted relay delivers, as it would
// have to bounce what is refused.
type Relay struct {
	ID       string
	Reject   Action // default Quarantine; where that would refuse, Tag
	Tempfail Action // default Tempfail
	Source   Source
}

// TagField is the header field that marks a quarantined message.
type TagField struct {
	Name  string // default X-Alignd-Disposition
	Value string // default quarantine
}

// Replies are the templates of SMTP replies. They may hold {domain} (Author
// Domain, or the domain that SPF checked), {reason}, {token} (Message.Token) and {url}.
type Replies struct {
	DMARC ReplyTemplate // default 550 5.7.26
	// Unauthenticated is for what no published policy asks for: OwnDomains and
	// NoRecord.Unauthenticated. Default 550 5.7.26.
	Unauthenticated ReplyTemplate
	PermError       ReplyTemplate // default 550 5.7.26; for Spec.PermError
	SPF             ReplyTemplate // default 550 5.7.23
	From            ReplyTemplate // default 550 5.6.0
	Block           ReplyTemplate // default 550 5.7.1
	TempError       ReplyTemplate // default 451 4.7.1
	Defer           ReplyTemplate // default 451 4.7.1; where Tempfail is what the admin chose
	Limit           ReplyTemplate // default 550 5.7.1
	Internal        ReplyTemplate // default 451 4.3.0
	// URL fills {url}; it may hold {domain} and {token}.
	URL string
}

// ReplyTemplate is one reply. Empty fields mean the default.
type ReplyTemplate struct {
	Code     int
	Enhanced string // RFC 3463
	Text     string
}
