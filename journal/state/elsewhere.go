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
	Author string // an Author Domain, in its A-label form; empty is all
	// Reporter and Network are those of the answer; empty is all.
	Reporter, Network string
	Since             time.Time // reports whose period began then or later
	Until             time.Time // excluded; zero is no bound
	// Unproven: those without a proof of who sent them count too.
	Unproven bool
}

// Elsewhere is what others saw of mail as our domains.
type Elsewhere struct {
	Reports   int64             `json:"reports"`
	Reporters []Reporter        `json:"reporters"` // the most messages first
	Sources   []ElsewhereSource `json:"sources"`
	Days      []ElsewhereDay    `json:"days"` // the oldest first; those without reports are not there
	OtherCounts
	// LeftOut are reports without proof that do not count.
	LeftOut struct {
		Reports  int64 `json:"reports"`
		Messages int64 `json:"messages"`
	} `json:"left_out"`
}

// OtherCounts are messages that others saw.
type OtherCounts struct {
	Messages    int64 `json:"messages"`
	Pass        int64 `json:"pass"`
	DKIM        int64 `json:"dkim_aligned"`
	SPF         int64 `json:"spf_aligned"`
	Quarantined int64 `json:"quarantined"`
	Rejected    int64 `json:"rejected"`
}

// ElsewhereDay is the day of UTC on which periods of reports begin.
type ElsewhereDay struct {
	Day     time.Time `json:"day"`
	Reports int64     `json:"reports"`
	OtherCounts
}

// Reporter is who reports.
type Reporter struct {
	Name     string    `json:"name"` // the organization of the domain that passed, or what the report says
	Proven   bool      `json:"proven"`
	Reports  int64     `json:"reports"`
	Messages int64     `json:"messages"`
	Pass     int64     `json:"pass"`
	Last     time.Time `json:"last"` // end of the last period
}

// ElsewhereSource is a network that sends as one of our domains.
type ElsewhereSource struct {
	Author  string `json:"author_domain"`
	Network string `json:"network"` // empty: added up, as a report had too many
	// Addresses of the network, a few; Count is how many there are, up to 1,000.
	Addresses []string `json:"addresses"`
	Count     int      `json:"address_count"`
	Reporters []string `json:"reporters"` // by name
	Signers   []string `json:"dkim"`      // domains of passing signatures
	Senders   []string `json:"spf"`       // domains of passing SPF
	OtherCounts
	First time.Time `json:"first"` // of the periods
	Last  time.Time `json:"last"`
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
	if s.remembered == nil {
		return s.addUp(ctx, q)
	}
	days, ok, err := s.remembered.book.of(ctx, s, &q)
	if err != nil {
		return nil, err
	}
	if ok {
		if e, ok := addUpBook(&q, days); ok {
			return e, nil
		}
	}
	now := time.Now()
	if e := s.remembered.find(q, now); e != nil {
		return e, nil
	}
	e, err := s.addUp(ctx, q)
	if err == nil {
		s.remembered.keep(q, e, now)
	}
	return e, err
}

func (s *State) addUp(ctx context.Context, q ElsewhereQuery) (*Elsewhere, error) {
	e := &Elsewhere{}
	trust := "trust IN " + proven
	if q.Unproven {
		trust = "1 = 1"
	}
	about, args := "", []any{q.Since.Unix(), q.end()}
	for _, only := range []struct{ column, value string }{{"r.author", q.Author}, {"o.reporter", q.Reporter}, {"r.network", q.Network}} {
		if only.value != "" {
			about, args = about+" AND "+only.column+" = ?", append(args, only.value)
		}
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
			err := r.Scan(&x.Name, &unproven, &x.Reports, &x.Messages, &x.Pass, &last)
			x.Proven, x.Last = unproven == 0, time.Unix(last, 0).UTC()
			e.Reports += x.Reports
			if len(e.Reporters) < maxReporters {
				e.Reporters = append(e.Reporters, x)
			}
			return err
		}, "SELECT o.reporter, CASE WHEN o.trust IN "+proven+" THEN 0 ELSE 1 END AS unproven, count(DISTINCT o.id), CAST(sum(r.messages) AS bigint) AS n, "+
			passing+", max(o.until)"+
			from+" AND "+trust+about+" GROUP BY o.reporter, unproven ORDER BY n DESC, o.reporter", args...)
		if err != nil {
			return err
		}
		if err := s.elsewhereDays(ctx, tx, e, from+" AND "+trust+about, args); err != nil {
			return err
		}
		return s.elsewhereSources(ctx, tx, e, from+" AND "+trust+about, args)
	})
	return e, err
}

