// Package send brings aggregate reports to those who want them: it cuts what was counted
// into reports, finds out where each may go, and sends it.
//
// What is counted, cut and on its way lies in package journal/state, so that a restart
// loses nothing and hosts that share a store do not send twice: one of them holds the
// lease. A target is marked before a report leaves, and again when it was taken. Where
// the answer between is lost, the same mail goes once more (equal Message-ID, report id
// and file name); after a second loss it does not.
package send
