package state

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"
)

// ElsewhereQuery says what is asked of the reports of others.
type ElsewhereQuery struct {
	Author string    // an Author Domain, in its A-label form; empty is all
	Since  time.Time // reports whose period began then or later
	Until  time.Time // excluded; zero is no bound
	// Unproven: those without a proof of who sent them count too.
	Unproven bool
}

// Elsewhere is what others saw of mail as our domains.
type Elsewhere struct {
	Reports   int64
	Reporters []Reporter // the most messages first
	Sources   []ElsewhereSource
	OtherCounts
	// LeftOut are reports without proof that do not count.
	LeftOut struct{ Reports, Messages int64 }
}

// OtherCounts are messages that others saw.
type OtherCounts struct {
	Messages, Pass, DKIM, SPF, Quarantined, Rejected int64
}

// Reporter is who reports.
type Reporter struct {
	Name     string // the organization of the domain that passed, or what the report says
	Proven   bool
	Reports  int64
	Messages int64
	Last     time.Time // end of the last period
}

// ElsewhereSource is a network that sends as one of our domains.
type ElsewhereSource struct {
	Author  string
	Network string // empty: added up, as a report had too many
	// Addresses of the network, a few; Count is how many there are, up to 1,000.
	Addresses []string
	Count     int
	Reporters []string // by name
	Signers   []string // domains of passing signatures
	Senders   []string // domains of passing SPF
	OtherCounts
	First, Last time.Time // of the periods
}

// maxElsewhere is how many sources are told apart; further ones are one without network.
const (
	maxElsewhere      = 20_000
	maxElsewhereNames = 50
	// Addresses of one source, and reporters, that are told apart.
	maxElsewhereAddresses = 1_000
	maxReporters          = 1_000
)

// Elsewhere adds up reports of others. Sources come with the most failing mail first.
func (s *State) Elsewhere(ctx context.Context, q ElsewhereQuery) (*Elsewhere, error) {
	e := &Elsewhere{}
	until := int64(1) << 60
	if !q.Until.IsZero() {
		until = q.Until.Unix()
	}
	trust := "trust IN " + proven
	if q.Unproven {
		trust = "1 = 1"
	}
	about, args := "", []any{q.Since.Unix(), until}
	if q.Author != "" {
		about, args = " AND r.author = ?", append(args, q.Author)
	}
	const from = " FROM state_others o JOIN state_other_rows r ON r.id = o.id WHERE o.start >= ? AND o.start < ?"
	err := s.look(ctx, func(tx *sql.Tx) error {
		err := s.rows(ctx, tx, func(r *sql.Rows) error { return r.Scan(&e.LeftOut.Reports, &e.LeftOut.Messages) },
			"SELECT count(DISTINCT o.id), CAST(coalesce(sum(r.messages), 0) AS bigint)"+from+" AND NOT ("+trust+")"+about, args...)
		if err != nil {
			return err
		}
		err = s.rows(ctx, tx, func(r *sql.Rows) error {
			var x Reporter
			var last int64
			var unproven int64
			err := r.Scan(&x.Name, &unproven, &x.Reports, &x.Messages, &last)
			x.Proven, x.Last = unproven == 0, time.Unix(last, 0).UTC()
			e.Reports += x.Reports
			if len(e.Reporters) < maxReporters {
				e.Reporters = append(e.Reporters, x)
			}
			return err
		}, "SELECT o.reporter, CASE WHEN o.trust IN "+proven+" THEN 0 ELSE 1 END AS unproven, count(DISTINCT o.id), CAST(sum(r.messages) AS bigint) AS n, max(o.until)"+
			from+" AND "+trust+about+" GROUP BY o.reporter, unproven ORDER BY n DESC, o.reporter", args...)
		if err != nil {
			return err
		}
		return s.elsewhereSources(ctx, tx, e, from+" AND "+trust+about, args)
	})
	return e, err
}

type elsewhereKey struct{ author, network string }

// elsewhereSum is a source in the making.
type elsewhereSum struct {
	ElsewhereSource
	addresses, reporters, signers, senders map[string]bool
}

func (s *State) elsewhereSources(ctx context.Context, tx *sql.Tx, e *Elsewhere, from string, args []any) error {
	sums := map[elsewhereKey]*elsewhereSum{}
	err := s.rows(ctx, tx, func(r *sql.Rows) error {
		var x OtherRow
		var reporter string
		var dkim, spf, first, last int64
		if err := r.Scan(&x.Author, &x.Network, &x.Source, &reporter, &dkim, &spf, &x.Disposition, &x.Signers, &x.Sender, &x.Messages, &first, &last); err != nil {
			return err
		}
		x.DKIM, x.SPF = dkim == 1, spf == 1
		key := elsewhereKey{x.Author, x.Network}
		sum := sums[key]
		if sum == nil && len(sums) >= maxElsewhere {
			key = elsewhereKey{}
			sum, x.Source = sums[key], ""
		}
		if sum == nil {
			sum = &elsewhereSum{addresses: map[string]bool{}, reporters: map[string]bool{}, signers: map[string]bool{}, senders: map[string]bool{}}
			sum.Author, sum.Network = key.author, key.network
			sums[key] = sum
		}
		sum.add(&x, reporter, time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC())
		e.add(&x)
		return nil
	}, `SELECT r.author, r.network, r.source, o.reporter, r.dkim, r.spf, r.disposition, r.signers, r.sender, CAST(sum(r.messages) AS bigint), min(o.start), max(o.until)`+
		from+" GROUP BY r.author, r.network, r.source, o.reporter, r.dkim, r.spf, r.disposition, r.signers, r.sender", args...)
	if err != nil {
		return err
	}
	for _, sum := range sums {
		sum.Count = len(sum.addresses)
		sum.Addresses, sum.Reporters = some(sum.addresses), some(sum.reporters)
		sum.Signers, sum.Senders = some(sum.signers), some(sum.senders)
		e.Sources = append(e.Sources, sum.ElsewhereSource)
	}
	slices.SortFunc(e.Sources, func(a, b ElsewhereSource) int {
		return cmp.Or(cmp.Compare(b.Messages-b.Pass, a.Messages-a.Pass), cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Author, b.Author), cmp.Compare(a.Network, b.Network))
	})
	return nil
}

func some(of map[string]bool) []string {
	list := slices.Sorted(maps.Keys(of))
	return list[:min(len(list), maxElsewhereNames)]
}

func (s *elsewhereSum) add(x *OtherRow, reporter string, first, last time.Time) {
	s.OtherCounts.add(x)
	putName(s.addresses, x.Source, maxElsewhereAddresses)
	putName(s.reporters, reporter, maxReporters)
	for d := range strings.FieldsSeq(x.Signers) {
		putName(s.signers, d, maxElsewhereNames)
	}
	putName(s.senders, x.Sender, maxElsewhereNames)
	if s.First.IsZero() || first.Before(s.First) {
		s.First = first
	}
	if last.After(s.Last) {
		s.Last = last
	}
}

func putName(in map[string]bool, text string, most int) {
	if text != "" && len(in) < most {
		in[text] = true
	}
}

func (c *OtherCounts) add(x *OtherRow) {
	c.Messages += x.Messages
	if x.DKIM || x.SPF {
		c.Pass += x.Messages
	}
	if x.DKIM {
		c.DKIM += x.Messages
	}
	if x.SPF {
		c.SPF += x.Messages
	}
	switch x.Disposition {
	case "quarantine":
		c.Quarantined += x.Messages
	case "reject":
		c.Rejected += x.Messages
	}
}
