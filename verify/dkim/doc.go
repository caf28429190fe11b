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
//	           lets us ignore without computing it. A wrong body is fail also
//	           where the key could not be had for now
//	policy     verified, and then refused: RSA key below 1024 bits (RFC 8301
//	           section 3.2), octets of the body beyond l= (RFC 6376 section
//	           8.2) unless Options.AcceptLength allows them, or one of several
//	           Subject, To, Cc, Date, Reply-To or Content-Type fields left out
//	           (section 8.15) unless Options.AcceptPartlySigned allows it; or
//	           not computed, for what it would cost: RSA key above 4096 bits or
//	           exponent above 65537 with more than 2048 bits
//	neutral    the field or one of its values breaks the grammar (RFC 6376
//	           sections 3.2 and 3.5), duplicate tags included
//	permerror  never computed: required tag missing, another version,
//	           algorithm (rsa-sha1 is one), canonicalization or query method,
//	           i= outside d=, From not signed; key absent, revoked,
//	           malformed, not for this signature, or not asked for because
//	           the message had spent its query budget
//	temperror  the key look-up failed temporarily
//
// A failed signature is as if there were none (RFC 6376 section 6.1), so the
// difference between the last four is for people and reports.
//
// # Choices where the RFC leaves one
//
// Grammar is taken strictly in ARC fields, as the public ARC suite asks for it. In
// DKIM-Signature and key records it is read as most verifiers read it, where what
// a signature covers, and which key serves it, is the same. So these are taken (RFC
// 6376):
//
//   - in any of them: empty tags (";;") and tag names with other characters (section 3.2)
//   - in a signature (section 3.5): empty names in h=; empty t=, x=, l= and c=; white
//     space around the "/" of c=; odd labels in front of d= in i=; a bare "=" in i=
//     (section 2.11)
//   - in a key record (section 3.6.1): v= in any place; an empty h=; octets behind its
//     key; quotation marks; other parameters than NULL and integers that are not DER; CR
//     and LF (section 2.8)
//   - in any of them, ARC fields too: white space after the final semicolon, as every
//     signer's folding may leave some
//
// What is refused says why. Besides:
//
//   - Keywords (a=, c=, q=, k=, h=) compare case-insensitively, being literals of the
//     ABNF; tag names do not.
//   - Octets from 0x80 may stand in any value, as RFC 8616 needs for d=, s= and i=.
//   - A line end is CRLF and nothing else: a bare CR or LF is ordinary text in both
//     canonicalizations.
//   - Where a name has several key records, up to maxKeys that parse are tried; section
//     6.1.2 says the choice is ours.
//   - Record flag t=y changes nothing but Signature.Testing.
//   - Signature.PublicSuffix is set for suffixes in the ICANN section of the Public
//     Suffix List only, not for privately registered ones.
//
// # Files, by what RFC 6376 has
//
//	section 3.2    taglist.go     tag-lists
//	section 3.4    body.go        canonical bodies and their hashes; plain.go: quickly
//	section 3.5    params.go      the tags of a signature; values.go, times.go
//	section 3.6.1  key.go         key records; rsakey.go
//	section 3.7    headerhash.go  canonical fields and their hash
//	section 6.1    verify.go      a signature from its field to its evidence; check.go
//	section 8.15   partly.go      fields of which one copy is signed and another is shown
//
// problem.go says why one does not verify, work.go bounds the arithmetic of a message,
// and inspect.go shows a key to people.
//
// A bad message is never an error: each function reports through result words
// with a constant reason.
package dkim
