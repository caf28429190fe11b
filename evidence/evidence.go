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
//
// The number in a field's tag is its place in the encoding of package record.
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
	Peer netip.Addr `cbor:"1,keyasint,omitzero"`
	// PeerName is the MTA's name for Peer, unverified; "[addr]" when unknown.
	PeerName string `cbor:"2,keyasint,omitempty"`
	// Port is Peer's TCP port; 0 when it is not known.
	Port uint16 `cbor:"3,keyasint,omitempty"`
	// HELO is the argument of HELO or EHLO, as received.
	HELO string `cbor:"4,keyasint,omitempty"`
	// Original is the client found behind trusted relays; invalid when Peer
	// is not a trusted relay. SPF, iprev and DMARC use IP(), which prefers it.
	Original netip.Addr `cbor:"5,keyasint,omitzero"`
	// OriginalHELO is the HELO name that goes with Original, if known.
	OriginalHELO string `cbor:"6,keyasint,omitempty"`
	// Relay is the configured id of the trusted relay that Peer is.
	Relay string `cbor:"7,keyasint,omitempty"`
	// Hops counts the trusted hops that were skipped to find Original.
	Hops int `cbor:"8,keyasint,omitempty"`
	// Began is the trusted host behind the relay where the message began: no
	// Received field stands below the one that names it. Invalid when that was
	// inside a host, or Original or RelayProblem is set.
	Began netip.Addr `cbor:"11,keyasint,omitzero"`
	// RelayProblem says why the original client was not found behind a
	// trusted relay; empty when it was found, or nothing was to be found.
	RelayProblem string `cbor:"9,keyasint,omitempty"`
	// Unknown: the original client was not found, and Peer must not stand in
	// for it, so IP and HELOName give nothing.
	Unknown bool `cbor:"10,keyasint,omitempty"`
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
	Address string `cbor:"1,keyasint,omitempty"`
}

