// Package authres reads, strips and writes Authentication-Results (RFC 8601)
// and its siblings ARC-Authentication-Results (RFC 8617 section 4.1.1) and
// Received-SPF (RFC 7208 section 9.1). It is the only place that lets text from
// outside into a header field.
//
// Parse and ParseSealed take fields as they are met in the wild: comments, quoted
// strings, folds, version tokens, the missing authserv-id and the properties
// without a ptype that Microsoft writes. Own decides which received fields claim
// to be ours and must go. Header renders a field of ours.
//
// What is departed from, on purpose:
//
//   - Reading: a result that is not well-formed is left out, the others are
//     kept; an unterminated comment or quoted string makes the whole field
//     unreadable, because then nobody can tell where a result ends.
//   - Reading: unquoted values may hold any printable octet but white space, ";",
//     "(" and the quote: many writers leave "/", ":" and "=" unquoted.
//   - Writing: octets that cannot be shown are replaced by "?", never removed, as
//     removing could turn one domain into another; values that are cut end in
//     "..." for the same reason.
//   - Writing: in a quoted property value a text such as dmarc=pass gets a
//     backslash before "=" (a quoted-pair, which means the same), so that a
//     filter which searches the raw field for it is not deceived. Comments and
//     reasons, which are for people, hold no quoted-pair at all: such an "=" is a
//     colon there, and quotes and brackets are others that look alike.
//
// Everything works in time linear in the length of its input. All functions are
// safe for concurrent use.
package authres

import (
	"errors"

	"alignd/evidence"
)

// FieldName is the name of the field that Header renders.
const FieldName = "Authentication-Results"

// Unnamed is the authserv-id of a Header that has none, as the field must not go
// without.
const Unnamed = "localhost"

// Header is one Authentication-Results field of ours.
type Header struct {
	// ServID is the authserv-id (RFC 8601 section 2.5); empty is Unnamed.
	ServID string
	// Results are written in this order; with none the field says "none".
	Results []Result
}

// Result is one resinfo to be written. Method and Value must be keywords
// (letters, digits, hyphens that do not end it); a Result where they are not is
// left out, and so is a property whose type or name is not. Everything else may
// hold any octets.
type Result struct {
	Method, Value string
	// Comment stands behind the result, for people; Reason is read by machines.
	Comment, Reason string
	Props           []evidence.Property
}

// Limits of the reader. A field that is beyond them is not read at all. The
// numbers are ours; MTAs cut a field at about 60,000 octets.
const (
	maxField      = 64 << 10 // octets of one field value
	maxResults    = 256      // results of one field
	maxProperties = 64       // properties of one result
)

// Errors of Parse and ParseSealed.
var (
	errSyntax   = errors.New("not an Authentication-Results payload")
	errVersion  = errors.New("unsupported Authentication-Results version")
	errTooLarge = errors.New("Authentication-Results field over the limit")
	errInstance = errors.New("ARC-Authentication-Results without a valid i= in front")
)
