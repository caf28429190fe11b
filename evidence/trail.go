package evidence

import (
	"net/netip"
	"time"
)

// Hop is one Received field, read for the hosts it names (RFC 5321 section
// 4.4). Anyone can write one, so it proves nothing but behind a trusted relay.
// It holds hosts and addresses only: no local part, no "for".
type Hop struct {
	From string     `cbor:"1,keyasint,omitempty"` // what follows "from": the HELO name, as written; of an address without the local part
	Addr netip.Addr `cbor:"2,keyasint,omitzero"`  // the client's address; invalid when none was read
	By   string     `cbor:"3,keyasint,omitempty"` // the host that wrote the field
	With string     `cbor:"4,keyasint,omitempty"` // how it came: smtp, lmtp, login, mailbox, other; empty where it is not said
	Time time.Time  `cbor:"5,keyasint,omitzero"`  // zero when it could not be read
	// Queued: the field only tells that the message went on inside the host after
	// it came by SMTP; the field below is by the same writer.
	Queued bool `cbor:"7,keyasint,omitempty"`
	// Socket: it came from another process of the same host, without address.
	Socket bool `cbor:"8,keyasint,omitempty"`
	// Problem says why Addr was not read; constant text of ours.
	Problem string `cbor:"6,keyasint,omitempty"`
}

// FailedQuestion is a DNS question without an answer.
type FailedQuestion struct {
	Name string `cbor:"1,keyasint,omitempty"` // lower case, without trailing dot; may hold any octet
	Type string `cbor:"2,keyasint,omitempty"` // "TXT"
	// RCode is the response code ("SERVFAIL"); empty where no answer came.
	RCode string `cbor:"3,keyasint,omitempty"`
	// Why is the cause in words, for those without RCode: silence, budget.
	Why string `cbor:"4,keyasint,omitempty"`
}

// SPFTerm is a place in an SPF record: the directive or modifier that was
// reached, from the record of the checked domain down to the one that decided.
type SPFTerm struct {
	Domain string `cbor:"1,keyasint,omitempty"` // whose record holds it
	Number int    `cbor:"2,keyasint,omitempty"` // of the term among those of the record, from 1
	Term   string `cbor:"3,keyasint,omitempty"` // as published
}

// Failure says which part of a signature did not hold.
type Failure string

// The parts of a signature (RFC 6376 section 6.1). The empty Failure means
// that all of them held, or that the signature was not looked at.
const (
	FailedNothing   Failure = ""
	FailedSyntax    Failure = "syntax"    // the field cannot be read, or asks for what we do not do
	FailedKey       Failure = "key"       // missing, revoked, unreadable, not for this use, too weak or too large
	FailedDNS       Failure = "dns"       // the key could not be had for now
	FailedBody      Failure = "body"      // the body was changed
	FailedHeader    Failure = "header"    // a signed header field was changed, or the key is another one
	FailedTime      Failure = "time"      // expired, or signed in the future
	FailedCoverage  Failure = "coverage"  // it leaves out something that it must cover
	FailedTransport Failure = "transport" // the MTA did not hand on what a simple signature covers
)

// Organization is an identifier that alignment compared and the
// Organizational Domain that was found for it (RFC 9989 section 4.10.2).
type Organization struct {
	Domain    string `cbor:"1,keyasint,omitempty"`
	OrgDomain string `cbor:"2,keyasint,omitempty"`
}