// Message is everything observed about one message.
type Message struct {
	Schema int `cbor:"1,keyasint,omitempty"` // SchemaVersion
	// Token names the message for people and in replies: unique over all
	// hosts and times, unlike the queue id, which an MTA uses again.
	Token   string    `cbor:"2,keyasint,omitempty"`
	QueueID string    `cbor:"3,keyasint,omitempty"` // the MTA's; may be empty
	Time    time.Time `cbor:"4,keyasint,omitzero"`  // when MAIL FROM came
	MTA     string    `cbor:"5,keyasint,omitempty"` // the MTA's own name, macro {j}
	Client  Client    `cbor:"6,keyasint,omitzero"`
	// Looked is what was looked at; see Has.
	Looked Sections `cbor:"7,keyasint,omitempty"`

	// AuthUser is the SASL login name ({auth_authen}); AuthType its mechanism.
	// A message is authenticated when AuthType or AuthUser is not empty.
	AuthUser string `cbor:"8,keyasint,omitempty"`
	AuthType string `cbor:"9,keyasint,omitempty"`

	MailFrom       string `cbor:"10,keyasint,omitempty"` // reverse-path without angle brackets; empty for <>
	MailFromDomain string `cbor:"11,keyasint,omitempty"` // normalized; empty for <> or when unusable
	// MailArgs are the ESMTP arguments of MAIL FROM as received: "SMTPUTF8",
	// "BODY=8BITMIME", "RET=HDRS", "ENVID=..." (RFC 3461, 6152, 6531).
	MailArgs   []string    `cbor:"12,keyasint,omitempty"`
	Recipients []Recipient `cbor:"13,keyasint,omitempty"`

	From From        `cbor:"14,keyasint,omitempty"` // RFC5322.From
	SPF  SPF         `cbor:"15,keyasint,omitempty"`
	DKIM []Signature `cbor:"16,keyasint,omitempty"` // in header order, topmost first
	// DKIMSkipped counts signatures above the limit that were not tried.
	DKIMSkipped int `cbor:"17,keyasint,omitempty"`
	ARC         ARC `cbor:"18,keyasint,omitempty"`
	// DMARC has one evaluation for each distinct Author Domain, in the order
	// of From.Domains; it is empty when From gave none.
	DMARC []DMARC `cbor:"19,keyasint,omitempty"`
	IPRev IPRev   `cbor:"20,keyasint,omitempty"`

	Traces    Traces `cbor:"21,keyasint,omitempty"`
	Received  []Hop  `cbor:"22,keyasint,omitempty"` // topmost first, at most MaxHops
	MessageID string `cbor:"23,keyasint,omitempty"` // the Message-ID field's value, unfolded; as received

	// Key names the message over its retries and hosts (HMAC with the site's
	// secret); zero when it was not computed.
	Key [32]byte `cbor:"24,keyasint,omitzero"`
	// Sample is the message's place 0-99 for pct and rollout percentages
	// (HMAC, equal on each retry); -1 when it was not computed.
	Sample int `cbor:"25,keyasint,omitempty"`
	// FirstSeen is since when this very message has been put off for all of its
	// recipients; zero where it is new for one of them.
	FirstSeen time.Time `cbor:"26,keyasint,omitzero"`
	// Deferrals is how often it was put off since then, the least of its recipients.
	Deferrals int `cbor:"31,keyasint,omitempty"`

	Size     int64         `cbor:"27,keyasint,omitempty"` // octets of header and body as received from the MTA
	Elapsed  time.Duration `cbor:"28,keyasint,omitempty"`
	Problems []string      `cbor:"29,keyasint,omitempty"` // what was cut short, e.g. "query budget spent"
	// Failed are the DNS questions that got no answer, at most MaxFailed.
	Failed []FailedQuestion `cbor:"30,keyasint,omitempty"`
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
	Fields  int      `cbor:"1,keyasint,omitempty"` // number of From fields
	Domains []string `cbor:"2,keyasint,omitempty"` // distinct Author Domains of all fields, in order
	// Partial are those of Domains that nobody wrote: where white space or a comment
	// stands within a domain, what a reader takes it for who stops there.
	Partial []string `cbor:"3,keyasint,omitempty"`
	// Fronts are those of Domains that stand only in an unquoted address in front
	// of an angle address, as ticket systems write it.
	Fronts []FrontDomain `cbor:"6,keyasint,omitempty"`
	// Sole: From is unparsable, but no reader can show another domain than the one of
	// Domains, so its result is that of the message.
	Sole    bool        `cbor:"7,keyasint,omitempty"`
	Problem FromProblem `cbor:"4,keyasint,omitempty"`
	Detail  string      `cbor:"5,keyasint,omitempty"` // one sentence; may quote outside text
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
	Domain string   `cbor:"1,keyasint,omitempty"`
	Angles []string `cbor:"2,keyasint,omitempty"` // the domains of the angle addresses
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
	Identity SPFIdentity `cbor:"1,keyasint,omitempty"`
	Domain   string      `cbor:"2,keyasint,omitempty"` // the domain checked; as received when it is unusable
	Result   Result      `cbor:"3,keyasint,omitempty"`
	// Mechanism is the directive that matched, as published, and
	// MechanismDomain the domain whose record holds it (an include's target,
	// say). Empty when no directive decided.
	Mechanism       string `cbor:"4,keyasint,omitempty"`
	MechanismDomain string `cbor:"5,keyasint,omitempty"`
	// Wide: the pass rests on "all", or on a network wider than /8 (IPv6: /24),
	// so the domain authorizes about everybody. The result stays what RFC 7208
	// says.
	Wide bool `cbor:"12,keyasint,omitempty"`
	// Explanation is the expanded exp= text of a fail: US-ASCII, printable.
	Explanation string `cbor:"6,keyasint,omitempty"`
	Reason      string `cbor:"7,keyasint,omitempty"` // why, for errors and for none
	// Record is the SPF record of Domain as published; empty when there is none.
	Record string `cbor:"8,keyasint,omitempty"`
	// Path leads from Record to the term that decided, through includes and
	// redirects; empty when no term did.
	Path    []SPFTerm `cbor:"9,keyasint,omitempty"`
	Lookups int       `cbor:"10,keyasint,omitempty"` // terms that caused DNS questions
	Voids   int       `cbor:"11,keyasint,omitempty"` // void lookups
}

