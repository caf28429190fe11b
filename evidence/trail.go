package evidence

import (
	"net/netip"
	"time"
)

// Hop is one Received field, read for the hosts it names (RFC 5321 section
// 4.4). Anyone can write one, so it proves nothing but behind a trusted relay.
// It holds hosts and addresses only: no local part, no "for".
type Hop struct {
	From string     // what follows "from": the HELO name, as written
	Addr netip.Addr // the client's address; invalid when none was read
	By   string     // the host that wrote the field
	With string     // how it came: smtp, lmtp, login, mailbox, other; empty where it is not said
	Time time.Time  // zero when it could not be read
	// Queued: the field only tells that the message went on inside the host after
	// it came by SMTP; the field below is by the same writer.
	Queued bool
	// Socket: it came from another process of the same host, without address.
	Socket bool
	// Problem says why Addr was not read; constant text of ours.
	Problem string
}

// FailedQuestion is a DNS question without an answer.
type FailedQuestion struct {
	Name string // lower case, without trailing dot; may hold any octet
	Type string // "TXT"
	// RCode is the response code ("SERVFAIL"); empty where no answer came.
	RCode string
	// Why is the cause in words, for those without RCode: silence, budget.
	Why string
}

// SPFTerm is a place in an SPF record: the directive or modifier that was
// reached, from the record of the checked domain down to the one that decided.
type SPFTerm struct {
	Domain string // whose record holds it
	Number int    // of the term among those of the record, from 1
	Term   string // as published
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
	Domain, OrgDomain string
}
