// Package others makes of the aggregate reports that others send (RFC 9990) what the
// state keeps: bounded rows about domains of ours, and how it is known who sent them.
//
// Anybody can send a report about anybody. What counts came in a mail that passed DMARC
// here: alignd wrote so on top of it (Authentication-Results), and the journal has that
// very message. A mail that never came through alignd can hold the first and not the
// second. The report itself says who made it, and is not believed: it counts for the
// domain that passed.
package others
