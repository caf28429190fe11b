package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Numbers of a pool, ours.
const (
	poolMost = 8
	poolIdle = 5 * time.Minute
)

// DB is a pool of connections to the database, for what lies beside the journal. It does
// not reach for the server. Password and certificates are read at each connect.
func (a Access) DB() (*sql.DB, error) {
	db := sql.OpenDB(connector{access: a})
	db.SetMaxOpenConns(poolMost)
	db.SetConnMaxIdleTime(poolIdle)
	return db, nil
}

// KeptDB is a DB for who looks now and then, and is not to hear of a server that was started
// again: each session shows that it is alive before it is used again.
func (a Access) KeptDB() *sql.DB {
	db := sql.OpenDB(connector{access: a, kept: true})
	// As many as there are looks: one that has a session and waits for another is not to
	// wait for those that do the same.
	db.SetMaxOpenConns(0)
	db.SetMaxIdleConns(idleSessions)
	db.SetConnMaxIdleTime(sessionIdle)
	db.SetConnMaxLifetime(sessionAge)
	return db
}

type connector struct {
	access Access
	kept   bool
}

func (c connector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	cfg, err := c.access.config()
	if err != nil {
		return nil, err
	}
	options := []stdlib.OptionOpenDB{stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return set(ctx, conn, cfg)
	})}
	if c.kept {
		options = append(options, stdlib.OptionResetSession(func(ctx context.Context, conn *pgx.Conn) error {
			if !alive(ctx, conn) {
				return driver.ErrBadConn
			}
			return nil
		}))
	}
	return stdlib.GetConnector(*cfg, options...).Connect(ctx)
}
