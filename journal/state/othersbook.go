package state

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"
)

// othersBook has reports of others by day in memory, so that whatever is asked of them is
// answered at once; summed up anew, each question takes a second over a month of much mail.
// What is stored of a report does not change, so that only days are read that got or lost
// one. The zero value is ready; it is safe for concurrent use.
type othersBook struct {
	turn turn // while days are read, so that all who wait read once
	days map[int64]*bookOthers
}

// turn is a lock that who gives up does not wait for. The zero value is ready.
type turn struct {
	made sync.Once
	has  chan struct{} // full while somebody has it
}

// take waits for it. Without an error leave has to be called.
func (t *turn) take(ctx context.Context) error {
	t.made.Do(func() { t.has = make(chan struct{}, 1) })
	select {
	case t.has <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) leave() { <-t.has }

// bookOthers are the reports whose periods begin on a day of UTC.
type bookOthers struct {
	mark    othersMark
	reports []*bookReport
}

// othersMark tells whether a day is as it was.
type othersMark struct{ reports, proven, rows, messages int64 }

type bookReport struct {
	start, until int64
	reporter     string
	proven       bool
	rows         []OtherRow
}

// maxBookOthers is how many rows are in memory, 150 octets each or so; ours, tests set
// another. Where a question is about more, the database adds them up.
var maxBookOthers int64 = 300_000

// of are the days that a question is about, the oldest first; ok is false where they have
// too many rows.
func (b *othersBook) of(ctx context.Context, s *State, q *ElsewhereQuery) (list []*bookOthers, ok bool, err error) {
	if err := b.turn.take(ctx); err != nil {
		return nil, false, err
	}
	defer b.turn.leave()
	first, until := floor(q.Since.Unix(), daySeconds), floor(q.end()+daySeconds-1, daySeconds) // whole days
	err = s.look(ctx, func(tx *sql.Tx) error {
		marks, rows, err := s.othersMarks(ctx, tx, first, until)
		if ok = rows <= maxBookOthers; err != nil || !ok {
			return err
		}
		return b.renew(ctx, s, tx, marks, func(at int64) bool { return at >= first && at < until })
	})
	if err != nil || !ok {
		return nil, false, err
	}
	for at, d := range b.days {
		if at >= first && at < until {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *bookOthers) int { return cmp.Compare(a.reports[0].start, b.reports[0].start) })
	return list, true, nil
}

// othersMarks are those of the days between two, with the rows of all.
func (s *State) othersMarks(ctx context.Context, tx *sql.Tx, first, until int64) (marks map[int64]othersMark, rows int64, err error) {
	marks = map[int64]othersMark{}
	return marks, rows, s.rows(ctx, tx, func(r *sql.Rows) error {
		var day int64
		var m othersMark
		err := r.Scan(&day, &m.reports, &m.proven, &m.rows, &m.messages)
		marks[day*daySeconds] = m
		rows += m.rows
		return err
	}, "SELECT start / 86400 AS began, count(*), CAST(sum(CASE WHEN trust IN "+proven+" THEN 1 ELSE 0 END) AS bigint), CAST(sum(lines) AS bigint), CAST(sum(messages) AS bigint)"+
		" FROM state_others WHERE start >= ? AND start < ? AND lines > 0 GROUP BY began", first, until)
}

// renew reads those of the days that are asked for that are not as their marks say. Other
// days stay where they do not take too much.
func (b *othersBook) renew(ctx context.Context, s *State, tx *sql.Tx, marks map[int64]othersMark, asked func(day int64) bool) error {
	days, all := map[int64]*bookOthers{}, int64(0)
	var missing []int64
	for at, m := range marks {
		all += m.rows
		if d := b.days[at]; d != nil && d.mark == m {
			days[at] = d
		} else {
			missing = append(missing, at)
		}
	}
	slices.Sort(missing)
	for len(missing) > 0 {
		n := 1
		for n < len(missing) && missing[n] == missing[n-1]+daySeconds {
			n++
		}
		if err := s.readOthers(ctx, tx, missing[0], missing[n-1]+daySeconds, marks, days); err != nil {
			return err
		}
		missing = missing[n:]
	}
	for at, d := range b.days {
		if !asked(at) && all+d.mark.rows <= maxBookOthers {
			days[at], all = d, all+d.mark.rows
		}
	}
	b.days = days
	return nil
}

// readOthers reads the reports that begin between two days.
func (s *State) readOthers(ctx context.Context, tx *sql.Tx, first, until int64, marks map[int64]othersMark, to map[int64]*bookOthers) error {
	reports, same := map[string]*bookReport{}, map[string]string{}
	once := func(text *string) { // most are there many times
		if have, ok := same[*text]; ok {
			*text = have
		} else {
			same[*text] = *text
		}
	}
	return s.rows(ctx, tx, func(r *sql.Rows) error {
		var id []byte
		var x bookReport
		var row OtherRow
		var isProven, dkim, spf int64
		err := r.Scan(&id, &x.start, &x.until, &x.reporter, &isProven, &row.Source, &row.Network, &row.Author, &dkim, &spf, &row.Disposition, &row.Signers, &row.Sender, &row.Messages)
		if err != nil {
			return err
		}
		report := reports[string(id)]
		if report == nil {
			report, x.proven = &x, isProven == 1
			reports[string(id)] = report
			at := floor(x.start, daySeconds)
			d := to[at]
			if d == nil {
				d = &bookOthers{mark: marks[at]}
				to[at] = d
			}
			d.reports = append(d.reports, report)
		}
		row.DKIM, row.SPF = dkim == 1, spf == 1
		for _, text := range []*string{&row.Source, &row.Network, &row.Author, &row.Disposition, &row.Signers, &row.Sender} {
			once(text)
		}
		report.rows = append(report.rows, row)
		return nil
	}, "SELECT o.id, o.start, o.until, o.reporter, CASE WHEN o.trust IN "+proven+" THEN 1 ELSE 0 END, r.source, r.network, r.author, r.dkim, r.spf, r.disposition, r.signers, r.sender, r.messages"+
		" FROM state_others o JOIN state_other_rows r ON r.id = o.id WHERE o.start >= ? AND o.start < ?", first, until)
}

// wants reports whether a row counts for the question; Reporter is the report's.
func (q *ElsewhereQuery) wants(r *OtherRow) bool {
	return (q.Author == "" || r.Author == q.Author) && (q.Network == "" || r.Network == q.Network)
}

// end is Until, or after all that is stored.
func (q *ElsewhereQuery) end() int64 {
	if q.Until.IsZero() {
		return 1 << 60
	}
	return q.Until.Unix()
}

// summing adds up reports in memory.
type summing struct {
	query     *ElsewhereQuery
	e         Elsewhere
	days      map[int64]*ElsewhereDay
	reporters map[reporterKey]*Reporter
	sources   elsewhereSums
}

type reporterKey struct {
	name   string
	proven bool
}

// addUpBook is addUp of days in memory; ok is false where there are too many sources.
func addUpBook(q *ElsewhereQuery, days []*bookOthers) (e *Elsewhere, ok bool) {
	s := summing{query: q, days: map[int64]*ElsewhereDay{}, reporters: map[reporterKey]*Reporter{}, sources: elsewhereSums{}}
	since, until := q.Since.Unix(), q.end()
	for _, d := range days {
		for _, r := range d.reports {
			if r.start < since || r.start >= until || q.Reporter != "" && r.reporter != q.Reporter {
				continue
			}
			if s.add(r); len(s.sources) > maxElsewhere {
				return nil, false // which ones are told apart is the database's to say
			}
		}
	}
	for _, d := range s.days {
		s.e.Days = append(s.e.Days, *d)
	}
	slices.SortFunc(s.e.Days, func(a, b ElsewhereDay) int { return a.Day.Compare(b.Day) })
	for _, r := range s.reporters {
		s.e.Reports += r.Reports
		s.e.Reporters = append(s.e.Reporters, *r)
	}
	slices.SortFunc(s.e.Reporters, func(a, b Reporter) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Name, b.Name), -compareBool(a.Proven, b.Proven))
	})
	s.e.Reporters = s.e.Reporters[:min(len(s.e.Reporters), maxReporters)]
	s.e.Sources = s.sources.list()
	return &s.e, true
}

