// Package postgres keeps a journal in PostgreSQL, where several hosts share one memory.
//
// The tables are those of package sqlite: search columns, one row a record, beside blocks
// of encoded records, compressed by zstd. records, blocks and names are partitioned by UTC
// day, so that retention is a DROP. Hosts write at the same time and do not wait for each
// other: each spool has a row of its own in loaded, its watermark, which is written in the
// transaction of the records themselves.
//
// A database may fall back behind what it had: an asynchronous replica took over, or a
// backup was restored. Each transaction begins with the watermark that the store remembers;
// where the database has a lower one, Take and Tidy return journal.ErrAnew, and the
// loader reads the spool again.
//
// Tables of others in the same schema are left alone. Names that begin with records, blocks,
// names, loaded, messages and meta are this package's.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"alignd/journal"
)

// product and version say what the tables are, and reads is the oldest version whose programs
// may read and write them. Package sqlite says how a schema changes. The first version here
// was 2; version 3 adds the filters of days that are over, which version 2 passes over.
const (
	product = "alignd journal"
	version = 3
	reads   = 2
)

// schema is that of version 2, to which version 3 adds sealing. docs/journal.md tells of it.
// In names and blocks, day is the number of days since 1970; items are the records of a block.
const schema = `
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE loaded (spool bytea PRIMARY KEY, number bigint NOT NULL);
CREATE SEQUENCE blocks_id;
CREATE TABLE blocks (
	day integer NOT NULL,
	id bigint NOT NULL,
	items integer NOT NULL,
	data bytea NOT NULL,
	PRIMARY KEY (day, id)
) PARTITION BY LIST (day);
ALTER TABLE blocks ALTER data SET STORAGE EXTERNAL;
CREATE TABLE names (
	day integer NOT NULL,
	key bigint NOT NULL,
	name text NOT NULL,
	PRIMARY KEY (day, key)
) PARTITION BY LIST (day);
CREATE TABLE records (
	id bigint NOT NULL,
	time bigint NOT NULL,
	queue bigint NOT NULL,
	token bigint NOT NULL,
	message bigint NOT NULL,
	author bigint NOT NULL,
	mailfrom bigint NOT NULL,
	client bigint NOT NULL,
	rule bigint NOT NULL,
	sender integer NOT NULL,
	results integer NOT NULL
) PARTITION BY RANGE (time);
CREATE INDEX records_time ON records (time);
CREATE INDEX records_author ON records (author, time);
CREATE INDEX records_mailfrom ON records (mailfrom, time);
CREATE INDEX records_client ON records (client, time);
CREATE INDEX records_queue ON records USING brin (queue int8_bloom_ops(n_distinct_per_range=-0.27)) WITH (pages_per_range = 32);
CREATE INDEX records_token ON records USING brin (token int8_bloom_ops(n_distinct_per_range=-0.27)) WITH (pages_per_range = 32);
CREATE INDEX records_message ON records USING brin (message int8_bloom_ops(n_distinct_per_range=-0.27)) WITH (pages_per_range = 32);
`

// rangePages is how many pages of records a Bloom filter of these indexes covers. Of 291 rows
// that PostgreSQL believes a page may have, 0.27 are there.
const rangePages = 32

// placeBits is how many bits of a record's id are its place in its block; those above
// are the block's id.
const placeBits = 16

// maxItems is how many items a block has at most.
const maxItems = 1 << placeBits

