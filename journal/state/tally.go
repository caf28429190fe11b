package state

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"alignd/journal"
)

// Tally is what a message adds to a report: one to a line of it. What a report and a
// line say is the caller's; here they are octets with a key.
type Tally struct {
	Report [32]byte
	Day    time.Time // midnight UTC
	Domain string    // whom the report is for
	Org    string    // the organization that Domain is of
	Due    bool      // the report is sent whatever else is counted, as of a domain of ours
	About  []byte    // the report; that of the last message holds
	Passed bool      // the message passed, so the domain does send mail here
	// OnlyPassed: nothing is counted but that it passed; Domain and Day are set.
	OnlyPassed bool
	// Optional: the message alone is no reason for a report.
	Optional bool
	Line     [32]byte
	Data     []byte // the line
}

// The bounds of a day are ours. They keep mail from forged domains without number from
// filling disk and memory.
const (
	// maxLines is how many lines a report has, each of lineUnit octets; a longer one counts
	// as several. Further ones are counted as dropped.
	maxLines = 100_000
	lineUnit = 256
	// passLines are further lines of a report for what passed, so that forged mail cannot take
	// all of them.
	passLines = maxLines / 4
	// freeAbout is how many octets a report says of itself that count for no line.
	freeAbout = 1024
	// maxOfOrg is how many reports a day has for one organization, and of how many of its
	// domains is remembered that mail passed; further ones are not kept.
	maxOfOrg = 100
	// maxOfDay is how many lines all reports of a day have. Beyond, only those are counted
	// that are due, or whose domain passed before.
	maxOfDay = 400_000
	// maxPassed is for how many organizations a process knows how many domains passed.
	maxPassed = 50_000
	// keepPasses is how long is remembered that mail of a domain passed.
	keepPasses = 30 * 24 * time.Hour
)

// tallies are gathered until they are written.
type tallies struct {
	of      func(*journal.Entry) []Tally
	reports map[[32]byte]*gathered
	passes  map[pass]bool
	known   map[int64]int64 // lines of a day in the database, as far as known
	passed  map[orgDay]int  // domains of which was remembered that mail passed, by this process
	told    int64           // the day of which was told that it is full

	// overRows and overReports are messages that the next flush leaves out; the others
	// those that were, for State.Dropped.
	overRows, overReports       int64
	droppedRows, droppedReports atomic.Uint64
}

// gathered is what a report gets by the next flush.
type gathered struct {
	Tally
	passed   bool
	messages int64
	wanted   int64 // those that are not optional
	lines    map[[32]byte]*line
}

type line struct {
	data     []byte
	passed   bool
	messages int64
}

func newTallies(of func(*journal.Entry) []Tally) *tallies {
	return &tallies{of: of, reports: map[[32]byte]*gathered{}, passes: map[pass]bool{}, known: map[int64]int64{}, passed: map[orgDay]int{}}
}

func (t *tallies) clear() {
	clear(t.reports)
	clear(t.passes)
	t.overRows, t.overReports = 0, 0
}

// written counts what the flush that is done has left out.
func (t *tallies) written() {
	t.droppedRows.Add(uint64(t.overRows))
	t.droppedReports.Add(uint64(t.overReports))
	t.clear()
}

// pass is a day on which mail of a domain passed.
type pass struct {
	domain, org string
	day         int64
}

type orgDay struct {
	org string
	day int64
}

// note adds what e says. A message whose answer the MTA may not have heard comes again.
func (t *tallies) note(e *journal.Entry) {
	if t.of == nil || e.Answer != journal.AnswerWritten {
		return
	}
	for _, x := range t.of(e) {
		if x.OnlyPassed {
			t.passes[pass{x.Domain, x.Org, x.Day.Unix()}] = true
			continue
		}
		g := t.reports[x.Report]
		if g == nil {
			g = &gathered{lines: map[[32]byte]*line{}}
			t.reports[x.Report] = g
		}
		g.Tally = x
		g.messages++
		g.passed = g.passed || x.Passed
		if !x.Optional {
			g.wanted++
		}
		l := g.lines[x.Line]
		if l == nil {
			l = &line{data: x.Data, passed: x.Passed}
			g.lines[x.Line] = l
		}
		l.messages++
	}
}

// sortedKeys are in one order on all hosts, so that these cannot wait for each other in
// a circle.
func sortedKeys[V any](m map[[32]byte]V) (keys [][32]byte) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

func (s *State) writeTallies(ctx context.Context, tx *sql.Tx) error {
	s.reports.overRows, s.reports.overReports = 0, 0 // of a try that failed
	for _, k := range sortedKeys(s.reports.reports) {
		if err := s.writeReport(ctx, tx, s.reports.reports[k]); err != nil {
			return err
		}
	}
	passes := slices.SortedFunc(maps.Keys(s.reports.passes), func(a, b pass) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.day, b.day))
	})
	for _, p := range passes {
		if err := s.rememberPass(ctx, tx, p, false); err != nil {
			return err
		}
	}
	return nil
}

// rememberPass notes that mail of a domain passed, unless too many names below one
// organization did: whoever has one domain has names without number.
func (s *State) rememberPass(ctx context.Context, tx *sql.Tx, p pass, due bool) error {
	r, of := s.reports, orgDay{p.org, p.day}
	if r.passed[of] >= maxOfOrg && !due {
		return nil
	}
	n, err := s.exec(ctx, tx, "INSERT INTO state_passes VALUES (?, ?) ON CONFLICT DO NOTHING", p.domain, p.day)
	if n > 0 {
		if len(r.passed) >= maxPassed {
			clear(r.passed)
		}
		r.passed[of]++
	}
	return err
}