// SPF holds both identities; nil means not looked up.
type SPF struct {
	MailFrom *SPFCheck `cbor:"1,keyasint,omitempty"`
	HELO     *SPFCheck `cbor:"2,keyasint,omitempty"`
}

// Signature is one DKIM-Signature field (RFC 6376 section 3.5).
type Signature struct {
	Result   Result  `cbor:"1,keyasint,omitempty"`
	Reason   string  `cbor:"2,keyasint,omitempty"` // constant text of ours; empty on a plain pass
	FailedOn Failure `cbor:"3,keyasint,omitempty"`
	Domain   string  `cbor:"4,keyasint,omitempty"` // SDID (d=), normalized; as received when it is unusable
	Selector string  `cbor:"5,keyasint,omitempty"` // s=
	// Identity is AUID (i=) with quoted-printable decoded, default "@"+SDID.
	Identity  string `cbor:"6,keyasint,omitempty"`
	Algorithm string `cbor:"7,keyasint,omitempty"` // a=, lower case
	B         string `cbor:"8,keyasint,omitempty"` // b= without white space, for header.b and comparison
	// HeaderCanon and BodyCanon are "simple" or "relaxed".
	HeaderCanon   string    `cbor:"9,keyasint,omitempty"`
	BodyCanon     string    `cbor:"10,keyasint,omitempty"`
	SignedHeaders []string  `cbor:"11,keyasint,omitempty"` // h=, lower case
	Signed        time.Time `cbor:"12,keyasint,omitzero"`
	Expires       time.Time `cbor:"13,keyasint,omitzero"`
	// Length is l=, or -1; Unsigned the octets of the canonical body beyond it.
	Length   int64 `cbor:"14,keyasint,omitempty"`
	Unsigned int64 `cbor:"15,keyasint,omitempty"`
	KeyBits  int   `cbor:"16,keyasint,omitempty"`
	// KeyCNAMEs are the names that aliases led to from the selector's name to
	// the key, in order (RFC 6376 section 3.6.2.1 allows them).
	KeyCNAMEs []string `cbor:"17,keyasint,omitempty"`
	// KeyHash is the SHA-256 of the key record's text; zero without one.
	KeyHash [32]byte `cbor:"18,keyasint,omitzero"`
	// Testing is the key's t=y flag: a failure counts no worse than no signature.
	Testing bool `cbor:"19,keyasint,omitempty"`
	// PublicSuffix: SDID is a public suffix, so it aligns by equality only.
	PublicSuffix bool `cbor:"20,keyasint,omitempty"`
}

// ARC is the validation of the chain (RFC 8617 section 5.2).
type ARC struct {
	Result Result `cbor:"1,keyasint,omitempty"` // none, pass or fail
	Reason string `cbor:"2,keyasint,omitempty"` // constant text of ours
	// Temporary: the chain's only failure was a temporary DNS error, or that the MTA
	// did not hand on what a simple signature covers.
	Temporary  bool     `cbor:"3,keyasint,omitempty"`
	Instances  int      `cbor:"4,keyasint,omitempty"`
	OldestPass int      `cbor:"5,keyasint,omitempty"`
	Sets       []ARCSet `cbor:"6,keyasint,omitempty"` // by instance, 1 first; filled as far as it could be read
}

