package configs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
)

// Texts are the configurations that judged the records of a journal.
type Texts struct {
	of  *state.State // nil where there is none
	ctx context.Context
}

// Open opens those of a journal. Without a state nothing is kept, which is
// told to who asks for a text.
func Open(ctx context.Context, cfg *config.Config) (*Texts, error) {
	s, err := place.ReadState(ctx, cfg)
	return &Texts{of: s, ctx: ctx}, err
}

// Text is that of a configuration; nil where it is not kept.
func (k *Texts) Text(hash [sha256.Size]byte) ([]byte, error) {
	if k.of == nil {
		return nil, nil
	}
	text, err := k.of.Config(k.ctx, hash)
	switch {
	case errors.Is(err, state.ErrUnknown):
		return nil, nil
	case err != nil:
		return nil, err
	case sha256.Sum256(text) != hash:
		return nil, fmt.Errorf("the configuration %x that was kept is damaged", hash[:6])
	}
	return text, nil
}

// Close ends it.
func (k *Texts) Close() error {
	if k.of == nil {
		return nil
	}
	return k.of.Close()
}