func compareBool(a, b bool) int { return bit(a) - bit(b) }

// add counts a report, if a row of it is asked for.
func (s *summing) add(r *bookReport) {
	var day *ElsewhereDay
	var reporter *Reporter
	first, last, left := time.Unix(r.start, 0).UTC(), time.Unix(r.until, 0).UTC(), false
	for i := range r.rows {
		row := &r.rows[i]
		switch {
		case !s.query.wants(row):
			continue
		case !r.proven && !s.query.Unproven:
			s.e.LeftOut.Messages += row.Messages
			left = true
			continue
		case reporter == nil:
			day, reporter = s.of(r)
			day.Reports++
			reporter.Reports++
			if last.After(reporter.Last) {
				reporter.Last = last
			}
		}
		day.add(row)
		reporter.Messages += row.Messages
		if row.DKIM || row.SPF {
			reporter.Pass += row.Messages
		}
		s.e.add(row)
		s.sources.of(row.Author, row.Network).add(row, r.reporter, first, last)
	}
	if left {
		s.e.LeftOut.Reports++
	}
}

// of are the day and the reporter that a report counts for.
func (s *summing) of(r *bookReport) (*ElsewhereDay, *Reporter) {
	at, key := floor(r.start, daySeconds), reporterKey{r.reporter, r.proven}
	if s.days[at] == nil {
		s.days[at] = &ElsewhereDay{Day: time.Unix(at, 0).UTC()}
	}
	if s.reporters[key] == nil {
		s.reporters[key] = &Reporter{Name: r.reporter, Proven: r.proven, Last: time.Unix(r.until, 0).UTC()}
	}
	return s.days[at], s.reporters[key]
}
