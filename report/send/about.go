package send

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/record"
	"alignd/report/aggregate"
)

// about is what is kept of a report beside its rows.
type about struct {
	Scope aggregate.Scope
	RUA   []string // mailto URIs
	// Other are those of RUA that have to agree (RFC 9990 section 4).
	Other []string `json:",omitempty"`
}

// Counting says what of a message is counted, and what is no reason for a report alone.
type Counting struct {
	// EnvelopeTo tells the domain of recipients.
	EnvelopeTo bool
	// Addresses are those at which reports and answers to them come in, in lower case, with
	// what is behind one of Delimiters left out. A message to one of them is no reason for a
	// report, else two sites would write to each other for ever.
	Addresses  []string
	Delimiters string
	// Due reports whether a Policy Domain gets its reports whatever comes from others.
	Due func(domain string) bool
	// OptOut are Policy Domains that are not counted.
	OptOut []string
	// Not are addresses that get none: what only they want is not counted.
	Not OptOut
	// Failures: passes of domains are noted that want failure reports only.
	Failures bool
}

// Tally is for state.Options.
func (c *Counting) Tally(e *journal.Entry) (list []state.Tally) {
	optional := c.optional(&e.Record.Evidence)
	for _, o := range aggregate.Observe(e.Record, aggregate.Options{EnvelopeTo: c.EnvelopeTo}) {
		rua := usable(o.RUA)
		wanted := slices.DeleteFunc(slices.Clone(rua), c.optedOut)
		if slices.Contains(c.OptOut, o.Scope.Domain) || len(rua) > 0 && len(wanted) == 0 {
			continue
		}
		list = append(list, state.Tally{
			Report: o.Scope.Key(), Day: o.Scope.Day, Domain: o.Scope.Domain, Org: organization(o.Scope.Domain),
			Due:    c.Due != nil && c.Due(o.Scope.Domain),
			About:  encode(about{o.Scope, wanted, usable(o.OtherRUA)}),
			Passed: o.Passed, Optional: optional,
			Line: o.Row.Key(), Data: encode(&o.Row),
		})
	}
	if c.Failures {
		list = append(list, passes(e.Record)...)
	}
	return list
}

func (c *Counting) optedOut(uri string) bool {
	address, host, _ := mailbox(uri)
	return c.Not.why(address, host) != ""
}

// usable are the URIs of addresses that may be written to, so that nobody has us keep texts
// of any length.
func usable(uris []string) (list []string) {
	for _, uri := range uris {
		if _, _, ok := mailbox(uri); ok && len(uri) <= maxURI {
			list = append(list, uri)
		}
	}
	return list
}

// passes are those of Policy Domains with ruf and without rua.
func passes(r *record.Record) (list []state.Tally) {
	if r.Outcome.End != record.EndAnswered || r.Verdict.NotJudged {
		return nil
	}
	for i := range r.Evidence.DMARC {
		dm := &r.Evidence.DMARC[i]
		if dm.Result == evidence.Pass && dm.PolicyDomain != "" && len(dm.Published.RUF) > 0 && len(dm.Published.RUA) == 0 {
			list = append(list, state.Tally{OnlyPassed: true, Domain: dm.PolicyDomain, Org: organization(dm.PolicyDomain), Day: r.Evidence.Time.UTC().Truncate(24 * time.Hour)})
		}
	}
	return list
}

// optional: a message with the null reverse-path is a notification, and one to an
// address of ours a report or an answer to one.
func (c *Counting) optional(ev *evidence.Message) bool {
	return ev.MailFrom == "" || slices.ContainsFunc(ev.Recipients, func(r evidence.Recipient) bool { return c.Ours(r.Address) })
}

// Ours reports whether reports and answers to them come in at an address.
func (c *Counting) Ours(address string) bool {
	address = strings.ToLower(address)
	local, host, _ := strings.Cut(address, "@")
	if i := strings.IndexAny(local, c.Delimiters); i > 0 {
		local = local[:i]
	}
	return slices.Contains(c.Addresses, address) || slices.Contains(c.Addresses, local+"@"+host)
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil { // these types have nothing that cannot be written
		panic(err)
	}
	return data
}
