package configs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
)

// Rules that were not to be had once are asked for again: somebody gave up, or the store
// was away. Who asks meanwhile does not wait for who asks a store that hangs.
func TestRulesAreAskedForAgain(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Parse([]byte("journal: {path: "+dir+"}\n"), "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	before, err := config.Parse([]byte("mode: monitor\n"), "before.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := place.OpenState(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if err := kept.KeepConfig(t.Context(), before.Hash(), before.Text(), time.Now()); err != nil {
		t.Fatal(err)
	}
	s := NewRules(cfg, nil)
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	if rules, why := s.judged(gaveUp, before.Hash()); rules != nil || why == "" {
		t.Errorf("who gave up has rules, or no reason: %q", why)
	}
	if rules, why := s.judged(t.Context(), before.Hash()); rules == nil {
		t.Errorf("the next one who asks is told: %s", why)
	}
	lost := [32]byte{1}
	if _, why := s.judged(t.Context(), lost); !strings.Contains(why, "not kept") {
		t.Errorf("%q", why)
	}
	hangs := make(chan struct{})
	s.state = func(context.Context) (*state.State, error) { <-hangs; return nil, errors.New("it was away") }
	if _, why := s.judged(t.Context(), lost); !strings.Contains(why, "not kept") {
		t.Errorf("a fault of a moment ago is asked for anew: %q", why)
	}
	asked := make(chan string)
	go func() { _, why := s.judged(t.Context(), [32]byte{2}); asked <- why }()
	if rules, why := s.judged(t.Context(), before.Hash()); rules == nil {
		t.Error(why)
	}
	close(hangs)
	if why := <-asked; why != "it was away" {
		t.Errorf("%q", why)
	}
	for i := range 3 * mostKept {
		s.judged(t.Context(), [32]byte{3, byte(i)})
	}
	if len(s.failed) > mostKept || len(s.kept) > mostKept {
		t.Errorf("%d and %d are remembered", len(s.failed), len(s.kept))
	}
}