// view shows the columns to people who ask with psql. Its columns are those that the view of
// the same name has in the other store.
func view() string {
	name := func(key string) string {
		return fmt.Sprintf("(SELECT name FROM names WHERE day = r.time / %d AND key = r.%s)", dayMilliseconds, key)
	}
	hex := func(shift int) string { return fmt.Sprintf("to_hex(client >> %d & 65535)", shift) }
	const isV4 = "CASE WHEN client BETWEEN 0 AND 4294967295 THEN "
	columns := []string{
		"id",
		"to_timestamp(time / 1000.0) AS time",
		name("author") + " AS author_domain",
		name("mailfrom") + " AS mail_from_domain",
		isV4 + "host('0.0.0.0'::inet + client) WHEN client <> -1 THEN concat_ws(':', " + hex(48) + ", " + hex(32) + ", " + hex(16) + ", " + hex(0) + ") || '::/64' END AS client",
		isV4 + "host('0.0.0.0'::inet + (client & ~255::bigint)) || '/24' WHEN client <> -1 THEN concat_ws(':', " + hex(48) + ", " + hex(32) + ", " + hex(16) + ") || '::/48' END AS client_network",
		name("rule") + " AS rule",
		digit(6, journal.Results) + " AS spf",
		digit(5, journal.Results) + " AS dkim",
		digit(4, journal.Results) + " AS arc",
		digit(3, journal.Results) + " AS dmarc",
		digit(2, journal.Dispositions) + " AS disposition",
		digit(1, journal.Deliveries) + " AS delivery",
		digit(7, journal.Deliveries) + " AS would",
		"CASE results % 10 WHEN 0 THEN 'written' WHEN 1 THEN 'lost' ELSE 'unknown' END AS answer",
	}
	return "CREATE VIEW messages AS SELECT\n\t" + strings.Join(columns, ",\n\t") + "\nFROM records r"
}

// digit is the word for a digit of results, the last one being 0; NULL for none.
func digit[T ~string](n int, words []T) string {
	power := "1" + strings.Repeat("0", n)
	text := "CASE results / " + power + " % 10"
	for i, w := range words {
		text += fmt.Sprintf(" WHEN %d THEN '%s'", i+1, w)
	}
	return text + " END"
}

// tables are those that have a partition a day.
var tables = []string{"records", "blocks", "names"}

// Advisory locks of the database, two numbers each.
const (
	lockClass  = 0x616c6967 // "alig"
	lockSchema = 1          // held while tables are made
	lockTidy   = 2          // held by the host that tidies
	lockFilter = 3          // held by the host that makes filters
)

// ErrForeign: the tables are no journal of a version that is known.
var ErrForeign = errors.New("it is no journal that this version reads")

// errEmpty: the schema has none of our tables.
var errEmpty = errors.New("the database has no journal yet")

