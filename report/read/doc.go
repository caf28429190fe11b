// Package read reads DMARC reports that others send: aggregate reports (RFC 9990,
// and RFC 7489 appendix C before it) and failure reports (RFC 9991, RFC 6591).
//
// Reports come as XML, compressed by gzip or zip, packed into each other, and
// attached to mail. What something is is told by its content, never by its name or
// Content-Type. Reporters differ from the schema in most ways that XML allows, so
// the reader takes any or no namespace, any order, unknown and missing elements,
// other character sets and invalid octets. It reads what can be read, keeps values
// as the reporter wrote them, and says the rest as a Problem.
//
// Report files are input from anybody. Every size is bounded (Limits), a bound
// that is reached is a Problem with the bound's name, and DOCTYPE is refused.
// Memory does not grow with the file: records are handed on as they are read and
// spooled where they have to wait.
//
// # Files
//
//	reader.go      a file from its octets to its reports; kind.go: what something is
//	mail.go        reports in mail; parts.go: of a multipart; plaintext.go: in words
//	containers.go  gzip and zip
//	aggregate.go   aggregate reports; head.go, row.go: their elements, words.go: their words
//	clean.go       XML that is none; foreign.go, implied.go, ahead.go: elements that are out of place
//	records.go     records that wait for the head of their report
//	failure.go     failure reports
//	report.go      what is handed on, and to whom
//	limits.go      the bounds; notes.go: what is told of a file
package read
