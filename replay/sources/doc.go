// Package sources tells who sends as a domain: from which infrastructure, signed and
// sealed by whom, how much of it passes DMARC and what became of the rest. For failing
// mail that is honest beyond doubt it suggests the entry that lets it in, and measures
// what the entry does.
//
// It is pure over a stream of records, and its memory is bounded: a flood of forged
// domains or clients ends in a remainder that is counted together.
//
// # When a source is honest
//
// A forger can have all that a domain of his own gives: signatures and SPF that pass, a
// confirmed reverse name, a List-Id, ARC chains that claim whatever he likes, and steady
// mail over weeks. He can send on mail that the Author Domain signed, with a signature of
// his own beside it, so even mail that passes DMARC proves nothing of who brought it. He
// may be a customer of the vendor that the Domain Owner uses. So a suggestion rests on
// what only the Domain Owner or the admin can say:
//
//   - The source's signature came on mail that passes DMARC by SPF, from the same address,
//     and the owner's own SPF record lists that address, or DNS of the Author Domain names
//     the signer. The entry holds for these addresses.
//   - DNS of the Author Domain names the signer (SPF include, CNAME of a key), and mail
//     with that signature and the same MAIL FROM domain passes DMARC.
//   - The admin names the signer or sealer: Options.Trust.
//
// In each case it is refused where others use the same signer: then their customers could
// use the entry, too. Each entry asks for two proofs at once, as a signature or seal alone
// holds again when somebody sends the message once more.
package sources
