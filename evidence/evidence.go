// Package evidence holds what was observed about one message, as plain
// values. Checks fill it, policy.Decide judges it, and everything that is
// written afterwards (Authentication-Results, log line, explanation, journal,
// reports) is rendered from it. It does no I/O and imports the standard
// library only.
//
// A zero field means "not looked up", which is never the same as the result
// "none". Domains are lower-case A-labels without trailing dot, as
// domain.Normalize returns them; text that came from outside and is not a
// domain is kept as it was and must go through an escaping writer.
package evidence

import (
	"net/netip"
	"time"
)

// SchemaVersion is the version of Message. It grows when a field changes its
// meaning; a new field alone does not change it.
const SchemaVersion = 1

// Result is a result word of RFC 8601 section 2.7. The empty Result means
// that the check was not made.
type Result string

// The result words, spelled as on the wire.
const (
	NotChecked Result = ""
	None       Result = "none"
	Pass       Result = "pass"
	Fail       Result = "fail"
	SoftFail   Result = "softfail"
	Neutral    Result = "neutral"
	Policy     Result = "policy"
	TempError  Result = "temperror"
	PermError  Result = "permerror"
)

// Client is the SMTP client. Connection facts live here; a second message on
// the same connection shares the value.
type Client struct {
	// Peer is who is connected to the MTA. It is invalid when the MTA did not
	// say (unknown family, or alignd check without --ip).
	Peer netip.Addr
	// PeerName is the MTA's name for Peer, unverified; "[addr]" when unknown.
	PeerName string
	// Port is Peer's TCP port; 0 when it is not known.
	Port uint16
	// HELO is the argument of HELO or EHLO, as received.
	HELO string
	// Original is the client found behind trusted relays; invalid when Peer
	// is not a trusted relay. SPF, iprev and DMARC use IP(), which prefers it.
	Original netip.Addr
	// OriginalHELO is the HELO name that goes with Original, if known.
	OriginalHELO string
	// Relay is the configured id of the trusted relay that Peer is.
	Relay string
	// Hops counts the trusted hops that were skipped to find Original.
	Hops int
	// Began is the trusted host behind the relay where the message began: no
	// Received field stands below the one that names it. Invalid when that was
	// inside a host, or Original or RelayProblem is set.
	Began netip.Addr
	// RelayProblem says why the original client was not found behind a
	// trusted relay; empty when it was found, or nothing was to be found.
	RelayProblem string
	// Unknown: the original client was not found, and Peer must not stand in
	// for it, so IP and HELOName give nothing.
	Unknown bool
}

// IP is the address that the checks use: the original client behind trusted
// relays, else the peer. It is invalid when the client is unknown.
func (c Client) IP() netip.Addr {
	switch {
	case c.Original.IsValid():
		return c.Original
	case c.Unknown:
		return netip.Addr{}
	}
	return c.Peer
}

// HELOName is the HELO name that goes with IP.
func (c Client) HELOName() string {
	switch {
	case c.Original.IsValid():
		return c.OriginalHELO
	case c.Unknown:
		return ""
	}
	return c.HELO
}

// Recipient is one accepted RCPT TO.
type Recipient struct {
	// Address is the MTA's cleaned form ({rcpt_addr}) or else the argument of
	// RCPT without angle brackets; its domain is normalized where it can be.
	Address string
}

