// Package arc validates the Authenticated Received Chain of a message (RFC
// 8617 section 5.2) on the core of package dkim: the same parser, keys and
// body hashes.
//
// Start is called at the end of the header, Finish after the body. The outcome
// is none, pass or fail; every error is a permanent fail (section 5.2.1), and
// evidence.ARC.Reason says which. Two things are kept apart all the same: each
// set's own results, and Temporary, which says that nothing but a temporary
// DNS failure was in the way.
//
// The keys of the newest set are asked for while the body comes, those of older
// sets, at once, when the newest set holds, so that a forged chain costs two
// questions and three signatures. Verification is linear in the header: seals are
// hashed in one pass over the chain, as the input of one is the beginning of the
// input of the next, and the body is hashed once. dkim.MaxWork bounds the RSA
// arithmetic of a chain.
//
// # Choices where the RFC leaves one
//
// The grammar is that of DKIM, taken strictly. One thing is let through, as all
// validators and the public ARC suite do: an empty name in h=.
//
//   - The chain fails where a seal or the newest ARC-Message-Signature has a duplicate
//     or missing tag, an unknown algorithm, or an h= that lacks From (RFC 6376 section
//     5.4), and where any ARC-Message-Signature names ARC-Seal (RFC 8617 section 4.1.2).
//   - The newest ARC-Message-Signature also fails when it has expired or l= leaves
//     octets unsigned. Whatever else is wrong with an older one counts for oldest-pass
//     only (section 5.2 step 5.A).
//   - An ARC-Message-Signature without c= is simple/simple. Where that does not verify,
//     relaxed/relaxed is tried for the newest set: it was the default in the drafts that
//     early sealers were written from.
//   - An ARC-Authentication-Results must begin with its instance. Whether the rest of it
//     can be read does not matter to validation.
//   - t= of a seal is not compared with the clock. d= and s= of a set's two signatures
//     need not be equal.
package arc
