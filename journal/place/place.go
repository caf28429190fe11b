// Package place knows where the journal of a configuration lies, and opens it: its records
// and what follows from them, each to be read or to be written.
//
// What a host keeps lies in one folder, that of the option journal.path; what hosts share
// lies in the database of the option journal.url.
package place

import (
	"errors"
	"path/filepath"

	"alignd/config"
	"alignd/journal/postgres"
)

// ErrNone: the configuration wants no journal.
var ErrNone = errors.New("no journal is kept: the configuration says journal.store: none")

// SpoolDir is the folder of records that the store has not yet.
func SpoolDir(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "spool") }

// StoreDir is the folder of a store in SQLite.
func StoreDir(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "journal") }

// StateFile is the state where no database is named.
func StateFile(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "state.db") }

// AddressKeyFile has the key of hashed addresses, in hexadecimal digits.
func AddressKeyFile(cfg *config.Config) string {
	return filepath.Join(cfg.Journal.Path, "addresses.key")
}

// ToldFile has what the daemon tells of its journal.
func ToldFile(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "daemon.json") }

// StopsFile has which stages of rollouts are stopped, for a start without the state.
func StopsFile(cfg *config.Config) string { return filepath.Join(cfg.Journal.Path, "stops.json") }

// Database is how the database of the journal is reached.
func Database(cfg *config.Config) postgres.Access {
	return postgres.Access{URL: cfg.Journal.URL, PasswordFile: cfg.Journal.PasswordFile}
}

// SharesState: a database is named, so that hosts share what follows from records, wherever
// each keeps these.
func SharesState(cfg *config.Config) bool { return cfg.Journal.URL != "" }
