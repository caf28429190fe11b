package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How long a server may take. The numbers are ours; a server that hangs keeps nobody waiting
// for longer.
const (
	hostWithin    = 4 * time.Second // to connect to one of several
	connectWithin = 15 * time.Second
	takeWithin    = 30 * time.Second
	readWithin    = 60 * time.Second
)

// Access says how a database is reached.
type Access struct {
	// URL is one of libpq's, postgres://USER@HOST:PORT/DATABASE?sslmode=..., without
	// password. What it leaves out may stand in libpq's environment variables.
	URL string
	// PasswordFile holds the password, which a line end may follow; empty for what libpq's
	// environment variables and its password file say. It is read at each connect.
	PasswordFile string
}

// settings are those of a session where the URL says nothing of them, so that what a
// frozen client left open does not stay so.
var settings = map[string]string{
	"statement_timeout":                   "60s",
	"lock_timeout":                        "10s",
	"idle_in_transaction_session_timeout": "60s",
	"jit":                                 "off",            // it takes longer than what is asked
	"default_transaction_isolation":       "read committed", // what a trigger does sees what others did
}

// connect begins a session. It is not known yet whose tables the database has.
func (a *Access) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, late(ctx, err, cfg.ConnectTimeout)
	}
	if err := set(ctx, conn, cfg); err != nil {
		return nil, errors.Join(late(ctx, err, connectWithin), conn.Close(ctx))
	}
	return conn, nil
}

// set has a session keep to settings, which is one statement.
func set(ctx context.Context, conn *pgx.Conn, cfg *pgx.ConnConfig) error {
	var calls []string
	var args []any
	for name, value := range settings {
		if _, said := cfg.RuntimeParams[name]; said {
			continue
		}
		calls = append(calls, fmt.Sprintf("set_config($%d, $%d, false)", len(args)+1, len(args)+2))
		args = append(args, name, value)
	}
	if len(calls) == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, "SELECT "+strings.Join(calls, ", "), args...)
	return err
}

// config reads the URL, and with it what lies in files and in the environment now.
func (a *Access) config() (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(a.URL)
	if err != nil {
		return nil, err
	}
	if a.PasswordFile != "" {
		text, err := os.ReadFile(a.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		cfg.Password = strings.TrimRight(string(text), "\r\n")
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "alignd"
	}
	if !strings.Contains(a.URL, "connect_timeout=") && os.Getenv("PGCONNECT_TIMEOUT") == "" {
		cfg.ConnectTimeout = hostWithin
	}
	if !strings.Contains(a.URL, "default_query_exec_mode=") {
		// Statements without a name: a pooler may stand between, and each is planned for
		// the day that it asks for.
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return cfg, nil
}

// hangs is the reason that a person understands.
type hangs struct {
	within time.Duration
	err    error
}

func (e hangs) Error() string {
	return fmt.Sprintf("the server does not answer within %s: %v", e.within, e.err)
}

func (e hangs) Unwrap() error { return e.err }

// late gives a fault that a deadline made its reason.
func late(ctx context.Context, err error, within time.Duration) error {
	if told := new(hangs); err == nil || errors.As(err, told) || !errors.Is(ctx.Err(), context.DeadlineExceeded) && !pgconn.Timeout(err) {
		return err
	}
	return hangs{within, err}
}

// shut ends a session in whatever state it is, without waiting for the server.
func shut(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // there is nothing to lose in it
}
