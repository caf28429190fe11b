// Package judge turns the evidence of one message and the settings of the site
// into a verdict and what is written about it: Authentication-Results, log line,
// record. The daemon, alignd check and replay share it. It knows nothing of milter.
//
// # Files
//
//	judge.go      Settings.Judge, which has a message decided; settings.go: what with
//	results.go    Authentication-Results, result by result
//	marks.go      fields that claim to be ours; forged.go, carriers.go: those that go
//	incumbent.go  what filters in front wrote
//	key.go        by which a message is known again, and its sample
//	waits.go      mail that was put off; shared.go: what several hosts know of it
//	stops.go      stages of rollouts that are stopped
//	log.go        the line of the log; logline.go: its length; logprivate.go: without addresses
//	private.go    records without addresses; privatetext.go, pseudonym.go
//	scratch.go    what a connection uses again
package judge

import (
	"cmp"
	"slices"
	"strings"

	"alignd/authres"
	"alignd/policy"
	"alignd/record"
	"alignd/verify"
)

// Strip says which incoming Authentication-Results fields are deleted.
type Strip string

// The values of Strip (RFC 8601 section 5).
const (
	StripOwn  Strip = "own"  // those that claim an id of ours
	StripAll  Strip = "all"  // every one
	StripNone Strip = "none" // none; only for hosts behind a border of our own
)

// Settings are what one message is judged with. They are read only.
type Settings struct {
	Rules  *policy.Rules
	Verify verify.Options
	// Basis names program, configuration and options in records.
	Basis record.Basis
	// AuthservID is written to Authentication-Results; empty means the MTA's
	// own name, macro {j}.
	AuthservID string
	// OwnIDs are further authserv-ids of ours, whose fields are stripped.
	OwnIDs []string
	// CompareWith are the authserv-ids of filters in front, in their normalized form:
	// what they wrote is compared, and stays.
	CompareWith []string
	// OwnNameOnly leaves the ids of the site's other hosts to whoever uses them:
	// ours are AuthservID, the MTA's name, OwnIDs, and what is below them.
	OwnNameOnly bool
	Strip       Strip
	// TagName is the field that carries the disposition; incoming fields of
	// that name are always deleted.
	TagName string
	// ReceivedSPF adds a Received-SPF field (RFC 7208 section 9.1).
	ReceivedSPF bool
	// MaxForged is how many fields of a message may be deleted; one with more is
	// refused. 0 means defaultMaxForged.
	MaxForged int
	// Stops are the stages of rollouts that are stopped; nil: none.
	Stops *Stops
	// SamplingSecret keys the sample of pct and rollout percentages.
	SamplingSecret []byte
}

// servID is the authserv-id for an MTA that calls itself mta. It is never empty,
// so that what own knows is what is written, and never one of CompareWith, as users'
// filters read those.
func (s *Settings) servID(mta string) string {
	id := cmp.Or(s.AuthservID, mta, authres.Unnamed)
	if s.readAs(id) && (s.AuthservID == "" || slices.Contains(s.CompareWith, id)) {
		return s.shadowID(id)
	}
	return id
}

// shadowName stands in the place of the host's name where that is an incumbent's id.
const shadowName = "alignd-shadow"

// shadowID is an id in which none of CompareWith is found.
func (s *Settings) shadowID(id string) string {
	if _, parent, ok := strings.Cut(id, "."); ok && !s.readAs(shadowName+"."+parent) {
		return shadowName + "." + parent
	}
	return shadowName
}

// readAs reports whether a filter that looks for an id of CompareWith anywhere in a
// field finds it in this one.
func (s *Settings) readAs(id string) bool {
	id = strings.ToLower(id)
	return slices.ContainsFunc(s.CompareWith, func(with string) bool { return strings.Contains(id, with) })
}

// own is the set of ids whose fields are stripped for an MTA named mta.
func (s *Settings) own(mta string) authres.Own {
	names := []string{s.servID(mta), mta}
	if !s.OwnNameOnly {
		names = []string{authres.Site(s.servID(mta)), authres.Site(mta)}
	}
	names = append(names, s.OwnIDs...)
	return authres.NewOwn(append(names, s.CompareWith...)...)
}