// checkSchema is the version of the tables, or says what they are if they are not ours.
func checkSchema(ctx context.Context, conn *pgx.Conn) (int, error) {
	var there int
	err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
		AND relname IN ('meta', 'loaded', 'records', 'blocks', 'names', 'messages')`).Scan(&there)
	if err != nil {
		return 0, err
	}
	if there == 0 {
		return 0, errEmpty
	}
	var got, is, needs string
	err = conn.QueryRow(ctx, `SELECT coalesce(max(value::text) FILTER (WHERE key::text = 'product'), ''), coalesce(max(value::text) FILTER (WHERE key::text = 'version'), ''),
		coalesce(max(value::text) FILTER (WHERE key::text = 'reads'), '') FROM meta`).Scan(&got, &is, &needs)
	if err != nil && !isTheirs(err) {
		return 0, err
	}
	if err != nil || got != product {
		return 0, fmt.Errorf("%w: tables of another product, named meta, loaded, records, blocks, names or messages", ErrForeign)
	}
	if n, err := strconv.Atoi(needs); err != nil || n > version {
		return 0, fmt.Errorf("%w: a later alignd made it, with version %s of the schema; this one reads up to %d", ErrForeign, is, version)
	}
	have, err := strconv.Atoi(is)
	return have, err
}

// isTheirs: the fault says that a table or column is not there.
func isTheirs(err error) bool {
	var fault *pgconn.PgError
	return errors.As(err, &fault) && (fault.Code == codeNoTable || fault.Code == codeNoColumn || fault.Code == codeNoFunction)
}

// isGone: the fault says that a table is not there.
func isGone(err error) bool {
	var fault *pgconn.PgError
	return errors.As(err, &fault) && fault.Code == codeNoTable
}

// SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	codeNoTable     = "42P01"
	codeNoColumn    = "42703"
	codeNoFunction  = "42883" // also an operator: a column of another type
	codeNoRight     = "42501"
	codeLockTimeout = "55P03"
	codeDiskFull    = "53100"
)

// makeSchema makes the tables where there are none. Hosts that begin together take turns.
func makeSchema(ctx context.Context, conn *pgx.Conn) error {
	return inTurn(ctx, conn, func(tx pgx.Tx) error {
		if _, err := checkSchema(ctx, conn); !errors.Is(err, errEmpty) {
			return err
		}
		text := fmt.Sprintf("%s; %s; %s; INSERT INTO meta VALUES ('product', '%s'), ('version', '%d'), ('reads', '%d')", schema, sealing, view(), product, version, reads)
		_, err := tx.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// migrate adds what this version has more than the one before. Hosts of that version go on:
// they pass over it.
func migrate(ctx context.Context, conn *pgx.Conn) error {
	return inTurn(ctx, conn, func(tx pgx.Tx) error {
		if have, err := checkSchema(ctx, conn); err != nil || have >= version {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf("%s; UPDATE meta SET value = '%d' WHERE key = 'version'", sealing, version), pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// inTurn runs f in a transaction of which there is one at a time in the database.
func inTurn(ctx context.Context, conn *pgx.Conn, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockClass, lockSchema); err != nil {
			return err
		}
		return f(tx)
	})
}

// day is a UTC day, in days since 1970.
type day int32

const dayMilliseconds = 24 * 60 * 60 * 1000

func dayOf(t time.Time) day {
	ms := t.UnixMilli()
	d := ms / dayMilliseconds
	if ms%dayMilliseconds < 0 {
		d--
	}
	return day(d)
}

// begin is the first millisecond of the day.
func (d day) begin() int64 { return int64(d) * dayMilliseconds }

const dayForm = "20060102"

func (d day) String() string { return time.UnixMilli(d.begin()).UTC().Format(dayForm) }

// partition is the name of the part of a table that has the day.
func (d day) partition(table string) string { return table + "_" + d.String() }

// bounds are those of the day's part of a table, in SQL.
func (d day) bounds(table string) string {
	if table == "records" {
		return fmt.Sprintf("FROM (%d) TO (%d)", d.begin(), (d + 1).begin())
	}
	return fmt.Sprintf("IN (%d)", d)
}

// makeDay makes the partitions of a day where they are not there. A partition is attached
// once it is made, which keeps nobody waiting who reads or writes.
func makeDay(ctx context.Context, conn *pgx.Conn, d day) error {
	return inTurn(ctx, conn, func(tx pgx.Tx) error {
		for _, table := range tables {
			var there bool
			part := d.partition(table)
			if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = $1::text::regclass AND inhrelid = to_regclass($2))", table, part).Scan(&there); err != nil {
				return err
			}
			if there {
				continue
			}
			text := fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)", part, table)
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
			text = fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s", table, part, d.bounds(table))
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// part is the partition of records of a day.
type part struct {
	day day
	oid uint32
}

// partsOf lists those that there are, newest first. That of records is made first, and all
// of a day go together. Sizes are not asked for: each is a look at files. filters: there are
// some, and this role may read them.
func partsOf(ctx context.Context, conn *pgx.Conn) (list []part, filters bool, err error) {
	rows, err := conn.Query(ctx, "SELECT inhrelid, relname::text, ("+mayAsk+") FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'records'::regclass")
	if err != nil {
		return nil, false, err
	}
	var p part
	var name string
	_, err = pgx.ForEachRow(rows, []any{&p.oid, &name, &filters}, func() error {
		digits, ours := strings.CutPrefix(name, "records_")
		if t, err := time.Parse(dayForm, digits); err == nil && ours { // else somebody made it
			p.day = dayOf(t)
			list = append(list, p)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b part) int { return cmp.Compare(b.day, a.day) })
	return list, filters, err
}

// partitions has the day and the octets of each partition.
const partitions = `(SELECT ` + partitionDay + ` AS day, pg_total_relation_size(oid) AS octets
	FROM pg_inherits JOIN pg_class ON oid = inhrelid
	WHERE inhparent IN ('records'::regclass, 'blocks'::regclass, 'names'::regclass) AND relname ~ '_[0-9]{8}$') AS partitions`

// partitionDay is the day of a partition by its name.
const partitionDay = "to_date(right(relname, 8), 'YYYYMMDD') - date '1970-01-01'"
