// Package send brings aggregate reports to those who want them: it cuts what was counted
// into reports, finds out where each may go, and sends it.
//
// What is counted, cut and on its way lies in package journal/state, so that a restart
// loses nothing and hosts that share a store do not send twice: one of them holds the
// lease. A target is marked before a report leaves, and again when it was taken. Where
// the answer between is lost, the same mail goes once more (equal Message-ID, report id
// and file name); after a second loss it does not.
//
// # Files
//
//	sender.go     what is done when; settings.go: who sends what to whom
//	about.go      what is kept of a report, and what is counted
//	addressee.go  who gets it (RFC 9989 section 4.6); target.go
//	ready.go      whether we may send at all (RFC 9990 section 3.5.2); publish.go: what to
//	              publish for it
//	deliver.go    one mail on its way; transport.go: by SMTP, sendmail.go: by a program; sign.go
//	bounce.go     notifications about reports
//	failures.go   failure reports; holder.go: while they wait
//	limits.go     how much may leave; patience.go: slow DNS of those who want reports
//	health.go     how it goes
package send
