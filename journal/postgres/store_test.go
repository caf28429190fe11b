package postgres

import (
	"testing"
	"time"

	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// database is a place of its own in the cluster of the tests.
type database string

func (d database) Open(t *testing.T, keep time.Duration, maxSize int64) journal.Store {
	s := Open(Options{Access: Access{URL: string(d)}, Keep: keep, MaxSize: maxSize})
	t.Cleanup(func() { s.Close() })
	return s
}

func (d database) Reader(t *testing.T) journal.Reader {
	r := NewReader(Access{URL: string(d)})
	r.Skipped = func(err error) { t.Errorf("skipped: %v", err) }
	return r
}

func TestItDoesWhatAStoreDoes(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place { return database(pgtest.Database(t)) })
}
