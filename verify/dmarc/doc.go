// Package dmarc evaluates DMARC for one Author Domain: it finds the policy
// record and the Organizational Domain, tells which Authenticated Identifiers
// are aligned, and gives result and effective policy as evidence.
//
// It follows RFC 9989 (DNS Tree Walk) by default and RFC 7489 (Public Suffix
// List) on request; there is no version switch in DNS, so the receiver picks
// the method. One parser reads the records of both.
//
// # Use
//
// Start is called when the header is complete: it asks for what is surely
// needed while the body still comes. Finish is called when SPF and DKIM are
// known. Both belong to one message; different messages are independent.
//
// # Questions
//
// The DNS Tree Walk asks the names of RFC 9989 section 4.10, in order, and no
// others. It goes on past a name that does not answer.
//
// One walk from the Author Domain gives both the policy record and the
// Organizational Domain, and it goes no further than needed. Where the Author
// Domain has its own record, nothing above it is asked, unless a passing
// identifier that differs from it could be aligned in relaxed mode. Even then
// both walks end where the first record decides whether they agree; evidence
// then has no OrgDomain, unless Options.OrgDomain wants it. Walks of different
// identifiers run side by side, and a name is asked once.
//
// Whether a subdomain exists is asked (type A at its own name) only where np
// differs from sp and no other answer has shown that it does.
//
// # Departures and readings
//
//   - A record without p and without a usable rua gives result "none"
//     (section 4.10.1), although section 4.7 reads as p=none; mail is treated
//     alike either way.
//   - A record whose policy makes it unusable still counts as a record for the
//     walk and for the Organizational Domain.
//   - A duplicate p, sp or np with another value makes that tag invalid; of
//     any other duplicate tag the first one counts. RFC 9989 does not say.
//   - With Options.PSLGuard, a record at a single-label name or at a suffix of
//     the ICANN section of the Public Suffix List counts as psd=y unless it
//     says psd=n, so that registrants are never aligned with each other by a
//     careless record of their registry (section 11.8). Records at suffixes of
//     the private section are the policy as ever, but two names below one are
//     aligned only below the one label under it, unless it says psd=n; also
//     where such a suffix lies between one of the names and what they share.
//   - RFC 7489 requires p, as the second tag; its records are read by the
//     rules of RFC 9989 all the same, and np and t are honoured in both
//     methods.
//   - pct is parsed and left to the policy (RFC 9989 Appendix A.6).
//
// # Failures
//
// A bad record or a failing name server is evidence, not an error. A temporary
// failure gives temperror only where the answer could have changed the result:
// PolicyTemporary when the policy is unknown, IdentifierTemporary when an
// identifier that would be aligned is unresolved.
//
// A policy is unknown while any name that the walk needs does not answer. Evidence
// then has the record that would be the policy if such names publish nothing, and an
// identifier that is equal to the Author Domain passes if there is one. Two answers may
// be missing without harm:
//
//   - with the guard, that of a public suffix above a record: it could matter only by
//     psd=n, or instead of a record of a subdomain
//   - that of the very name that is compared with the Author Domain: its holder could
//     publish nothing there just as well
//
// A question refused by the message's own budget is not temporary: the identifier is
// not aligned, and a policy that could not be asked for is permerror.
//
// # Files, by what RFC 9989 has
//
//	section 4.4    align.go     which identifiers are aligned; sameorg.go, with fewer questions
//	section 4.7    record.go    the tags of a record; policy.go: which policy holds; uri.go: rua and ruf
//	section 4.10   walk.go      the DNS Tree Walk; ask.go: its questions; hurry.go: when answers are slow
//	section 11.8   guard.go     careless records of public suffixes
//
// evaluate.go leads through all of it. psl.go is the discovery of RFC 7489; inspect.go and
// lookalike.go show a domain's records to people.
package dmarc
