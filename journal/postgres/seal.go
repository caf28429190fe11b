package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How days are sealed. The numbers are ours.
const (
	// sealAfter is how long after its end a day is sealed: what is late mostly came.
	sealAfter = time.Hour
	// sealEvery is how often days are looked for, and sealAgain how long one waits that was
	// begun in vain, or that records came to after it was sealed.
	sealEvery, sealAgain = time.Minute, time.Hour
	// sealFor is how long the loader waits at a time, every ten seconds.
	sealFor = 300 * time.Millisecond
	// sealPages are read in one statement.
	sealPages = 1024
	// sealAbandoned is when another host may begin: who began was ended.
	sealAbandoned = "1 hour"
)

// making is a day that is being sealed.
type making struct {
	day     day
	build   int64
	node    uint32 // its file: who rewrites the partition, as VACUUM FULL does, moves rows
	pages   int64  // of the partition
	next    int64  // page to be read
	filter  *bloom
	columns [6]int64
}

// sealDays goes on with a day that is over, for a moment.
func (s *Store) sealDays(ctx context.Context, now time.Time) error {
	if s.version < 3 {
		return nil
	}
	at := true
	for begun := time.Now(); at && time.Since(begun) < sealFor; {
		if s.making == nil {
			var err error
			if at, err = s.nextToSeal(ctx, now); err != nil {
				return err
			}
		}
		if at {
			if err := s.goOnSealing(ctx); err != nil {
				return err
			}
		}
	}
	s.mu.Lock()
	s.health.Sealing = at
	s.mu.Unlock()
	return nil
}

// sealed are the partitions of days with a filter, and of those that somebody is at.
const sealed = "SELECT relation::oid FROM records_sealed WHERE lines > 0 OR begun > now() - interval '" + sealAbandoned + "'"

// nextToSeal begins with a day, if one is due.
func (s *Store) nextToSeal(ctx context.Context, now time.Time) (found bool, err error) {
	if len(s.due) == 0 {
		if time.Since(s.sealLooked) < sealEvery && !s.opt.Hurry {
			return false, nil
		}
		s.sealLooked = time.Now()
		if err := s.lookForDue(ctx); err != nil {
			return false, err
		}
		maps.DeleteFunc(s.sealTried, func(_ day, at time.Time) bool { return time.Since(at) > sealAgain })
	}
	for len(s.due) > 0 {
		p := s.due[0]
		s.due = s.due[1:]
		_, tried := s.sealTried[p.day]
		if tried || now.Before(time.UnixMilli((p.day + 1).begin()).Add(sealAfter)) {
			continue
		}
		s.sealTried[p.day] = time.Now()
		if begun, err := s.beginSealing(ctx, p); err != nil || begun {
			return begun, err
		}
	}
	return false, nil
}

// lookForDue finds the days without a filter.
func (s *Store) lookForDue(ctx context.Context) (err error) {
	if s.due, _, err = partsOf(ctx, s.conn); err != nil {
		return err
	}
	rows, err := s.conn.Query(ctx, sealed)
	if err != nil {
		return err
	}
	done, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	s.due = slices.DeleteFunc(s.due, func(p part) bool { return slices.Contains(done, p.oid) })
	return err
}

// beginSealing has all who write into the day from now on unseal it. What others wrote is
// there: a trigger is made once nobody writes.
func (s *Store) beginSealing(ctx context.Context, p part) (begun bool, err error) {
	m := &making{day: p.day, build: rand.Int64()}
	name := p.day.partition("records")
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '200ms'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE OR REPLACE TRIGGER records_unseal AFTER INSERT ON "+name+" FOR EACH ROW EXECUTE FUNCTION records_unseal()"); err != nil {
			return err
		}
		const old = "DELETE FROM records_sealed WHERE day = $1 AND (relation::oid <> $2 OR lines = 0 AND begun < now() - interval '" + sealAbandoned + "')"
		if _, err := tx.Exec(ctx, old, int32(p.day), p.oid); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "INSERT INTO records_sealed (day, relation, build) VALUES ($1, $2::oid, $3) ON CONFLICT DO NOTHING", int32(p.day), p.oid, m.build)
		begun = tag.RowsAffected() == 1
		return err
	})
	var fault *pgconn.PgError
	if errors.As(err, &fault) && (fault.Code == codeLockTimeout || fault.Code == codeNoTable) {
		return false, nil // somebody writes, or the day went
	}
	if err != nil || !begun {
		return false, err
	}
	var records int64
	const size = `SELECT coalesce(pg_relation_filenode($1::oid), 0), coalesce(pg_relation_size($1::oid), 0) / current_setting('block_size')::bigint,
		(SELECT coalesce(sum(items), 0) FROM blocks WHERE day = $2)`
	if err := s.conn.QueryRow(ctx, size, p.oid, int32(p.day)).Scan(&m.node, &m.pages, &records); err != nil {
		return false, err
	}
	if records > mostRecords {
		s.opt.Log.Info("a day of the journal has too many records for a filter: looking for an id takes longer", "day", p.day.String(), "records", records)
		s.sealTried[p.day] = time.Now().AddDate(0, 0, 1)
		return false, nil
	}
	m.filter = newBloom(records)
	s.making = m
	return true, nil
}

// goOnSealing reads some more of the day, and writes its filter at the end.
func (s *Store) goOnSealing(ctx context.Context) error {
	m := s.making
	if m.next >= m.pages {
		s.making = nil
		return s.endSealing(ctx, m)
	}
	text := fmt.Sprintf("SELECT queue, token, message, author, mailfrom, client FROM %s WHERE ctid >= '(%d,0)'::tid AND ctid < '(%d,0)'::tid",
		m.day.partition("records"), m.next, m.next+sealPages)
	m.next += sealPages
	rows, err := s.conn.Query(ctx, text)
	if err != nil {
		return s.unlessGone(err)
	}
	var into []any
	for i := range m.columns {
		into = append(into, &m.columns[i])
	}
	_, err = pgx.ForEachRow(rows, into, func() error {
		for i, column := range [...]string{"queue", "token", "message", "author", "mailfrom", "client"} {
			m.filter.add(column, m.columns[i])
		}
		return nil
	})
	return s.unlessGone(err)
}

// unlessGone is no error where the day that is being sealed was removed, which ends that.
func (s *Store) unlessGone(err error) error {
	if isGone(err) {
		s.making = nil
		return nil
	}
	return err
}

// endSealing writes the filter, unless records came meanwhile, or somebody moved those
// that were there.
func (s *Store) endSealing(ctx context.Context, m *making) error {
	return pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE records_sealed SET lines = $3 WHERE day = $1 AND build = $2 AND pg_relation_filenode(relation) = $4::oid", int32(m.day), m.build, m.filter.lines(), m.node)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		for part := range (m.filter.lines() + partLines - 1) / partLines {
			data := m.filter.bits[part*partLines*lineOctets:]
			data = data[:min(len(data), partLines*lineOctets)]
			if _, err := tx.Exec(ctx, "INSERT INTO records_filters VALUES ($1, $2, $3)", int32(m.day), part, data); err != nil {
				return err
			}
		}
		return nil
	})
}
