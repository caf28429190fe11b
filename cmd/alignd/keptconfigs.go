package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
)

// keptConfigs are the configurations that judged the records of a journal.
type keptConfigs struct {
	of  *state.State // nil where there is none
	ctx context.Context
}

// openKeptConfigs opens those of a journal. Without a state nothing is kept, which is
// told to who asks for a text.
func openKeptConfigs(ctx context.Context, cfg *config.Config) (*keptConfigs, error) {
	s, err := place.ReadState(ctx, cfg)
	return &keptConfigs{of: s, ctx: ctx}, err
}

// text is that of a configuration; nil where it is not kept.
func (k *keptConfigs) text(hash [sha256.Size]byte) ([]byte, error) {
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

func (k *keptConfigs) close() error {
	if k.of == nil {
		return nil
	}
	return k.of.Close()
}