// writeReport adds to a report. The update of its row also keeps it from being cut
// meanwhile.
func (s *State) writeReport(ctx context.Context, tx *sql.Tx, g *gathered) error {
	if g.passed {
		if err := s.rememberPass(ctx, tx, pass{g.Domain, g.Org, g.Day.Unix()}, g.Due); err != nil {
			return err
		}
	}
	n, err := s.exec(ctx, tx, "UPDATE state_tallies SET messages = messages + ?, wanted = wanted + ?, about = ? WHERE report = ?",
		g.messages, g.wanted, g.About, g.Report[:])
	if err != nil {
		return err
	}
	if n == 0 {
		has, err := s.hasRoom(ctx, tx, g)
		if err != nil || !has {
			s.reports.overReports += g.messages
			return err
		}
		_, err = s.exec(ctx, tx, `INSERT INTO state_tallies VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT (report) DO UPDATE
			SET messages = state_tallies.messages + excluded.messages, wanted = state_tallies.wanted + excluded.wanted`,
			g.Report[:], g.Day.Unix(), g.Org, g.Domain, g.About, g.messages, g.wanted)
		if err != nil {
			return err
		}
	}
	return s.writeLines(ctx, tx, g)
}

// number asks for one.
func (s *State) number(ctx context.Context, on conn, statement string, args ...any) (n int64, err error) {
	var found sql.NullInt64
	err = s.rows(ctx, on, func(r *sql.Rows) error { return r.Scan(&found) }, statement, args...)
	return found.Int64, err
}

// hasRoom reports whether its day has room for a further report.
func (s *State) hasRoom(ctx context.Context, tx *sql.Tx, g *gathered) (bool, error) {
	n, err := s.number(ctx, tx, "SELECT count(*) FROM state_tallies WHERE day = ? AND org = ?", g.Day.Unix(), g.Org)
	if err != nil || n >= maxOfOrg && !g.Due {
		return false, err
	}
	return s.mayGrow(ctx, tx, g)
}

// mayGrow reports whether a day may have further lines of a report.
func (s *State) mayGrow(ctx context.Context, tx *sql.Tx, g *gathered) (bool, error) {
	day := g.Day.Unix()
	if _, known := s.reports.known[day]; !known {
		n, err := s.number(ctx, tx, "SELECT CAST(sum(lines) AS bigint) FROM state_tallies WHERE day = ?", day)
		if err != nil {
			return false, err
		}
		if len(s.reports.known) > 10 { // days that are over
			clear(s.reports.known)
		}
		s.reports.known[day] = n
	}
	if s.reports.known[day] < maxOfDay || g.Due {
		return true, nil
	}
	if s.reports.told != day {
		s.reports.told = day
		s.log.Warn("a day has too many rows of reports, so only domains whose mail passed before get further ones", "day", g.Day.Format(time.DateOnly))
	}
	passed, err := s.number(ctx, tx, "SELECT count(*) FROM state_passes WHERE domain = ? AND day < ?", g.Domain, day)
	return passed > 0, err
}

func (s *State) writeLines(ctx context.Context, tx *sql.Tx, g *gathered) error {
	var cut, lines int64
	one := func(r *sql.Rows) error { return r.Scan(&cut, &lines) }
	if err := s.rows(ctx, tx, one, "SELECT cut, lines FROM state_tallies WHERE report = ?", g.Report[:]); err != nil {
		return err
	}
	grows, err := s.mayGrow(ctx, tx, g)
	if err != nil {
		return err
	}
	was, dropped := lines, int64(0)
	for _, k := range sortedKeys(g.lines) {
		l := g.lines[k]
		most := int64(maxLines)
		if l.passed {
			most += passLines
		}
		n, err := s.exec(ctx, tx, "UPDATE state_lines SET messages = messages + ? WHERE report = ? AND cut = ? AND line = ?",
			l.messages, g.Report[:], cut, k[:])
		switch {
		case err != nil:
			return err
		case n > 0:
			continue
		case lines >= most || !grows:
			dropped += l.messages
			continue
		}
		if _, err := s.exec(ctx, tx, "INSERT INTO state_lines VALUES (?, ?, ?, ?, ?)", g.Report[:], cut, k[:], l.data, l.messages); err != nil {
			return err
		}
		if lines == 0 {
			lines = int64(max(0, len(g.About)-freeAbout)) / lineUnit
		}
		lines += 1 + int64(len(l.data))/lineUnit
	}
	s.reports.known[g.Day.Unix()] += lines - was
	s.reports.overRows += dropped
	if lines == was && dropped == 0 {
		return nil
	}
	_, err = s.exec(ctx, tx, "UPDATE state_tallies SET lines = ?, dropped = dropped + ? WHERE report = ?", lines, dropped, g.Report[:])
	return err
}

// saySo tells all hosts through which time this one has counted: the loader calls Tidy
// when it has taken what there is, and answers are known within seconds.
func (s *State) saySo(ctx context.Context, now time.Time) error {
	if s.reports.of == nil || !s.begun {
		return nil
	}
	_, err := s.exec(ctx, s.db, "INSERT INTO state_hosts VALUES (?, ?) ON CONFLICT (spool) DO UPDATE SET through = excluded.through",
		s.from[:], now.Add(-time.Minute).Unix())
	return err
}
