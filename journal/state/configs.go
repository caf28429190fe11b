package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
)

// ErrUnknown: what was asked for is not there.
var ErrUnknown = errors.New("not kept")

// textUnpacker reads configurations of any size.
var textUnpacker, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30))

// KeepConfig keeps the text of a configuration by its hash, as Basis.Config of records
// names it. It stays while records with it come, and as long as counts after that.
func (s *State) KeepConfig(ctx context.Context, hash [32]byte, text []byte, at time.Time) error {
	_, err := s.exec(ctx, s.db, `INSERT INTO state_configs VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE
		SET last = CASE WHEN excluded.last > state_configs.last THEN excluded.last ELSE state_configs.last END`,
		hash[:], packer.EncodeAll(text, nil), at.Unix(), at.Unix())
	return err
}

// Config is the text that KeepConfig kept, or ErrUnknown.
func (s *State) Config(ctx context.Context, hash [32]byte) ([]byte, error) {
	var packed []byte
	found := false
	one := func(r *sql.Rows) error { found = true; return r.Scan(&packed) }
	if err := s.rows(ctx, s.db, one, "SELECT text FROM state_configs WHERE hash = ?", hash[:]); err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("configuration %x: %w", hash[:6], ErrUnknown)
	}
	return textUnpacker.DecodeAll(packed, nil)
}
