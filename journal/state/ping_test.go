package state

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"
)

// gone is a database whose host does not answer any more: who asks waits as long as it may.
type gone struct{ waited bool }

func (g *gone) Connect(context.Context) (driver.Conn, error) { return g, nil }
func (g *gone) Driver() driver.Driver                        { return nil }
func (g *gone) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("gone") }
func (g *gone) Begin() (driver.Tx, error)                    { return nil, errors.New("gone") }
func (g *gone) Close() error                                 { return nil }

func (g *gone) Ping(ctx context.Context) error {
	_, g.waited = ctx.Deadline()
	return errors.New("gone")
}

// A host that is gone keeps the loader no longer than a statement would.
func TestAHostThatIsGoneIsNotWaitedForWithoutEnd(t *testing.T) {
	g := &gone{}
	s := OpenPostgres(sql.OpenDB(g), Options{})
	if err := s.Tidy(t.Context(), time.Now()); err == nil || !g.waited {
		t.Errorf("%v, with a bound: %v", err, g.waited)
	}
}
