package postgres

import (
	"context"
	"database/sql"
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
// not reach for the server. The password is read at each connect.
func (a Access) DB() (*sql.DB, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*cfg,
		stdlib.OptionBeforeConnect(func(_ context.Context, cfg *pgx.ConnConfig) error {
			now, err := a.config()
			if err == nil {
				cfg.Password = now.Password
			}
			return err
		}),
		stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			for name, value := range settings {
				if _, said := cfg.RuntimeParams[name]; said {
					continue
				}
				if _, err := conn.Exec(ctx, "SELECT set_config($1, $2, false)", name, value); err != nil {
					return err
				}
			}
			return nil
		}))
	db.SetMaxOpenConns(poolMost)
	db.SetConnMaxIdleTime(poolIdle)
	return db, nil
}
