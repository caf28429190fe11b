package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
)

// Survey implements journal.Surveyor. A file that cannot be read has a Problem.
func (r *Reader) Survey(ctx context.Context) (*journal.Survey, error) {
	list, err := files(r.dir)
	if err != nil {
		return nil, err
	}
	s := surveying{taken: map[spool.ID]spool.Number{}}
	for _, n := range list {
		p := journal.Part{Name: n.String(), Day: n.day, Sealed: n.sealed, Octets: sizeOf(filepath.Join(r.dir, n.String()))}
		switch err := s.file(ctx, r.dir, n, &p); {
		case errors.Is(err, fs.ErrNotExist): // sealed or removed meanwhile
			continue
		case err != nil && !errors.Is(err, errEmpty):
			p.Problem = err.Error()
		}
		s.survey.Parts, s.names = append(s.survey.Parts, p), append(s.names, n)
	}
	if err := s.times(ctx, r.dir); err != nil {
		return nil, err
	}
	for id, number := range s.taken {
		s.survey.Watermarks = append(s.survey.Watermarks, journal.Watermark{Spool: id, Number: number})
	}
	return &s.survey, ctx.Err()
}

type surveying struct {
	survey journal.Survey
	names  []name // of its parts
	taken  map[spool.ID]spool.Number
}

// file reads what one file says of itself.
func (s *surveying) file(ctx context.Context, dir string, n name, p *journal.Part) error {
	db, conn, _, err := openReading(ctx, dir, n)
	if err != nil {
		return err
	}
	defer db.Close()
	defer conn.Close()
	var v int
	err = conn.QueryRowContext(ctx, "SELECT "+rowCount+", (SELECT value FROM meta WHERE key = 'version')").Scan(&p.Records, &v)
	if err != nil {
		return err
	}
	s.survey.Version = max(s.survey.Version, v)
	rows, err := conn.QueryContext(ctx, "SELECT spool, number FROM loaded")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		var number int64
		if err := rows.Scan(&id, &number); err != nil {
			return err
		}
		if len(id) == len(spool.ID{}) {
			s.taken[spool.ID(id)] = max(s.taken[spool.ID(id)], spool.Number(number))
		}
	}
	return rows.Err()
}

// times reads the oldest time of the first file with records and the newest of the
// last one: the files between lie between.
func (s *surveying) times(ctx context.Context, dir string) error {
	last := len(s.names) - 1
	for i := range s.names {
		if t, ok := s.timeIn(ctx, dir, i, "min"); ok {
			s.survey.Oldest = t
			break
		}
	}
	for i := range s.names {
		if t, ok := s.timeIn(ctx, dir, last-i, "max"); ok {
			s.survey.Newest = t
			break
		}
	}
	return ctx.Err()
}

// timeIn is the least or the greatest time of a part.
func (s *surveying) timeIn(ctx context.Context, dir string, part int, which string) (time.Time, bool) {
	if s.survey.Parts[part].Records == 0 {
		return time.Time{}, false
	}
	db, conn, _, err := openReading(ctx, dir, s.names[part])
	if err != nil {
		return time.Time{}, false
	}
	defer db.Close()
	defer conn.Close()
	var ms sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT "+which+"(time) FROM records").Scan(&ms); err != nil || !ms.Valid {
		return time.Time{}, false
	}
	return time.UnixMilli(ms.Int64).UTC(), true
}
