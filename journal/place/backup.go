package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"alignd/config"
	"alignd/journal/rights"
	"alignd/journal/sqlite"
)

// Backup writes a consistent copy of a journal in SQLite to the folder to, which is absent
// or empty: store, state, and the key of hashed addresses.
func Backup(ctx context.Context, cfg *config.Config, to string) (done sqlite.BackedUp, err error) {
	switch cfg.Journal.Store {
	case "none":
		return done, ErrNone
	case "postgres":
		return done, fmt.Errorf("the journal is in PostgreSQL, where it is backed up: pg_dump --format=custom --file=alignd.dump %q", cfg.Journal.URL)
	}
	if list, err := os.ReadDir(to); err == nil && len(list) > 0 {
		return done, fmt.Errorf("%s is not empty", to)
	}
	if err := mayList(StoreDir(cfg)); err != nil { // before anything is left in to
		return done, Unreadable(cfg, err)
	}
	if err := rights.MakeDir(to); err != nil {
		return done, err
	}
	below := func(path string) string { return filepath.Join(to, filepath.Base(path)) }
	if done, err = sqlite.Backup(ctx, StoreDir(cfg), below(StoreDir(cfg))); err != nil {
		return done, Unreadable(cfg, err)
	}
	file := StateFile(cfg)
	if err := sqlite.Snapshot(ctx, file, below(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, fmt.Errorf("%s: %w", file, err)
	}
	return done, copyFile(AddressKeyFile(cfg), below(AddressKeyFile(cfg)))
}

// copyFile copies one, if it is there.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := rights.Open(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