// Message is everything observed about one message.
type Message struct {
	Schema int // SchemaVersion
	// Token names the message for people and in replies: unique over all
	// hosts and times, unlike the queue id, which an MTA uses again.
	Token   string
	QueueID string    // the MTA's; may be empty
	Time    time.Time // when MAIL FROM came
	MTA     string    // the MTA's own name, macro {j}
	Client  Client
	// Looked is what was looked at; see Has.
	Looked Sections

	// AuthUser is the SASL login name ({auth_authen}); AuthType its mechanism.
	// A message is authenticated when AuthType or AuthUser is not empty.
	AuthUser, AuthType string

	MailFrom       string // reverse-path without angle brackets; empty for <>
	MailFromDomain string // normalized; empty for <> or when unusable
	// MailArgs are the ESMTP arguments of MAIL FROM as received: "SMTPUTF8",
	// "BODY=8BITMIME", "RET=HDRS", "ENVID=..." (RFC 3461, 6152, 6531).
	MailArgs   []string
	Recipients []Recipient

	From From // RFC5322.From
	SPF  SPF
	DKIM []Signature // in header order, topmost first
	// DKIMSkipped counts signatures above the limit that were not tried.
	DKIMSkipped int
	ARC         ARC
	// DMARC has one evaluation for each distinct Author Domain, in the order
	// of From.Domains; it is empty when From gave none.
	DMARC []DMARC
	IPRev IPRev

	Traces    Traces
	Received  []Hop  // topmost first, at most MaxHops
	MessageID string // the Message-ID field's value, unfolded; as received

	// Key names the message over its retries and hosts (HMAC with the site's
	// secret); zero when it was not computed.
	Key [32]byte
	// Sample is the message's place 0-99 for pct and rollout percentages
	// (HMAC, equal on each retry); -1 when it was not computed.
	Sample int
	// FirstSeen is since when this very message has been put off for all of its
	// recipients; zero where it is new for one of them.
	FirstSeen time.Time
	// Deferrals is how often it was put off since then, the least of its recipients.
	Deferrals int

	Size     int64 // octets of header and body as received from the MTA
	Elapsed  time.Duration
	Problems []string // what was cut short, e.g. "query budget spent"
	// Failed are the DNS questions that got no answer, at most MaxFailed.
	Failed []FailedQuestion
}

// Most entries that are kept of what a sender can make long; ours.
const (
	MaxHops   = 50
	MaxFailed = 20
)

// Has reports whether all of the sections were looked at. It knows those of a
// Message; a DMARC evaluation has its own Looked.
func (m *Message) Has(s Sections) bool {
	found := m.Looked
	for _, own := range []struct {
		bit Sections
		yes bool
	}{
		{SectionSPF, m.ReportedSPF() != nil},
		{SectionHELO, m.SPF.HELO != nil},
		{SectionARC, m.ARC.Result != NotChecked},
		{SectionIPRev, m.IPRev.Result != NotChecked},
		{SectionClient, m.Client.IP().IsValid()},
		{SectionRecipients, len(m.Recipients) > 0},
		{SectionSample, m.Sample >= 0},
	} {
		if own.yes {
			found |= own.bit
		}
	}
	return found.Has(s)
}

// Authenticated reports whether the client logged in.
func (m *Message) Authenticated() bool { return m.AuthUser != "" || m.AuthType != "" }

// FromProblem says why RFC5322.From gives no single Author Domain.
type FromProblem string

// The ways a From can be unusable (RFC 9989 sections 5.3.1 and 11.5).
const (
	FromOK         FromProblem = ""
	FromMissing    FromProblem = "missing"    // no From field
	FromSeveral    FromProblem = "several"    // more than one From field
	FromEmpty      FromProblem = "empty"      // a group without a mailbox
	FromUnparsable FromProblem = "unparsable" // not an address list, or no usable domain
	FromTooMany    FromProblem = "too many"   // more distinct domains than the limit
	FromUnread     FromProblem = "unread"     // not looked at: the header section is over the limit
)

// From is what the RFC5322.From field(s) say.
type From struct {
	Fields  int      // number of From fields
	Domains []string // distinct Author Domains of all fields, in order
	// Partial are those of Domains that nobody wrote: where white space or a comment
	// stands within a domain, what a reader takes it for who stops there.
	Partial []string
	// Fronts are those of Domains that stand only in an unquoted address in front
	// of an angle address, as ticket systems write it.
	Fronts []FrontDomain
	// Sole: From is unparsable, but no reader can show another domain than the one of
	// Domains, so its result is that of the message.
	Sole    bool
	Problem FromProblem
	Detail  string // one sentence; may quote outside text
}

// Behind is the domains of the angle addresses that an unquoted address with this
// domain stands in front of; nil for a domain that is the author's otherwise.
func (f *From) Behind(domain string) []string {
	for i := range f.Fronts {
		if f.Fronts[i].Domain == domain {
			return f.Fronts[i].Angles
		}
	}
	return nil
}

// FrontDomain is a domain in front of angle addresses.
type FrontDomain struct {
	Domain string
	Angles []string // the domains of the angle addresses
}

// SPFIdentity names the identity that SPF checked (RFC 7208 section 2).
type SPFIdentity string

// The two identities.
const (
	MailFromIdentity SPFIdentity = "mailfrom"
	HELOIdentity     SPFIdentity = "helo"
)

