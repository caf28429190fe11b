package others

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/internal/terminal"
	"alignd/journal/state"
	"alignd/report/read"
)

// Bounds of one report; ours.
const (
	// maxRows are kept one by one, those with the most messages, and the others as one.
	maxRows = 1_000
	// maxHeld are told apart while a report is read; of more, the larger ones go on.
	maxHeld = 5_000
	// maxText is the octets of a text of the report's head.
	maxText = 200
	// maxSigners are the domains of passing signatures of a row.
	maxSigners = 3
	// maxSpan is how long the period of a report may be, and maxAhead how far it may lie
	// in the future, by wrong clocks.
	maxSpan  = 400 * 24 * time.Hour
	maxAhead = 48 * time.Hour
)

// Collector makes reports ready for the state.
type Collector struct {
	// Own are the domains that reports are kept about.
	Own func(domain string) bool
	// From is the address that our own reports come from: they are no news.
	From string
	// Organization is the Organizational Domain of a name, or "".
	Organization func(name string) string
	// Keep is how long reports are kept.
	Keep time.Duration
	Now  func() time.Time
}

// ErrNotKept is a report that is not to be kept.
var ErrNotKept = errors.New("left out")

// Collect reads a report. Its error is ErrNotKept with the reason, or says that records
// could not be read back.
func (c *Collector) Collect(head *read.Aggregate, records *read.Records, p Proof) (*state.Other, error) {
	now := c.Now()
	o := &state.Other{Org: short(head.OrgName), Email: short(head.Email), ReportID: short(head.ReportID), Version: short(head.Version),
		Trust: p.Trust, Sender: p.Sender, Stored: now}
	var err error
	if o.Domain, err = domain.Normalize(head.Domain); err != nil || !strings.Contains(o.Domain, ".") {
		return nil, fmt.Errorf("%w: it names no domain", ErrNotKept)
	}
	if !c.Own(o.Domain) {
		return nil, fmt.Errorf("%w: %s is no domain of ours", ErrNotKept, o.Domain)
	}
	if c.From != "" && strings.EqualFold(strings.TrimSpace(head.Email), c.From) {
		return nil, fmt.Errorf("%w: it is our own report", ErrNotKept)
	}
	if o.Start, o.Until, err = period(head); err != nil {
		return nil, err
	}
	switch {
	case o.Start.After(now.Add(maxAhead)):
		return nil, fmt.Errorf("%w: its day is %s, in the future", ErrNotKept, o.Start.Format(time.DateOnly))
	case o.Start.Before(now.Add(-c.Keep)):
		return nil, fmt.Errorf("%w: its day is %s, longer ago than reports.keep_others", ErrNotKept, o.Start.Format(time.DateOnly))
	}
	o.Reporter = cmp.Or(o.Org, "(no name)")
	if p.Sender != "" {
		o.Reporter = cmp.Or(c.Organization(p.Sender), p.Sender)
	}
	return o, c.rows(o, records)
}

// period is the time that a report is about.
func period(head *read.Aggregate) (start, until time.Time, err error) {
	if start, err = time.Parse(time.RFC3339, head.Begin); err != nil {
		return start, until, fmt.Errorf("%w: it does not say of which time it is", ErrNotKept)
	}
	if until, err = time.Parse(time.RFC3339, head.End); err != nil || until.Before(start) || until.Sub(start) > maxSpan {
		until = start
	}
	return start.UTC(), until.UTC(), nil
}

// short is a text that may be kept.
func short(s string) string {
	s = strings.TrimSpace(terminal.Line(s))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func (c *Collector) rows(o *state.Other, records *read.Records) error {
	sums := map[state.OtherRow]int64{}
	var rest, beyond int64
	for rec, err := range records.All() {
		if err != nil {
			return err
		}
		if rec.Count == nil || *rec.Count == 0 {
			continue
		}
		n := min(*rec.Count, state.MaxOtherMessages)
		row := c.row(o.Domain, rec)
		if sums[row] += n; len(sums) > maxHeld {
			more, rows := shrink(sums)
			rest, beyond = rest+more, beyond+rows
		}
	}
	for row, n := range sums {
		row.Messages = min(n, state.MaxOtherMessages)
		o.Rows = append(o.Rows, row)
	}
	slices.SortFunc(o.Rows, func(a, b state.OtherRow) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Source, b.Source), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	if len(o.Rows) > maxRows {
		for _, row := range o.Rows[maxRows:] {
			rest, beyond = rest+row.Messages, beyond+1
		}
		o.Rows = o.Rows[:maxRows]
	}
	if o.Beyond = beyond; beyond > 0 {
		o.Rows = append(o.Rows, state.OtherRow{Author: o.Domain, Messages: min(rest, state.MaxOtherMessages)})
	}
	return nil
}

// shrink leaves the larger rows, and says how many messages and rows it took out.
func shrink(sums map[state.OtherRow]int64) (messages, rows int64) {
	sizes := slices.Sorted(maps.Values(sums))
	least, ties := sizes[len(sizes)-2*maxRows], 0 // of what stays
	for i := len(sizes) - 2*maxRows; i < len(sizes) && sizes[i] == least; i++ {
		ties++
	}
	for row, n := range sums {
		if n == least && ties > 0 {
			ties--
			continue
		}
		if n <= least {
			messages, rows = messages+n, rows+1
			delete(sums, row)
		}
	}
	return messages, rows
}

// row is what is kept of a record, but for its messages.
func (c *Collector) row(about string, rec *read.Record) state.OtherRow {
	row := state.OtherRow{Author: about, DKIM: rec.DKIM == "pass", SPF: rec.SPF == "pass"}
	if ip, ok := address(rec.SourceIP); ok {
		row.Source, row.Network = ip.String(), evidence.NetworkOf(ip).String()
	}
	// A name that is neither of the report's domain nor ours is the reporter's mistake.
	if from, err := domain.Normalize(rec.HeaderFrom); err == nil && (domain.IsBelow(from, about) || c.Own(from)) {
		row.Author = from
	}
	switch rec.Disposition {
	case "none", "pass", "quarantine", "reject":
		row.Disposition = rec.Disposition
	}
	var signers []string
	for _, r := range rec.AuthResults.DKIM {
		if d, err := domain.Normalize(r.Domain); r.Result == "pass" && err == nil && len(signers) < maxSigners && !slices.Contains(signers, d) {
			signers = append(signers, d)
		}
	}
	slices.Sort(signers)
	row.Signers = strings.Join(signers, " ")
	for _, r := range rec.AuthResults.SPF {
		if d, err := domain.Normalize(r.Domain); r.Result == "pass" && err == nil {
			row.Sender = d
			break
		}
	}
	return row
}

// address reads an address as reporters write it: also in brackets, with the tag of RFC
// 5321 section 4.1.3, as a network of one, and with zeros in front (decimal, as nobody
// writes octal there).
func address(s string) (ip netip.Addr, ok bool) {
	s = strings.Trim(strings.TrimSpace(s), "[]")
	if tag := "ipv6:"; len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		s = s[len(tag):]
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "/32"), "/128")
	ip, err := netip.ParseAddr(s)
	if err != nil {
		parts := strings.Split(s, ".")
		for i := range parts {
			parts[i] = cmp.Or(strings.TrimLeft(parts[i], "0"), "0")
		}
		ip, err = netip.ParseAddr(strings.Join(parts, "."))
	}
	return ip.Unmap().WithZone(""), err == nil
}
