package place

import (
	"context"
	"log/slog"
	"os"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/postgres"
	"alignd/journal/sqlite"
	"alignd/journal/state"
)

// OpenStore opens the store to be written.
func OpenStore(cfg *config.Config, log *slog.Logger) (journal.Store, error) {
	j := &cfg.Journal
	if j.Store == "postgres" {
		return postgres.Open(postgres.Options{Access: Database(cfg), Keep: j.Keep.Duration, MaxSize: int64(j.Size), Log: log}), nil
	}
	return sqlite.Open(sqlite.Options{Dir: StoreDir(cfg), Keep: j.Keep.Duration, MaxSize: int64(j.Size), Log: log})
}

// OpenReader opens the store for questions. skipped hears of what cannot be read of it.
func OpenReader(cfg *config.Config, skipped func(error)) (journal.Reader, error) {
	switch cfg.Journal.Store {
	case "none":
		return nil, ErrNone
	case "postgres":
		r := postgres.NewReader(Database(cfg))
		r.Skipped = skipped
		return r, nil
	}
	if err := mayList(StoreDir(cfg)); err != nil {
		return nil, Unreadable(cfg, err)
	}
	r := sqlite.NewReader(StoreDir(cfg))
	r.Skipped = skipped
	return r, nil
}

// OpenState opens the state beside the store, to be written. It counts for reports what
// tally says; nil for none.
func OpenState(cfg *config.Config, log *slog.Logger, tally func(*journal.Entry) []state.Tally) (*state.State, error) {
	return openState(cfg, state.Options{Log: log, Tally: tally})
}

// KeepState is OpenState for a daemon: what may pass, as a full disk, is tried again.
func KeepState(cfg *config.Config, log *slog.Logger, tally func(*journal.Entry) []state.Tally) (*state.State, error) {
	return openState(cfg, state.Options{Log: log, Tally: tally, Later: true})
}

func openState(cfg *config.Config, opt state.Options) (*state.State, error) {
	opt.Keep, opt.KeepOthers = cfg.Journal.Keep.Duration, cfg.Reports.KeepOthers.Duration
	if SharesState(cfg) {
		db, err := Database(cfg).DB()
		if err != nil {
			return nil, err
		}
		return state.OpenPostgres(db, opt), nil
	}
	return state.OpenFile(context.Background(), StateFile(cfg), opt)
}

// StateThere says why there is no state to be written. Commands make none: what root made
// the daemon could not write. One that hosts share is the database's.
func StateThere(cfg *config.Config) error {
	if cfg.Journal.Store == "none" {
		return ErrNone
	}
	if SharesState(cfg) {
		return nil
	}
	if _, err := os.Stat(StateFile(cfg)); err != nil {
		return Unreadable(cfg, err)
	}
	return nil
}

// ReadState opens the state for questions.
func ReadState(ctx context.Context, cfg *config.Config) (*state.State, error) {
	if cfg.Journal.Store == "none" {
		return nil, ErrNone
	}
	if SharesState(cfg) {
		db, err := Database(cfg).DB()
		if err != nil {
			return nil, err
		}
		return state.ReadPostgres(db), nil
	}
	return state.ReadFile(ctx, StateFile(cfg))
}
