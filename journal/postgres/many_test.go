package postgres

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/policy"
)

// TestQuestionsAmongMany measures questions to a day that has many records; ALIGND_ROWS says
// how many. Most are rows alone, with keys of nobody, which indexes and scans meet all the
// same; the last ones are whole, spread over the day.
func TestQuestionsAmongMany(t *testing.T) {
	rows, _ := strconv.Atoi(os.Getenv("ALIGND_ROWS"))
	if rows == 0 && os.Getenv("ALIGND_E2E") != "" {
		rows = 1_000_000
	}
	if rows == 0 {
		t.Skip("left out: questions among a million records of PostgreSQL (make test), and among ten millions (ALIGND_ROWS=10000000)")
	}
	c := pgtest.Start(t, "shared_buffers=1GB", "max_wal_size=8GB", "maintenance_work_mem=256MB")
	url := c.Database(t)
	s := Open(Options{Access: Access{URL: url}})
	defer s.Close()
	const whole = 100_000
	noon := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	w := &made.World{Begin: noon, Step: 24 * time.Hour / whole}
	if err := s.Tidy(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	indexes := ask(t, url, "SELECT indexdef FROM pg_indexes WHERE tablename = 'records'")
	execute(t, url, dropIndexes...)
	execute(t, url, `INSERT INTO records SELECT i << 16, `+ms(noon)+` + i * 86400000 / `+strconv.Itoa(rows)+`, random() * 9e18, random() * 9e18, random() * 9e18,
		hashint8extended(power(20001, random())::bigint, 1), hashint8extended(power(20001, random())::bigint, 2), 3e9 + random() * 65536 * 256, 0, random() * 60000, 0
		FROM generate_series(1::bigint, `+strconv.Itoa(rows-whole)+`) AS i`)
	for _, text := range indexes {
		execute(t, url, strings.Replace(text, " ON ONLY ", " ON ", 1))
	}
	execute(t, url, "ANALYZE records", "CHECKPOINT", "SELECT pg_stat_reset_shared('wal')")
	t.Logf("%d rows took %s", rows-whole, time.Since(begun).Round(time.Second))
	dir := fill(t, w, 0, whole)
	begun = time.Now()
	load(t, dir, s, whole)
	t.Logf("%.0f records a second were taken in among them", whole/time.Since(begun).Seconds())
	t.Logf("WAL: %s octets a record", ask(t, url, "SELECT (wal_bytes / "+strconv.Itoa(whole)+")::bigint FROM pg_stat_wal")[0])
	t.Logf("octets: %v", ask(t, url, "SELECT relname, pg_table_size(oid) / "+strconv.Itoa(rows)+", pg_indexes_size(oid) / "+strconv.Itoa(rows)+" FROM pg_class WHERE relname IN ('records_20261127', 'blocks_20261127', 'names_20261127')"))

	r := NewReader(Access{URL: url})
	defer r.Close()
	some := w.Record(whole / 2)
	for _, q := range []struct {
		name string
		q    journal.Query
		most time.Duration
	}{
		{name: "queue id", q: journal.Query{QueueID: some.Evidence.QueueID}, most: 100 * time.Millisecond},
		{name: "token", q: journal.Query{Token: some.Evidence.Token}, most: 100 * time.Millisecond},
		{name: "Message-ID", q: journal.Query{MessageID: some.Evidence.MessageID}, most: 100 * time.Millisecond},
		{name: "id of any kind", q: journal.Query{ID: some.Evidence.QueueID}, most: 100 * time.Millisecond},
		{name: "domain that writes most", q: journal.Query{Domain: made.DomainOf(0), Limit: 100}, most: 100 * time.Millisecond},
		{name: "domain that writes some", q: journal.Query{Domain: made.DomainOf(50), Limit: 100}, most: 100 * time.Millisecond},
		{name: "domain of MAIL FROM", q: journal.Query{MailFrom: made.DomainOf(10), Limit: 100}, most: 100 * time.Millisecond},
		{name: "sender", q: journal.Query{MailFrom: some.Evidence.MailFrom, Limit: 100}, most: 100 * time.Millisecond},
		{name: "client", q: journal.Query{Client: netip.PrefixFrom(some.Evidence.Client.Peer, 32), Limit: 100}, most: 100 * time.Millisecond},
		{name: "network", q: journal.Query{Client: netip.MustParsePrefix("192.0.2.0/24"), Limit: 100}, most: 100 * time.Millisecond},
		{name: "the newest", q: journal.Query{Limit: 100}, most: 100 * time.Millisecond},
		{name: "an hour of a domain", q: journal.Query{Domain: made.DomainOf(0), Since: noon.Add(time.Hour), Until: noon.Add(2 * time.Hour), Limit: 100}, most: 100 * time.Millisecond},
		{name: "refused", q: journal.Query{Disposition: policy.DispositionReject, Limit: 100}, most: 2 * time.Second},
		{name: "a disposition that nothing has", q: journal.Query{Disposition: policy.DispositionTempfail, Limit: 100}, most: 2 * time.Second},
		{name: "a rule that nothing has", q: journal.Query{Rule: "nothing", Limit: 100}, most: 2 * time.Second},
		{name: "held back, which nothing was", q: journal.Query{Would: policy.DeliverDefer, Limit: 100}, most: 2 * time.Second},
	} {
		var took [6]time.Duration
		n := 0
		for i := range took {
			begun := time.Now()
			n = 0
			if err := r.Search(t.Context(), q.q, func(*journal.Entry) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			took[i] = time.Since(begun)
		}
		warm := slices.Min(took[1:])
		t.Logf("%-32s %4d found, first %v, warm %v", q.name, n, took[0].Round(100*time.Microsecond), warm.Round(100*time.Microsecond))
		if warm > q.most {
			t.Errorf("%s: warm %v, want %v at most", q.name, warm, q.most)
		}
	}
}

var dropIndexes = []string{"DROP INDEX records_time, records_queue, records_token, records_message, records_author, records_mailfrom, records_client"}
