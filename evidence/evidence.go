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

// NetworkOf is the network that a client is counted with: /24 or /48; the zero Prefix
// for an invalid address.
func NetworkOf(ip netip.Addr) netip.Prefix {
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, _ := ip.WithZone("").Prefix(bits) // of an invalid address the zero Prefix
	return p
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

	// Stopped are the stages of a rollout that were stopped at that time, by their ids.
	Stopped []string `cbor:"32,keyasint,omitempty"`

	// Incumbents are what the filters of compare_with wrote, one for each of its ids;
	// none where that option is empty or the message was not checked.
	Incumbents []Incumbent `cbor:"33,keyasint,omitempty"`

	Size     int64         `cbor:"27,keyasint,omitempty"` // octets of header and body as received from the MTA
	Elapsed  time.Duration `cbor:"28,keyasint,omitempty"`
	Problems []string      `cbor:"29,keyasint,omitempty"` // what was cut short, e.g. "query budget spent"
	// Failed are the DNS questions that got no answer, at most MaxFailed.
	Failed []FailedQuestion `cbor:"30,keyasint,omitempty"`
}

// BudgetSpent begins the entry of Problems that tells of questions that were not asked.
const BudgetSpent = "query budget spent"

// Most entries that are kept of what a sender can make long; ours.
const (
	MaxHops   = 50
	MaxFailed = 20
)

// Has reports whether all of the sections were looked at. It knows those of a
// Message; a DMARC evaluation has its own Looked.
func (m *Message) Has(s Sections) bool { return m.All().Has(s) }

// All are the sections that were looked at: Looked, and those whose own values say so.
func (m *Message) All() Sections {
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
	return found
}

// Authenticated reports whether the client logged in.
func (m *Message) Authenticated() bool { return m.AuthUser != "" || m.AuthType != "" }

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
