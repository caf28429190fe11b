package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A day that is over is sealed: it gets a filter of the keys of its records, so that a question
// for one of them opens the tables of the days that may have it, and of the days that are not
// sealed. To plan for all of 90 days takes a new session most of what a person waits for.
//
// Whoever writes into a sealed day unseals it in the same transaction, by a trigger of its
// partition, also an alignd of a version that knows nothing of it. A host seals it again
// later. docs/decisions/postgres-indexes.md has the measurements.

// sealing is what version 3 adds. A day is sealed where lines is not 0: until then the host
// that began, whose number build is, is at it. relation is the partition, as a day may go and
// come again. A trigger speaks for each row; after the first of a transaction it knows that
// there is nothing left to do, as the day cannot be sealed meanwhile.
const sealing = `
CREATE TABLE records_sealed (
	day integer PRIMARY KEY,
	relation regclass NOT NULL,
	build bigint NOT NULL,
	begun timestamptz NOT NULL DEFAULT now(),
	lines bigint NOT NULL DEFAULT 0
);
CREATE TABLE records_filters (
	day integer NOT NULL REFERENCES records_sealed ON DELETE CASCADE,
	part bigint NOT NULL,
	data bytea NOT NULL,
	PRIMARY KEY (day, part)
);
ALTER TABLE records_filters ALTER data SET STORAGE EXTERNAL;
CREATE FUNCTION records_unseal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('alignd.unsealed', true) IS DISTINCT FROM TG_RELID::text THEN
		EXECUTE format('DELETE FROM %I.records_sealed WHERE relation::oid = $1', TG_TABLE_SCHEMA) USING TG_RELID;
		PERFORM set_config('alignd.unsealed', TG_RELID::text, true);
	END IF;
	RETURN NULL;
END $$`

// mayAsk: there are filters, and this role may read them. A reader may have got its rights
// before there were any.
const mayAsk = `SELECT coalesce(has_table_privilege(to_regclass('records_sealed'), 'SELECT') AND has_table_privilege(to_regclass('records_filters'), 'SELECT'), false)`

// candidates are the days of parts that may have what is wanted, in their order.
func candidates(ctx context.Context, conn *pgx.Conn, parts []part, w wanted) (days []day, err error) {
	var without map[day]bool
	if len(w) > 0 {
		if without, err = daysWithout(ctx, conn, parts, w); err != nil {
			return nil, err
		}
	}
	for _, p := range parts {
		if !without[p.day] {
			days = append(days, p.day)
		}
	}
	return days, nil
}

// lines reads of each sealed day the line of each key.
const lines = `SELECT s.day, k.n - 1, substr(f.data, (k.line % s.lines % $3)::integer * $4 + 1, $4)
	FROM records_sealed s CROSS JOIN unnest($2::bigint[]) WITH ORDINALITY AS k(line, n)
	JOIN records_filters f ON f.day = s.day AND f.part = k.line % s.lines / $3
	WHERE s.lines > 0 AND s.relation::oid = ANY ($1::oid[])`

// daysWithout are the days whose filters say that a key that is wanted is not there.
func daysWithout(ctx context.Context, conn *pgx.Conn, parts []part, w wanted) (map[day]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	oids := make([]uint32, len(parts))
	for i, p := range parts {
		oids[i] = p.oid
	}
	var keys []hashed
	var numbers []int64
	var of []int // the list of w that a key is in
	for i, list := range w {
		for _, h := range list {
			keys, numbers, of = append(keys, h), append(numbers, h.line), append(of, i)
		}
	}
	rows, err := conn.Query(ctx, lines, oids, numbers, int64(partLines), int32(lineOctets))
	if err != nil {
		return nil, late(ctx, err, readWithin)
	}
	missing := map[day][]int{} // of each list of w the number of its keys that are not there
	var d day
	var n int64
	var line []byte
	_, err = pgx.ForEachRow(rows, []any{(*int32)(&d), &n, &line}, func() error {
		if !mayHave(line, keys[n]) {
			if missing[d] == nil {
				missing[d] = make([]int, len(w))
			}
			missing[d][of[n]]++
		}
		return nil
	})
	without := map[day]bool{}
	for d, counts := range missing {
		for i, n := range counts {
			without[d] = without[d] || n == len(w[i])
		}
	}
	return without, late(ctx, err, readWithin)
}