// ARCSet is one ARC Set.
type ARCSet struct {
	Instance int `cbor:"1,keyasint,omitempty"`

	SealDomain   string `cbor:"2,keyasint,omitempty"` // d= of ARC-Seal
	SealSelector string `cbor:"3,keyasint,omitempty"` // s=
	SealCV       string `cbor:"4,keyasint,omitempty"` // cv=
	SealResult   Result `cbor:"5,keyasint,omitempty"` // of the signature; NotChecked when not reached

	MessageDomain   string `cbor:"6,keyasint,omitempty"` // d= of ARC-Message-Signature
	MessageSelector string `cbor:"7,keyasint,omitempty"` // s=
	MessageResult   Result `cbor:"8,keyasint,omitempty"`

	// AAR is the ARC-Authentication-Results as read; nil when unreadable.
	AAR *AuthResults `cbor:"9,keyasint,omitempty"`
}

// AuthResults is what an Authentication-Results payload says (RFC 8601).
type AuthResults struct {
	ServID  string         `cbor:"1,keyasint,omitempty"` // authserv-id; empty when the writer left it out
	Results []MethodResult `cbor:"2,keyasint,omitempty"`
}

// MethodResult is one resinfo.
type MethodResult struct {
	Method     string     `cbor:"1,keyasint,omitempty"` // lower case
	Result     string     `cbor:"2,keyasint,omitempty"` // lower case
	Reason     string     `cbor:"3,keyasint,omitempty"`
	Properties []Property `cbor:"4,keyasint,omitempty"`
}

// Property is one propspec, e.g. {"header", "from", "example.com"}.
type Property struct {
	Type  string `cbor:"1,keyasint,omitempty"`
	Name  string `cbor:"2,keyasint,omitempty"`
	Value string `cbor:"3,keyasint,omitempty"`
}

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
	AuthorDomain string `cbor:"1,keyasint,omitempty"`
	Result       Result `cbor:"2,keyasint,omitempty"` // pass, fail, none, temperror, permerror
	Reason       string `cbor:"3,keyasint,omitempty"` // constant text of ours

	Discovery    Discovery `cbor:"4,keyasint,omitempty"`
	PolicyDomain string    `cbor:"5,keyasint,omitempty"` // where the record was found; empty when there is none
	OrgDomain    string    `cbor:"6,keyasint,omitempty"` // Organizational Domain of AuthorDomain; empty if not needed
	// SiteDomain is the name below a public suffix that AuthorDomain belongs to, where
	// the guard of suffixes lets names align below it only, and not below OrgDomain;
	// else empty. OrgDomain and what else is above AuthorDomain align all the same.
	SiteDomain string `cbor:"20,keyasint,omitempty"`
	// Looked tells of OrgDomain and Existence whether they were looked up.
	Looked Sections `cbor:"7,keyasint,omitempty"`
	// Compared are the identifiers that alignment compared, with their
	// Organizational Domains.
	Compared []Organization `cbor:"8,keyasint,omitempty"`
	// TTL is how long Published may be kept, from DNS; 0 when not known.
	TTL       time.Duration `cbor:"9,keyasint,omitempty"`
	Existence Existence     `cbor:"10,keyasint,omitempty"`
	Published DMARCRecord   `cbor:"11,keyasint,omitempty"`

	// Policy is the effective policy after sp, np and t, before pct.
	// PolicyAbsent when there is no record.
	Policy DMARCPolicy `cbor:"12,keyasint,omitempty"`
	// PolicyTag is the tag it came from: "p", "sp" or "np".
	PolicyTag string `cbor:"13,keyasint,omitempty"`

	SPFAligned  bool `cbor:"14,keyasint,omitempty"`
	DKIMAligned bool `cbor:"15,keyasint,omitempty"`
	// AlignedDKIM lists indexes into Message.DKIM of passing aligned signatures.
	AlignedDKIM []int `cbor:"16,keyasint,omitempty"`
	// AlignedAuthors are the domains of From.Fronts behind this one that are aligned
	// with it in relaxed mode; only with the results fail and temperror.
	AlignedAuthors []string `cbor:"21,keyasint,omitempty"`
	// PolicyTemporary: the policy is unknown because of a temporary error; what is
	// in Published and Policy then holds only if the names that did not answer
	// publish nothing. IdentifierTemporary: it is known, and an identifier that
	// would align is unresolved. Both only with Result temperror.
	PolicyTemporary     bool `cbor:"17,keyasint,omitempty"`
	IdentifierTemporary bool `cbor:"18,keyasint,omitempty"`

	// Divergence is what the other discovery method would have said, when it
	// was asked for and differs; nil otherwise.
	Divergence *Divergence `cbor:"19,keyasint,omitempty"`
}

