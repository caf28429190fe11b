// Package milter is the server side of the milter protocol (versions 2 to 6),
// as Postfix and Sendmail speak it. It knows frames, negotiation, order, limits
// and deadlines; it knows nothing of mail authentication.
//
// # How it is used
//
// A Server is made with New, fed with listeners through Serve, and ended with
// Shutdown. For each SMTP session of the MTA it asks Options.Handler for a
// Session, and calls that Session's methods in the order of the SMTP
// transaction, always from one goroutine. The Session answers only at end of
// message, with a Response: edits of the header and one Reply. Everything
// before that is observed, not answered.
//
// # What it promises
//
//   - Memory is bounded: a frame's length is checked before memory is taken for
//     it, memory follows the octets that came and not those announced, number
//     and size of header fields and recipients are limited, and a body is handed
//     on in the chunks it came in. A session between two messages keeps a
//     buffer of 4 KiB.
//   - No message passes unjudged. A message over a limit is refused with
//     Options.OnLimit at its end, whatever the Session would have said. A panic
//     in a Session is logged with queue id and stack, its message gets
//     Options.OnPanic, and the next message gets a fresh Session that is told
//     the connection and HELO again.
//   - Edits and reply leave in one write, deletions first and from the highest
//     index down, so that an MTA never holds half of them. Edits that the MTA
//     did not grant, or that would break the frame, make the whole response an
//     error: it is logged, and the message gets Options.OnPanic.
//   - While a Session takes its time at end of message the MTA is told of
//     progress, as Sendmail gives up after ten silent seconds.
//
// # How it behaves towards the MTA
//
// The answer to the negotiation holds nothing that was not offered. Replies are
// switched off for each event where the MTA can do so, and each other event is
// answered with "continue". The leading space of header values is asked for; see
// Session.Header. An MTA need not send ABORT: Sendmail sends none after a
// message, nor after RSET when replies are switched off.
//
// # Files
//
//	server.go      a Server and its options; listen.go, passed.go: its sockets; drain.go: its end
//	dialogue.go    one connection; negotiate.go: what the MTA offers; frame.go, macro.go: what it sends
//	loop.go        the events of a message in their order, and their limits
//	event.go       Session, which is told of them; conn.go: what a Session may ask
//	conclude.go    the end of a message; progress.go: the MTA is told to be patient
//	edit.go        edits of the message; reply.go: what the SMTP client is told
//	quickack.go    why TCP is not slow
//	alive.go       what a watchdog asks; stats.go: what is counted
//
// # Sources
//
// The protocol has no RFC. Names of commands and flags are those of libmilter,
// and their codes come from github.com/emersion/go-milter; where Postfix and
// Sendmail differ, the code says so. Departures: a frame with command letter
// unknown to us is ignored as libmilter does, an ill-formed or misplaced one ends
// the connection, which the MTA takes as a failure of the filter.
package milter
