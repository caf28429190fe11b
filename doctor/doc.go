// Package doctor says what is wrong around alignd, and the line that cures it:
// in the MTA's configuration, the unit, DNS, the clock.
//
// It is pure: package facts collects Facts, and each check looks at them. A
// fact that could not be found out is told as such ("cannot tell"), and is
// neither right nor wrong. Nothing is ever changed by it.
//
// A check has one id and one file of checks one subject. A check that does not
// apply, such as one of Sendmail where Postfix runs, says nothing.
package doctor

import (
	"cmp"
	"slices"
)

// Severity is how bad a finding is.
type Severity string

// The severities, least first. Note: good to know, or could not be found out.
// Warning: it works, and will hurt one day. Error: mail passes unjudged, or genuine mail
// does not pass.
const (
	OK      Severity = "ok"
	Note    Severity = "note"
	Warning Severity = "warning"
	Error   Severity = "error"
)

func (s Severity) rank() int {
	return slices.Index([]Severity{OK, Note, Warning, Error}, s)
}

// Finding is what one check found at one place.
type Finding struct {
	Severity Severity `json:"severity"`
	ID       string   `json:"id"`
	What     string   `json:"what"`
	Why      string   `json:"why,omitempty"`
	// Cure are the lines that cure it: commands, or lines of the file that Where
	// names. Empty where only a person can decide.
	Cure []string `json:"cure,omitempty"`
	// Where is a file, with the service of master.cf.
	Where string `json:"where,omitempty"`
}

// check is one question to the facts. It gives nothing when all is well, and
// applies says whether there is anything to ask.
type check struct {
	id string
	// fine is what holds when nothing was found.
	fine    string
	applies func(*Facts) bool
	run     func(*Facts) []Finding
}

// Report is all that was found, most severe first.
type Report struct {
	Findings []Finding `json:"findings"`
	Summary  Summary   `json:"summary"`
}

// Summary counts findings by severity. Ignored are those that the admin knows of.
type Summary struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
	OK       int `json:"ok"`
	Ignored  int `json:"ignored"`
}

// Status is the exit status: 0 without warning and error, 1 with warnings, 2 with
// errors.
func (r *Report) Status() int {
	switch {
	case r.Summary.Errors > 0:
		return 2
	case r.Summary.Warnings > 0:
		return 1
	}
	return 0
}

// Examine runs all checks. Findings of the ids in ignore are counted only.
func Examine(f *Facts, ignore []string) Report {
	r := Report{Findings: []Finding{}}
	for _, c := range checks() {
		if !c.applies(f) {
			continue
		}
		found := c.run(f)
		if len(found) == 0 {
			found = []Finding{{Severity: OK, What: c.fine}}
		}
		for _, one := range found {
			one.ID = c.id
			r.add(one, ignore)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(b.Severity.rank(), a.Severity.rank())
	})
	return r
}

func (r *Report) add(f Finding, ignore []string) {
	switch {
	case f.Severity == OK:
		r.Summary.OK++
	case slices.Contains(ignore, f.ID):
		r.Summary.Ignored++
		return
	case f.Severity == Error:
		r.Summary.Errors++
	case f.Severity == Warning:
		r.Summary.Warnings++
	default:
		r.Summary.Notes++
	}
	r.Findings = append(r.Findings, f)
}

// IDs are the ids of all checks.
func IDs() []string {
	var ids []string
	for _, c := range checks() {
		ids = append(ids, c.id)
	}
	return ids
}

// checks are all there are, in the order in which equally severe findings are told.
func checks() []check {
	var all []check
	for _, subject := range [][]check{
		siteChecks, attachChecks, orderChecks, shadowChecks, failureChecks, timeoutChecks, protocolChecks,
		submissionChecks, filterChecks, smtpdChecks, socketChecks,
		sendmailChecks, nameChecks, relayChecks, resolverChecks, clockChecks, unitChecks, journalChecks, reportChecks,
	} {
		all = append(all, subject...)
	}
	return all
}

// The kinds of applicability.
func always(*Facts) bool         { return true }
func withPostfix(f *Facts) bool  { return len(f.Postfix) > 0 }
func withSendmail(f *Facts) bool { return f.Sendmail != nil }