// Divergence is the outcome by the other discovery method.
type Divergence struct {
	Discovery    Discovery   `cbor:"1,keyasint,omitempty"`
	Result       Result      `cbor:"2,keyasint,omitempty"`
	PolicyDomain string      `cbor:"3,keyasint,omitempty"`
	OrgDomain    string      `cbor:"4,keyasint,omitempty"`
	Policy       DMARCPolicy `cbor:"5,keyasint,omitempty"`
}

// DMARCRecord is the published record that was selected, as parsed.
type DMARCRecord struct {
	Text        string      `cbor:"1,keyasint,omitempty"` // the record as published
	P           DMARCPolicy `cbor:"2,keyasint,omitempty"`
	SP          DMARCPolicy `cbor:"3,keyasint,omitempty"`
	NP          DMARCPolicy `cbor:"4,keyasint,omitempty"`
	StrictDKIM  bool        `cbor:"5,keyasint,omitempty"`  // adkim=s
	StrictSPF   bool        `cbor:"6,keyasint,omitempty"`  // aspf=s
	Testing     bool        `cbor:"7,keyasint,omitempty"`  // t=y
	HasTesting  bool        `cbor:"8,keyasint,omitempty"`  // a valid t tag is present: it wins over pct
	Pct         int         `cbor:"9,keyasint,omitempty"`  // 0-100; 100 when absent
	PSD         string      `cbor:"10,keyasint,omitempty"` // "y", "n" or "u"
	FailureOpts string      `cbor:"11,keyasint,omitempty"` // fo
	RUA         []string    `cbor:"12,keyasint,omitempty"`
	RUF         []string    `cbor:"13,keyasint,omitempty"`
	// OtherRUA are those of RUA whose host is not the Policy Domain, a name
	// below it, or its Organizational Domain: they have to agree before a
	// report goes there (RFC 9990 section 4).
	OtherRUA []string `cbor:"14,keyasint,omitempty"`
	Errors   []string `cbor:"15,keyasint,omitempty"` // parse problems, for the report's error element
}

// IPRev is the reverse DNS check (RFC 8601 section 3).
type IPRev struct {
	Result Result   `cbor:"1,keyasint,omitempty"` // pass, fail, temperror, permerror
	Names  []string `cbor:"2,keyasint,omitempty"` // forward-confirmed names, normalized
	// Unconfirmed are names of the address that do not lead back to it.
	Unconfirmed []string `cbor:"3,keyasint,omitempty"`
	Reason      string   `cbor:"4,keyasint,omitempty"`
}

// Traces are marks in the header that say how the message travelled; they are
// used as corroborating signals only (RFC 9989 section 7.4).
type Traces struct {
	ListID    string `cbor:"1,keyasint,omitempty"` // the List-Id's identifier, lower case, without angle brackets
	List      bool   `cbor:"2,keyasint,omitempty"` // List-Id, List-Post, List-Unsubscribe or Precedence: list/bulk
	Resent    bool   `cbor:"3,keyasint,omitempty"` // any Resent-* field
	Forwarded bool   `cbor:"4,keyasint,omitempty"` // X-Forwarded-To, X-Forwarded-For, ...
	ARC       bool   `cbor:"5,keyasint,omitempty"` // any ARC field
	Received  int    `cbor:"6,keyasint,omitempty"` // number of Received fields
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
