// Package sources tells who sends as a domain: from which infrastructure, signed and
// sealed by whom, how much of it passes DMARC and what became of the rest.
//
// It is pure over a stream of records, and its memory is bounded: a flood of forged
// domains or clients ends in a remainder that is counted together.
package sources
