package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Lookuper answers DNS questions. *Resolver asks servers, *Zone a zone file,
// and *Budget limits and records what one message asks.
//
// name is text: labels separated by dots, every other octet literal (no
// presentation-format escapes), with or without a trailing dot, any case; a
// name that DNS cannot carry gets ErrName. qtype is one of dns.TypeTXT, TypeA,
// TypeAAAA, TypeMX and TypePTR.
//
// NXDOMAIN and NODATA are answers, not errors. An error is always an *Error.
// Implementations are safe for concurrent use.
type Lookuper interface {
	Lookup(ctx context.Context, name string, qtype uint16) (*Answer, error)
}

// Answer is a complete answer. It is shared by all who asked and must not be
// changed.
type Answer struct {
	Name  string // the name asked: lower case, no trailing dot
	Type  uint16
	RCode int // dns.RcodeSuccess or dns.RcodeNameError
	// NameExists: the name asked exists in DNS, be it without records of this
	// type; a CNAME there is enough, even when its target is NXDOMAIN.
	NameExists bool

	TXT   []string     // one entry a record, its strings joined (RFC 7208 section 3.3), raw octets
	Addrs []netip.Addr // A or AAAA
	MX    []MX         // in ascending preference
	PTR   []string     // lower case, no trailing dot

	// CNAMEs are the names that aliases led to, in order; the last one holds the
	// records.
	CNAMEs []string
	// TTL is the least on the way, as published; 0 for one that is not known.
	TTL     time.Duration
	Expires time.Time // zero: does not expire

	memo atomic.Pointer[memo]
}

// MX is one mail exchange record. A null MX (RFC 7505) has Host "".
type MX struct {
	Preference uint16
	Host       string // lower case, no trailing dot
}

// Void reports whether the answer has no records of the type asked.
func (a *Answer) Void() bool {
	return len(a.TXT) == 0 && len(a.Addrs) == 0 && len(a.MX) == 0 && len(a.PTR) == 0
}

// NXDomain reports whether the answer was a name error.
func (a *Answer) NXDomain() bool { return a.RCode == dns.RcodeNameError }

// Memo returns parse(a), computed at most a few times for each answer and kept
// as long as the answer is cached; so a record is parsed once for its TTL.
// kind must be a constant of the caller's own type.
func Memo[T any](a *Answer, kind any, parse func(*Answer) T) T {
	var own *memo
	for {
		head := a.memo.Load()
		if m := head.find(kind); m != nil {
			return m.value.(T)
		}
		if own == nil {
			own = &memo{kind: kind, value: parse(a)}
		}
		if own.next = head; a.memo.CompareAndSwap(head, own) {
			return own.value.(T)
		}
	}
}

// memo is one parsed value, in the short list of those of an answer.
type memo struct {
	kind, value any
	next        *memo
}

func (m *memo) find(kind any) *memo {
	for m != nil && m.kind != kind {
		m = m.next
	}
	return m
}

// What an Error wraps.
var (
	// ErrTemporary: SERVFAIL, REFUSED and other RCODEs, a timeout, no server,
	// or an answer with a malformed record.
	ErrTemporary = errors.New("temporary DNS failure")
	// ErrBudget: refused by the message's own budget of queries; not temporary.
	ErrBudget = errors.New("query budget of the message is spent")
	// ErrName: DNS cannot carry the name (too long, empty label).
	ErrName = errors.New("not a DNS name")
)

// Error is what Lookup returns.
type Error struct {
	Name string
	Type uint16
	Err  error // one of the above
	// RCode is the server's ("SERVFAIL"); empty when no usable answer came.
	RCode string
	Why   string

	outcome Outcome // where servers were asked
}

func (e *Error) Error() string {
	return fmt.Sprintf("looking up %s %q: %s", dns.TypeToString[e.Type], e.Name, e.cause())
}

func (e *Error) cause() string {
	if e.Why != "" {
		return e.Err.Error() + ": " + e.Why
	}
	return e.Err.Error()
}

// withoutName says of a question what it was for and why it failed. Its name may hold
// the local part of an address (RFC 7208 section 7.2, macros l and s), which the log has
// only where it is asked for.
func withoutName(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return dns.TypeToString[e.Type] + ": " + e.cause()
}

func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether err is a temporary DNS failure. A spent budget is
// not: the identifier is then simply not authenticated.
func Temporary(err error) bool { return errors.Is(err, ErrTemporary) }
func temporary(k key, why string) *Error {
	return &Error{Name: k.name, Type: k.qtype, Err: ErrTemporary, Why: why}
}

// failed is temporary for an error that may be a server's RCODE.
func failed(ctx context.Context, k key, err error) *Error {
	e := temporary(k, err.Error()).because(ctx, outcomeOf(err))
	if code := errRCode(0); errors.As(err, &code) {
		e.RCode = code.Error()
	}
	return e
}