// SPFCheck is one check_host() (RFC 7208 section 4).
type SPFCheck struct {
	Identity SPFIdentity
	Domain   string // the domain checked; as received when it is unusable
	Result   Result
	// Mechanism is the directive that matched, as published, and
	// MechanismDomain the domain whose record holds it (an include's target,
	// say). Empty when no directive decided.
	Mechanism, MechanismDomain string
	// Wide: the pass rests on "all", or on a network wider than /8 (IPv6: /24),
	// so the domain authorizes about everybody. The result stays what RFC 7208
	// says.
	Wide bool
	// Explanation is the expanded exp= text of a fail: US-ASCII, printable.
	Explanation string
	Reason      string // why, for errors and for none
	// Record is the SPF record of Domain as published; empty when there is none.
	Record string
	// Path leads from Record to the term that decided, through includes and
	// redirects; empty when no term did.
	Path    []SPFTerm
	Lookups int // terms that caused DNS questions
	Voids   int // void lookups
}

// SPF holds both identities; nil means not looked up.
type SPF struct {
	MailFrom *SPFCheck
	HELO     *SPFCheck
}

// Signature is one DKIM-Signature field (RFC 6376 section 3.5).
type Signature struct {
	Result   Result
	Reason   string // constant text of ours; empty on a plain pass
	FailedOn Failure
	Domain   string // SDID (d=), normalized; as received when it is unusable
	Selector string // s=
	// Identity is AUID (i=) with quoted-printable decoded, default "@"+SDID.
	Identity  string
	Algorithm string // a=, lower case
	B         string // b= without white space, for header.b and comparison
	// HeaderCanon and BodyCanon are "simple" or "relaxed".
	HeaderCanon, BodyCanon string
	SignedHeaders          []string // h=, lower case
	Signed                 time.Time
	Expires                time.Time
	// Length is l=, or -1; Unsigned the octets of the canonical body beyond it.
	Length, Unsigned int64
	KeyBits          int
	// KeyCNAMEs are the names that aliases led to from the selector's name to
	// the key, in order (RFC 6376 section 3.6.2.1 allows them).
	KeyCNAMEs []string
	// KeyHash is the SHA-256 of the key record's text; zero without one.
	KeyHash [32]byte
	// Testing is the key's t=y flag: a failure counts no worse than no signature.
	Testing bool
	// PublicSuffix: SDID is a public suffix, so it aligns by equality only.
	PublicSuffix bool
}

// ARC is the validation of the chain (RFC 8617 section 5.2).
type ARC struct {
	Result Result // none, pass or fail
	Reason string // constant text of ours
	// Temporary: the chain's only failure was a temporary DNS error, or that the MTA
	// did not hand on what a simple signature covers.
	Temporary  bool
	Instances  int
	OldestPass int
	Sets       []ARCSet // by instance, 1 first; filled as far as it could be read
}

// ARCSet is one ARC Set.
type ARCSet struct {
	Instance int

	SealDomain, SealSelector string // d= and s= of ARC-Seal
	SealCV                   string // cv=
	SealResult               Result // of the signature; NotChecked when not reached

	MessageDomain, MessageSelector string // d= and s= of ARC-Message-Signature
	MessageResult                  Result

	// AAR is the ARC-Authentication-Results as read; nil when unreadable.
	AAR *AuthResults
}

// AuthResults is what an Authentication-Results payload says (RFC 8601).
type AuthResults struct {
	ServID  string // authserv-id; empty when the writer left it out
	Results []MethodResult
}

// MethodResult is one resinfo.
type MethodResult struct {
	Method     string // lower case
	Result     string // lower case
	Reason     string
	Properties []Property
}

// Property is one propspec, e.g. {"header", "from", "example.com"}.
type Property struct{ Type, Name, Value string }

// Value returns the first property ptype.name, or "".
func (m MethodResult) Value(ptype, name string) string {
	for _, p := range m.Properties {
		if p.Type == ptype && p.Name == name {
			return p.Value
		}
	}
	return ""
}

// DMARCPolicy is what a Domain Owner asks for (RFC 9989 section 4.7).
type DMARCPolicy string

// The policies, weakest first. The empty policy means absent.
const (
	PolicyAbsent     DMARCPolicy = ""
	PolicyNone       DMARCPolicy = "none"
	PolicyQuarantine DMARCPolicy = "quarantine"
	PolicyReject     DMARCPolicy = "reject"
)

// Existence says whether the Author Domain exists in DNS (RFC 9989 section 3.2.13).
type Existence string

// The states of Existence.
const (
	ExistenceUnknown Existence = "" // not looked up, or the look-up failed
	Exists           Existence = "exists"
	NonExistent      Existence = "nonexistent" // NXDOMAIN
)

