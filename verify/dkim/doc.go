// Package dkim verifies DKIM signatures (RFC 6376, updated by RFC 8301, 8463
// and 8616) while the message streams by, and is the core that ARC validation
// stands on.
//
// Start is called at the end of the header: it parses every DKIM-Signature,
// makes the checks that need no DNS, asks for the keys side by side and checks
// the header signatures as keys come in. The body goes to a Body, which
// canonicalizes it once for each canonicalization in use, whoever asked. Finish
// waits for the keys, compares the body hashes and returns one
// evidence.Signature for each field, topmost first.
//
// # Result words
//
// RFC 6376 section 6.1 knows success, PERMFAIL and TEMPFAIL; RFC 8601 section
// 2.7.1 has more words. They are used so:
//
//	pass       header and body verified, nothing below applies
//	fail       computed, and the header, the body or both did not verify; or
//	           the canonical body is shorter than l=; or the signature has
//	           expired (x=) or comes from the future (t=), which section 3.5
//	           lets us ignore without computing it
//	policy     verified, and then refused: RSA key below 1024 bits (RFC 8301
//	           section 3.2), or octets of the body beyond l= (RFC 6376 section
//	           8.2) unless Options.AcceptLength allows them
//	neutral    the field or one of its values breaks the grammar (RFC 6376
//	           sections 3.2 and 3.5), duplicate tags included
//	permerror  never computed: required tag missing, another version,
//	           algorithm (rsa-sha1 is one), canonicalization or query method,
//	           i= outside d=, From not signed; key absent, revoked,
//	           malformed, not for this signature, above 8192 bits, or not
//	           asked for because the message had spent its query budget
//	temperror  the key look-up failed temporarily
//
// A failed signature is as if there were none (RFC 6376 section 6.1), so the
// difference between the last four is for people and reports.
//
// # Choices where the RFC leaves one
//
// Grammar is taken strictly (RFC 6376 section 3.2), but white space after the
// final semicolon is let through, as every signer's folding may leave some.
// Keywords (a=, c=, q=, k=, h=) compare case-insensitively, being literals of
// the ABNF; tag names do not. Octets from 0x80 may stand in any value, as
// RFC 8616 needs for d=, s= and i=. A line end is CRLF and nothing else: a
// bare CR or LF is ordinary text in both canonicalizations. Where a name has
// several key records, up to MaxKeys that parse are tried; section 6.1.2 says
// the choice is ours. Record flag t=y changes nothing but Signature.Testing.
// Signature.PublicSuffix is set for suffixes in the ICANN section of the
// Public Suffix List only, not for privately registered ones.
//
// A bad message is never an error: each function reports through result words
// with a constant reason.
package dkim
