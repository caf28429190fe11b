package place

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
)

// of is a configuration with a journal in dir.
func of(t *testing.T, dir, store string) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte("journal: {store: "+store+", path: "+dir+"}\n"), "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestWhatIsNotThereIsToldAndNotMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	for _, row := range []struct {
		name, store string
		want        error
		cure        string
	}{
		{name: "no journal is wanted", store: "none", want: ErrNone, cure: "journal.store: none"},
		{name: "none was made yet", store: "sqlite", want: fs.ErrNotExist, cure: "alignd serve makes it"},
	} {
		cfg := of(t, dir, row.store)
		_, reader := OpenReader(cfg, func(err error) { t.Error(err) })
		for what, err := range map[string]error{"the reader": reader, "the state to be written": StateThere(cfg)} {
			if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.cure) {
				t.Errorf("%s: %s: %v, want %v with %q", row.name, what, err, row.want, row.cure)
			}
		}
		if _, err := ReadState(t.Context(), cfg); !errors.Is(err, row.want) {
			t.Errorf("%s: the state: %v, want %v", row.name, err, row.want)
		}
		to := filepath.Join(t.TempDir(), "backup")
		if _, err := Backup(t.Context(), cfg, to); !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.cure) {
			t.Errorf("%s: the backup: %v, want %v with %q", row.name, err, row.want, row.cure)
		}
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) { // the next try would find it not empty
			t.Errorf("%s: the backup left a folder: %v", row.name, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("who asked made the folder: %v", err)
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	cfg := of(t, t.TempDir(), "sqlite")
	log := slog.New(slog.DiscardHandler)
	store, err := OpenStore(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	written, err := OpenState(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := written.KeepConfig(t.Context(), cfg.Hash(), cfg.Text(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Close(), written.Close()); err != nil {
		t.Fatal(err)
	}
	if err := StateThere(cfg); err != nil {
		t.Error(err)
	}
	r, err := OpenReader(cfg, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read, err := ReadState(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if text, err := read.Config(t.Context(), cfg.Hash()); err != nil || string(text) != string(cfg.Text()) {
		t.Errorf("%q, %v, want %q", text, err, cfg.Text())
	}
}
