package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"alignd/journal"
	"alignd/journal/spool"
)

// Survey implements journal.Surveyor. A part is a day; those that are made ahead and have
// nothing are left out.
func (r *Reader) Survey(ctx context.Context) (*journal.Survey, error) {
	s := &journal.Survey{}
	err := r.session(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		for _, part := range []func(context.Context, *pgx.Conn, *journal.Survey) error{surveyWhole, surveyDays, surveySpools} {
			if err := part(ctx, conn, s); err != nil {
				return late(ctx, err, readWithin)
			}
		}
		return nil
	})
	return s, err
}

func surveyWhole(ctx context.Context, conn *pgx.Conn, s *journal.Survey) error {
	var oldest, newest *int64
	err := conn.QueryRow(ctx, "SELECT (SELECT value::integer FROM meta WHERE key = 'version'), (SELECT min(time) FROM records), (SELECT max(time) FROM records)").
		Scan(&s.Version, &oldest, &newest)
	if err == nil && oldest != nil {
		s.Oldest, s.Newest = time.UnixMilli(*oldest).UTC(), time.UnixMilli(*newest).UTC()
	}
	return err
}

func surveyDays(ctx context.Context, conn *pgx.Conn, s *journal.Survey) error {
	rows, err := conn.Query(ctx, "SELECT day, sum(octets)::bigint, (SELECT coalesce(sum(items), 0) FROM blocks WHERE blocks.day = partitions.day) FROM "+partitions+
		" GROUP BY day ORDER BY day")
	if err != nil {
		return err
	}
	var d, octets, records int64
	_, err = pgx.ForEachRow(rows, []any{&d, &octets, &records}, func() error {
		if records > 0 {
			at := day(d)
			s.Parts = append(s.Parts, journal.Part{Name: at.partition("records"), Day: time.UnixMilli(at.begin()).UTC().Format(time.DateOnly), Octets: octets, Records: records})
		}
		return nil
	})
	return err
}

func surveySpools(ctx context.Context, conn *pgx.Conn, s *journal.Survey) error {
	rows, err := conn.Query(ctx, "SELECT spool, number FROM loaded ORDER BY spool")
	if err != nil {
		return err
	}
	var id []byte
	var number int64
	_, err = pgx.ForEachRow(rows, []any{&id, &number}, func() error {
		if len(id) == len(spool.ID{}) {
			s.Watermarks = append(s.Watermarks, journal.Watermark{Spool: spool.ID(id), Number: spool.Number(number)})
		}
		return nil
	})
	return err
}
