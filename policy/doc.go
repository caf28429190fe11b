// Package policy decides what is done with a message, and says why.
//
// Decide is pure: it takes what was observed (evidence.Message) and what the
// admin wants (Rules), and the same pair always gives the same Verdict. It
// does no I/O, reads no clock and draws no random numbers; time, sample and
// the first sight of a deferred message are Evidence. The daemon, alignd check
// and the replay of yesterday's mail under other rules all call it.
//
// The standards: RFC 9989 sections 5.4, 7.2, 7.4 and 11.5 (disposition, test
// mode, several Author Domains), RFC 7489 section 6.6.4 (pct), RFC 8617
// sections 7.2 and 9 (use of ARC), RFC 7372 and RFC 7208 section 8.4 (replies),
// RFC 9990 section 3.1.1 (override reasons). RFC 9989 section 7.4 wants p=reject
// alone not to reject; the default here is what the large receivers do (strict)
// and RejectMode Corroborated is the letter of the standard.
//
// The steps, in order; Verdict.Step names the one that decided:
//
//  1. not judged: authenticated and listed clients (exempt.go)
//  2. unusable From (unusable.go)
//  3. exceptions, block entries before allow entries, first match wins (except.go)
//  4. trusted ARC sealers (vouch.go)
//  5. the published policy with t and pct (published.go)
//  6. how it is honoured: per policy, Author Domain, recipient, rollout stage
//     (handle.go, norecord.go, front.go)
//  7. temporary errors, which are never a fail (temperror.go); where one keeps step 3
//     or 4 from letting a message in, that step puts it off
//
// The numbers say which step prevails. The code asks in the other order, because a step
// that prevails changes what the others came to, and needs to know it: an exception
// that allows lowers the outcome of the policy, and says so only where it did. So steps
// 5 to 7 come first, for each Author Domain and each Profile among the recipients, then
// 4 and 3 for each Author Domain, then 2 for the message. Step 1 settles the matter at
// once, and so does a refusal by step 2. Each step is a function that returns a proposal
// and changes nothing.
//
// Four words are kept apart. An action is what the admin writes. The outcome is what
// is done; the disposition (RFC 9989) is what became of the message by it, the
// delivery how the MTA is told. Outcomes are ordered: delivered, tagged, held, put off,
// refused. A lenient proposal lowers the outcome of the policy to at most its own and
// a restrictive one raises what stands to at least its own (standing.join), so an
// allow entry never makes an outcome worse. Several Author Domains and several
// recipients are each judged alone, and the worst outcome holds for all. What a
// trusted relay would have to bounce is replaced in each proposal before it is
// compared (decision.weigh).
//
// A Spec is written by the admin (package config reads it) and turned into
// Rules by Compile, which reports every fault with its file and line. Rules
// are immutable and safe for concurrent use.
//
// # Files
//
//	decide.go      Decide; proposal.go: what a step wants, and the rule of severity
//	finish.go      from what the steps came to to the Verdict; outcome.go: for each Author Domain
//	verdict.go     the Verdict; reply.go: its reply; cause.go: in words for the sender
//	rules.go       Spec, which is what an admin writes
//	compile.go     makes Rules of it; fault.go: its faults
//	condition.go   the conditions of exceptions; value.go, set.go, pattern.go, prefix.go: what they compare
//	exception.go   entries filed for a search; match.go: the search; expiry.go
//	sealer.go      trusted Sealers made ready; sealed.go: what their results say of an Author Domain
//	stage.go       stages of rollouts; stop.go: what stops one
//	audience.go    recipients and their Profiles; identifiers.go: what may be aligned
//	signal.go      signals that corroborate a rejection (RFC 9989 section 7.4)
//	fact.go        facts that were not looked up; needs.go: what verify has to look up for the rules
//	named.go       all names that a verdict can give; shadow.go: entries that decide nothing
//	pseudonym.go   rules for mail whose addresses were kept as pseudonyms
//
// consider.go, considerentry.go and considerrest.go tell a person of each rule why it did not
// match. ways.go and waysin.go tell what would have to be different.
package policy
