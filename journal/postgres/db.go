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
	db := sql.OpenDB(connector{a})
	db.SetMaxOpenConns(poolMost)
	db.SetConnMaxIdleTime(poolIdle)
	return db, nil
}

type connector struct{ access Access }

func (c connector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	cfg, err := c.access.config()
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return set(ctx, conn, cfg)
	})).Connect(ctx)
}
