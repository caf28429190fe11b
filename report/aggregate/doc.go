// Package aggregate makes DMARC aggregate reports (RFC 9990) of records.
//
// Observe says what one message adds to which report; who counts these rows makes a
// Report of them, and Encode writes it as XML. The package does no I/O: when a report is
// cut, to whom it goes and how it is sent is decided elsewhere.
//
// Reported is what got a final answer. A message that was put off is counted when it
// comes again. Messages that the MTA gave up, that were over a limit, that alignd failed
// on, or that were not judged are in no report.
package aggregate