// Sums of messages in SQL.
const (
	passing = "CAST(sum(CASE WHEN r.dkim = 1 OR r.spf = 1 THEN r.messages ELSE 0 END) AS bigint)"
	dayRows = `SELECT o.start / 86400 AS began, count(DISTINCT o.id), CAST(sum(r.messages) AS bigint), ` + passing + `,
		CAST(sum(CASE WHEN r.dkim = 1 THEN r.messages ELSE 0 END) AS bigint), CAST(sum(CASE WHEN r.spf = 1 THEN r.messages ELSE 0 END) AS bigint),
		CAST(sum(CASE WHEN r.disposition = 'quarantine' THEN r.messages ELSE 0 END) AS bigint), CAST(sum(CASE WHEN r.disposition = 'reject' THEN r.messages ELSE 0 END) AS bigint)`
)

func (s *State) elsewhereDays(ctx context.Context, tx *sql.Tx, e *Elsewhere, from string, args []any) error {
	return s.rows(ctx, tx, func(r *sql.Rows) error {
		var d ElsewhereDay
		var day int64
		err := r.Scan(&day, &d.Reports, &d.Messages, &d.Pass, &d.DKIM, &d.SPF, &d.Quarantined, &d.Rejected)
		d.Day = time.Unix(day*24*hourSeconds, 0).UTC()
		e.Days = append(e.Days, d)
		return err
	}, dayRows+from+" GROUP BY began ORDER BY began", args...)
}

type elsewhereKey struct{ author, network string }

// elsewhereSum is a source in the making.
type elsewhereSum struct {
	ElsewhereSource
	addresses, reporters, signers, senders map[string]bool
}

// elsewhereSums are those of all sources.
type elsewhereSums map[elsewhereKey]*elsewhereSum

func (m elsewhereSums) of(author, network string) *elsewhereSum {
	key := elsewhereKey{author, network}
	sum := m[key]
	if sum == nil {
		sum = &elsewhereSum{addresses: map[string]bool{}, reporters: map[string]bool{}, signers: map[string]bool{}, senders: map[string]bool{}}
		sum.Author, sum.Network = author, network
		m[key] = sum
	}
	return sum
}

// list has the most failing mail first.
func (m elsewhereSums) list() (list []ElsewhereSource) {
	for _, sum := range m {
		sum.Count = len(sum.addresses)
		sum.Addresses, sum.Reporters = some(sum.addresses), some(sum.reporters)
		sum.Signers, sum.Senders = some(sum.signers), some(sum.senders)
		list = append(list, sum.ElsewhereSource)
	}
	slices.SortFunc(list, func(a, b ElsewhereSource) int {
		return cmp.Or(cmp.Compare(b.Messages-b.Pass, a.Messages-a.Pass), cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Author, b.Author), cmp.Compare(a.Network, b.Network))
	})
	return list
}

func (s *State) elsewhereSources(ctx context.Context, tx *sql.Tx, e *Elsewhere, from string, args []any) error {
	sums := elsewhereSums{}
	err := s.rows(ctx, tx, func(r *sql.Rows) error {
		var x OtherRow
		var reporter string
		var dkim, spf, first, last int64
		if err := r.Scan(&x.Author, &x.Network, &x.Source, &reporter, &dkim, &spf, &x.Disposition, &x.Signers, &x.Sender, &x.Messages, &first, &last); err != nil {
			return err
		}
		x.DKIM, x.SPF = dkim == 1, spf == 1
		author, network := x.Author, x.Network
		if sums[elsewhereKey{author, network}] == nil && len(sums) >= maxElsewhere {
			author, network, x.Source = "", "", ""
		}
		sums.of(author, network).add(&x, reporter, time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC())
		e.add(&x)
		return nil
	}, `SELECT r.author, r.network, r.source, o.reporter, r.dkim, r.spf, r.disposition, r.signers, r.sender, CAST(sum(r.messages) AS bigint), min(o.start), max(o.until)`+
		from+" GROUP BY r.author, r.network, r.source, o.reporter, r.dkim, r.spf, r.disposition, r.signers, r.sender", args...)
	if err != nil {
		return err
	}
	e.Sources = sums.list()
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
