package aggregate

import (
	"strings"
	"time"
)

// Report is one report as it is sent.
type Report struct {
	// Organization, Email and Contact are who sends it; Contact may be empty.
	Organization, Email, Contact string
	// Generator is program and version.
	Generator string
	// ID names the report: letters and digits only, so that it is also the unique-id of
	// the file's name (RFC 9990 section 3.1.4).
	ID    string
	Scope Scope
	Rows  []Counted
	// Dropped counts messages that had no place in the report; it says so.
	Dropped int64
}

// Counted is a row with its number of messages.
type Counted struct {
	Row
	Count int64
}

// Begin and End are the period: the day, both seconds within it (RFC 9990 section
// 3.1.1.4, and its example).
func (r *Report) Begin() time.Time { return r.Scope.Day }

// End is the last second of the day.
func (r *Report) End() time.Time { return r.Scope.Day.Add(24*time.Hour - time.Second) }

// FileName is the name of the attachment without .gz (RFC 9990 section 3.5.1):
// receiver!policy-domain!begin!end!unique-id.xml.
func (r *Report) FileName(receiver string) string {
	return strings.Join([]string{receiver, r.Scope.Domain, unix(r.Begin()), unix(r.End()), r.ID}, "!") + ".xml"
}

// Subject is that of the mail (RFC 9990 section 3.5.2).
func (r *Report) Subject(submitter string) string {
	return "Report Domain: " + r.Scope.Domain + " Submitter: " + submitter + " Report-ID: <" + r.ID + ">"
}