// Discovery is the method that finds record and Organizational Domain.
type Discovery string

// The two methods.
const (
	TreeWalk Discovery = "treewalk" // RFC 9989 section 4.10
	PSL      Discovery = "psl"      // RFC 7489 section 6.6.3
)

// DMARC is the evaluation of one Author Domain.
type DMARC struct {
	AuthorDomain string
	Result       Result // pass, fail, none, temperror, permerror
	Reason       string // constant text of ours

	Discovery    Discovery
	PolicyDomain string // where the record was found; empty when there is none
	OrgDomain    string // Organizational Domain of AuthorDomain; empty if not needed
	// SiteDomain is the name below a public suffix that AuthorDomain belongs to, where
	// the guard of suffixes lets names align below it only, and not below OrgDomain;
	// else empty. OrgDomain and what else is above AuthorDomain align all the same.
	SiteDomain string
	// Looked tells of OrgDomain and Existence whether they were looked up.
	Looked Sections
	// Compared are the identifiers that alignment compared, with their
	// Organizational Domains.
	Compared []Organization
	// TTL is how long Published may be kept, from DNS; 0 when not known.
	TTL       time.Duration
	Existence Existence
	Published DMARCRecord

	// Policy is the effective policy after sp, np and t, before pct.
	// PolicyAbsent when there is no record.
	Policy DMARCPolicy
	// PolicyTag is the tag it came from: "p", "sp" or "np".
	PolicyTag string

	SPFAligned, DKIMAligned bool
	// AlignedDKIM lists indexes into Message.DKIM of passing aligned signatures.
	AlignedDKIM []int
	// AlignedAuthors are the domains of From.Fronts behind this one that are aligned
	// with it in relaxed mode; only with the results fail and temperror.
	AlignedAuthors []string
	// PolicyTemporary: the policy is unknown because of a temporary error; what is
	// in Published and Policy then holds only if the names that did not answer
	// publish nothing. IdentifierTemporary: it is known, and an identifier that
	// would align is unresolved. Both only with Result temperror.
	PolicyTemporary, IdentifierTemporary bool

	// Divergence is what the other discovery method would have said, when it
	// was asked for and differs; nil otherwise.
	Divergence *Divergence
}

// Divergence is the outcome by the other discovery method.
type Divergence struct {
	Discovery               Discovery
	Result                  Result
	PolicyDomain, OrgDomain string
	Policy                  DMARCPolicy
}

// DMARCRecord is the published record that was selected, as parsed.
type DMARCRecord struct {
	Text        string // the record as published
	P, SP, NP   DMARCPolicy
	StrictDKIM  bool   // adkim=s
	StrictSPF   bool   // aspf=s
	Testing     bool   // t=y
	HasTesting  bool   // a valid t tag is present: it wins over pct
	Pct         int    // 0-100; 100 when absent
	PSD         string // "y", "n" or "u"
	FailureOpts string // fo
	RUA, RUF    []string
	// OtherRUA are those of RUA whose host is not the Policy Domain, a name
	// below it, or its Organizational Domain: they have to agree before a
	// report goes there (RFC 9990 section 4).
	OtherRUA []string
	Errors   []string // parse problems, for the report's error element
}

// IPRev is the reverse DNS check (RFC 8601 section 3).
type IPRev struct {
	Result Result   // pass, fail, temperror, permerror
	Names  []string // forward-confirmed names, normalized
	// Unconfirmed are names of the address that do not lead back to it.
	Unconfirmed []string
	Reason      string
}

// Traces are marks in the header that say how the message travelled; they are
// used as corroborating signals only (RFC 9989 section 7.4).
type Traces struct {
	ListID    string // the List-Id's identifier, lower case, without angle brackets
	List      bool   // List-Id, List-Post, List-Unsubscribe or Precedence: list/bulk
	Resent    bool   // any Resent-* field
	Forwarded bool   // X-Forwarded-To, X-Forwarded-For, ...
	ARC       bool   // any ARC field
	Received  int    // number of Received fields
}

// ReportedSPF is the one check that is written to Authentication-Results and
// counts for DMARC: MAIL FROM, or HELO for the null reverse-path (RFC 7208
// section 2.4). It is nil when that identity was not checked.
func (m *Message) ReportedSPF() *SPFCheck {
	if m.MailFrom != "" {
		return m.SPF.MailFrom
	}
	return m.SPF.HELO
}
