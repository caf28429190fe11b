// Package judge turns the evidence of one message and the settings of the site
// into a verdict and what is written about it: Authentication-Results, log line,
// record. The daemon, alignd check and replay share it. It knows nothing of milter.
package judge

import (
	"cmp"

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
// so that what own knows is what is written.
func (s *Settings) servID(mta string) string {
	return cmp.Or(s.AuthservID, mta, authres.Unnamed)
}

// own is the set of ids whose fields are stripped for an MTA named mta.
func (s *Settings) own(mta string) authres.Own {
	names := []string{s.servID(mta), mta}
	if !s.OwnNameOnly {
		names = []string{authres.Site(s.servID(mta)), authres.Site(mta)}
	}
	return authres.NewOwn(append(names, s.OwnIDs...)...)
}
